"""All open connections of a node: how many there are, and how they end when the server stops.

Source: HTTP, "Servers it must run on" and WebSocket Relay, "Options", rows drain.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Iterator
from time import monotonic
from weakref import WeakSet

import gevent
from gevent.event import Event as Flag

from greenrelay.relay.places import Place, Places
from greenrelay.runtime.fork import follow_forks, silence
from greenrelay.transport.connection import Connection
from greenrelay.transport.ledger import Figures, Ledger
from greenrelay.transport.life import Life
from greenrelay.transport.stream import Stream
from greenrelay.transport.upgrade import Upgrade

log = logging.getLogger("greenrelay.transport")

# Few connections drain at once; a worker full of them takes the whole period, so that its clients
# do not all come back in the same moment.
CLOSES_PER_SECOND = 100


_all: WeakSet[Connections] = WeakSet()
follow_forks(_all)


class Connections:
    """The open connections of one node, streams too; ``is_draining`` refuses new ones."""

    def __init__(self) -> None:
        self._be_empty()
        # One for all: a bound method for each would be 64 bytes more.
        self._on_over = self._remove
        self.is_draining = False
        self.ledger = Ledger()
        _all.add(self)

    def _be_empty(self) -> None:
        self._open: dict[str, Connection | Stream] = {}
        self._is_empty = Flag()
        self._is_empty.set()
        self._all = Places()
        # Of the connections that are counted by their address or user as well.
        self._places: dict[str, Place] = {}

    def forked(self) -> None:
        """Have none, in a forked child, where all are the parent's."""
        silence(connection.socket for connection in self)
        # Another flag: a drain of the parent that waits for the old one must not go on here.
        self._be_empty()

    def __len__(self) -> int:
        return len(self._open)

    def __iter__(self) -> Iterator[Connection | Stream]:
        return iter(tuple(self._open.values()))

    def reserve(self, upgrade: Upgrade, limit: int) -> bool:
        """Keep a place for ``upgrade``; False when ``limit`` are taken (0: no limit)."""
        if upgrade.place is None:
            upgrade.place = self._all.take(limit)
        return upgrade.place is not None

    def count_for(self, upgrade: Upgrade, kind: str, who: str, limit: int) -> bool:
        """Count the place of ``upgrade`` for an address or a user; False beyond ``limit``."""
        assert upgrade.place is not None, "a place is counted once it is reserved"
        return self._all.count_for(upgrade.place, kind, who, limit)

    def give_back(self, upgrade: Upgrade) -> None:
        """Keep no place for ``upgrade`` any more: unless it is open by now, it never will be."""
        if upgrade.place is not None:
            self._all.give_back(upgrade.place)
            upgrade.place = None

    def add(self, connection: Connection, upgrade: Upgrade) -> None:
        """Give ``connection`` the place of its ``upgrade`` until it is over."""
        place = upgrade.place or self._all.take(0)
        assert place is not None, "without a limit there is always a place"
        upgrade.place = None
        if place.counted_for:
            self._places[connection.pid] = place
        self.keep(connection)
        connection.on_over = self._on_over

    def count(self, connection: Connection | Stream, figures: Figures) -> None:
        """Count ``connection`` among those of its route; it must be kept, too."""
        connection.figures = figures
        figures.open += 1

    def keep(self, connection: Connection | Stream) -> None:
        """Close ``connection`` too when the server stops, unless it is forgotten by then."""
        self._open[connection.pid] = connection
        self._is_empty.clear()

    def forget(self, connection: Life | Stream) -> bool:
        """The connection is over; False where it was forgotten before."""
        if self._open.pop(connection.pid, None) is None:
            return False
        if not self._open:
            self._is_empty.set()
        return True

    def _remove(self, connection: Life) -> None:
        if not self.forget(connection):
            return
        place = self._places.pop(connection.pid) if connection.pid in self._places else Place()
        self._all.give_back(place)

    def drain(self, *, period: float | None = None) -> None:
        """Close every connection within ``period`` seconds and wait for that.

        None is the longest period of the connections' own options. Closes are spread over the
        period, with jitter, when there are many. What has not ended a closing handshake by the
        end of the period is dropped. New connections are refused from the call on.
        """
        self.is_draining = True
        if self._open:
            started_at = monotonic()
            self._close_all(started_at, period)
            self.ledger.drains += 1
            self.ledger.drain_seconds += monotonic() - started_at

    def _close_all(self, started_at: float, period: float | None) -> None:
        waiting = list(self._open.values())
        if period is None:
            period = max(connection.drain_period for connection in waiting)
        random.shuffle(waiting)
        spread = min(period * 0.8, len(waiting) / CLOSES_PER_SECOND)
        log.info("draining %d connections over %.1f s", len(waiting), spread)
        for index, connection in enumerate(waiting):
            due_at = started_at + spread * index / len(waiting) * random.uniform(0.9, 1.0)
            delay = due_at - monotonic()
            # Less is not worth a turn of the loop, and libuv would warn of it.
            if delay >= 0.001:
                gevent.sleep(delay)
            connection.drain()
        self._is_empty.wait(max(0.0, started_at + period - monotonic()))
        for connection in tuple(self._open.values()):
            connection.abandon()
