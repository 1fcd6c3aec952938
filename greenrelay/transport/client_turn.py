"""Whose message is written next, where several greenlets send over one client.

Source: WebSocket client, ``send`` and ``write_timeout``. First come, first served: a greenlet
that sends without a pause would keep the others from the socket until their time is over.
"""

from __future__ import annotations

from collections import deque
from typing import Self

from gevent.event import Event as Flag


class Turn:
    """A lock that is handed to whoever has waited longest; ``with turn:`` waits for it."""

    __slots__ = ("_is_taken", "_waiting")

    def __init__(self) -> None:
        self._is_taken = False
        self._waiting: deque[Flag] = deque()

    def __enter__(self) -> Self:
        if self._is_taken:
            self._wait()
        self._is_taken = True
        return self

    def __exit__(self, *exc: object) -> None:
        if self._waiting:
            # It stays taken: nobody gets in between before the next one runs.
            self._waiting.popleft().set()
        else:
            self._is_taken = False

    def _wait(self) -> None:
        mine = Flag()
        self._waiting.append(mine)
        try:
            mine.wait()
        except BaseException:
            # Killed: as it waited, or as it was its turn already.
            if mine in self._waiting:
                self._waiting.remove(mine)
            else:
                self.__exit__()
            raise
