"""Whether the server of one connection is there, and how far what it has sent has been handled.

Source: the NATS client protocol, PING and PONG. A server answers in order, and after all that it
had for the client before; so the answer to a PING proves that what was meant for this client when
the PING was sent has been handled. Pure: ``now`` comes in.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

Answered = Callable[[bool], object]


class Pulse:
    """The PINGs on their way; ``horizon`` is when the last that was answered had been sent."""

    def __init__(self) -> None:
        self.horizon = 0.0
        # PINGs since the server was heard at all; one for a caller does not count.
        self.unanswered = 0
        self._waiting: deque[tuple[float, Answered | None]] = deque()

    def sent(self, now: float, answered: Answered | None = None) -> None:
        """Take note of a PING; ``answered`` gets True with its answer, or False without one."""
        self._waiting.append((now, answered))

    def on_pong(self) -> None:
        """Take the answer to the oldest PING; one that nobody waits for is dropped."""
        if self._waiting:
            self.horizon, answered = self._waiting.popleft()
            if answered is not None:
                answered(True)

    def end(self) -> None:
        """Tell all who wait that the connection has ended."""
        waiting, self._waiting = self._waiting, deque()
        self.unanswered = 0
        for _, answered in waiting:
            if answered is not None:
                answered(False)
