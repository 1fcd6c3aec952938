"""All open connections of a node: how many there are, and how they end when the server stops.

Source: HTTP, "Servers it must run on" and WebSocket Relay, "Options", rows drain.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from time import monotonic

import gevent
from gevent.event import Event as Flag

from greenrelay.transport.connection import Connection
from greenrelay.transport.upgrade import Upgrade

log = logging.getLogger("greenrelay.transport")

# Few connections drain at once; a worker full of them takes the whole period, so that its clients
# do not all come back in the same moment.
CLOSES_PER_SECOND = 100


class Connections:
    """The open connections of one node; ``is_draining`` refuses new ones."""

    def __init__(self) -> None:
        self._open: dict[str, Connection] = {}
        self._is_empty = Flag()
        self._is_empty.set()
        self._reserved = 0
        self.is_draining = False

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection]:
        return iter(tuple(self._open.values()))

    def add(self, connection: Connection) -> None:
        """Count ``connection`` until it is over."""
        self._open[connection.pid] = connection
        self._is_empty.clear()
        connection.on_over = self._remove

    def reserve(self, upgrade: Upgrade, limit: int) -> bool:
        """Keep a place for ``upgrade``; False when ``limit`` are taken (0: no limit)."""
        if upgrade.has_place:
            return True
        if limit and len(self._open) + self._reserved >= limit:
            return False
        self._reserved += 1
        upgrade.has_place = True
        return True

    def give_back(self, upgrade: Upgrade) -> None:
        """Keep no place for ``upgrade`` any more: it is open by now, or will never be."""
        if upgrade.has_place:
            upgrade.has_place = False
            self._reserved -= 1

    def _remove(self, connection: Connection) -> None:
        self._open.pop(connection.pid, None)
        if not self._open:
            self._is_empty.set()

    def drain(self, *, period: float | None = None) -> None:
        """Close every connection within ``period`` seconds and wait for that.

        None is the longest period of the connections' own options. Closes are spread over the
        period, with jitter, when there are many. What has not ended a closing handshake by the
        end of the period is dropped. New connections are refused from the call on.
        """
        self.is_draining = True
        if not self._open:
            return
        started_at = monotonic()
        waiting = list(self._open.values())
        if period is None:
            period = max(connection.drain_period for connection in waiting)
        random.shuffle(waiting)
        spread = min(period * 0.8, len(waiting) / CLOSES_PER_SECOND)
        log.info("draining %d connections over %.1f s", len(waiting), spread)
        for index, connection in enumerate(waiting):
            due_at = started_at + spread * index / len(waiting) * random.uniform(0.9, 1.0)
            delay = due_at - monotonic()
            if delay > 0:
                gevent.sleep(delay)
            connection.drain()
        self._is_empty.wait(max(0.0, started_at + period - monotonic()))
        for connection in tuple(self._open.values()):
            connection.abandon()
