"""Connections that have read more than they may handle at once take turns.

Source: WebSocket Relay, "Slowness": a client costs its own queue and nothing else.

Theory. One read may hold more than a thousand short messages, and each costs its target more than
it costs the client: handled at once, they would keep everybody else waiting. So connections that
have read more than FRAMES of them handle so many each, one after the other, for a slice of time
in each turn of the loop; who has none left reads on.

What the targets then do with the messages counts too, and nobody here knows how long that takes.
So the slice follows what the last turn of the loop took as a whole: it shrinks, to FRAMES of
one connection perhaps, while turns are longer than TURN, and grows back while they are shorter.
"""

from __future__ import annotations

import sys
from collections import deque
from time import monotonic
from typing import Any, Protocol

import gevent

FRAMES = 32
SLICE = 0.0005
SHORTEST_SLICE = SLICE / 16
TURN = 0.001


class Waiting(Protocol):
    """A connection that has read more than it may handle at once."""

    def take_turn(self) -> bool:
        """Handle so much of it; True when another turn is wanted."""


class Turns:
    """Whose turn it is among the connections of one server."""

    __slots__ = ("_began", "_slice", "_timer", "_waiting")

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()
        self._timer: Any = None
        self._slice = SLICE
        # When the last turn began, 0.0 when nobody was left to have another.
        self._began = 0.0

    def add(self, connection: Waiting) -> None:
        """Let ``connection`` handle what it has read, in the next turn of the loop."""
        self._waiting.append(connection)
        if self._timer is None:
            # Not a callback: the loop runs those that callbacks add before it looks at sockets.
            self._timer = gevent.get_hub().loop.timer(0)
            self._timer.start(self._run)

    def _run(self) -> None:
        waiting = self._waiting
        now = monotonic()
        if self._began:
            self._adapt(now - self._began)
        self._began = now
        end = now + self._slice
        while waiting:
            connection = waiting.popleft()
            try:
                if connection.take_turn():
                    waiting.append(connection)
            except BaseException:
                # It must not be the last to have had a turn. And nothing may be raised here: gevent
                # would look at the timer then, which may be closed below, and libuv would abort.
                gevent.get_hub().handle_error(connection, *sys.exc_info())
            if monotonic() >= end:
                break
        if waiting:
            self._timer.start(self._run)
        else:
            self._began = 0.0
            self._timer.close()
            self._timer = None

    def _adapt(self, turn: float) -> None:
        if turn > TURN:
            self._slice = max(self._slice / 2, SHORTEST_SLICE)
        else:
            self._slice = min(self._slice * 1.5, SLICE)
