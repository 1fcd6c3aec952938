"""What one client wants to get, on every connection it will have; pure.

A connection begins with a SUB for each subscription there is. While these are on their way others
may come and go; ``late`` is what the server has to be told of them.
"""

from __future__ import annotations

from collections.abc import Callable

from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.parser import Message

Handler = Callable[[Message], None]


class Subscriptions:
    """The subscriptions by their numbers; ``handlers`` has who gets what comes."""

    def __init__(self) -> None:
        self.handlers: dict[int, Handler] = {}
        self._subjects: dict[int, bytes] = {}
        self._told: dict[int, bytes] = {}
        self._last = 0

    def __len__(self) -> int:
        return len(self._subjects)

    def add(self, subject: bytes, handler: Handler) -> int:
        """Add one and return its number."""
        self._last += 1
        self._subjects[self._last] = subject
        self.handlers[self._last] = handler
        return self._last

    def move(self, sid: int, subject: bytes) -> None:
        """Let ``sid`` be for another subject, from the next connection on."""
        self._subjects[sid] = subject

    def remove(self, sid: int) -> bool:
        """Remove one; False if there is none of that number."""
        self.handlers.pop(sid, None)
        return self._subjects.pop(sid, None) is not None

    def first(self) -> bytes:
        """Return the commands that a new connection begins with."""
        self._told = dict(self._subjects)
        return b"".join(wire.subscribe(subject, sid) for sid, subject in self._subjects.items())

    def late(self) -> list[bytes]:
        """Return the commands for what has changed since ``first``."""
        now, told = self._subjects, self._told
        changed = [sid for sid in told if now.get(sid) != told[sid]]
        new = [sid for sid in now if now[sid] != told.get(sid)]
        return [
            *(wire.unsubscribe(sid) for sid in changed),
            *(wire.subscribe(now[sid], sid) for sid in new),
        ]
