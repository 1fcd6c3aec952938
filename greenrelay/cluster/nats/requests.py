"""The questions of one client that wait for an answer.

Source: the NATS client protocol, requests. An answer comes to a subject of its own below the
client's inbox. Each question is answered once: by a message, or by None when the connection ends
first. How many may wait is bounded.
"""

from __future__ import annotations

from collections.abc import Callable

from greenrelay.cluster.nats.parser import Message

MAX_WAITING = 1024

Answered = Callable[[Message | None], None]


class Requests:
    """Who waits for which answer."""

    def __init__(self, max_waiting: int = MAX_WAITING) -> None:
        self._max_waiting = max_waiting
        self._waiting: dict[bytes, Answered] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, answered: Answered) -> bytes | None:
        """Return the last token of the subject for the answer; None when too many wait."""
        if len(self._waiting) >= self._max_waiting:
            return None
        self._count += 1
        token = b"%x" % self._count
        self._waiting[token] = answered
        return token

    def forget(self, token: bytes) -> None:
        """Wait no more for that answer."""
        self._waiting.pop(token, None)

    def on_message(self, message: Message) -> None:
        """Hand an answer to who waits for it; one that nobody waits for is dropped."""
        answered = self._waiting.pop(message[1].rpartition(b".")[2], None)
        if answered is not None:
            answered(message)

    def fail(self) -> None:
        """Tell all who wait that no answer will come."""
        waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            answered(None)
