"""The traffic of one socket, of a process with all its sockets, or of a user, as it comes.

Source: Operations, "Command line" (``tail``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import gevent

from greenrelay.dashboard.hearing import Heard, Hearing
from greenrelay.dashboard.scope import Relayed, relayed_of
from greenrelay.dashboard.sockets import SocketFilter
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.transport.connection import Connection
from greenrelay.transport.stream import Stream
from greenrelay.transport.tap import OUT, Seen, Tail, look, look_away

# How often what was seen is handed on, and sockets that have come are looked for, in seconds.
BEAT = 0.25
Row = dict[str, Any]


def watch(process: Process) -> Iterator[Row | None]:
    """Yield each message until the process is over; None now and then, to see who still listens.

    Of a socket that is what goes over it, of another process what it gets and sends, and what goes
    over the sockets that are relayed to it.
    """
    hearing = Hearing(process) if isinstance(process, FunctionProcess) else None
    sockets = Sockets(lambda: _sockets(process))
    try:
        while process.node.processes.get(process.pid) is process:
            sockets.refresh()
            if hearing is not None:
                hearing.refresh()
            gevent.sleep(BEAT)
            rows = sockets.news()
            if hearing is not None:
                rows += _news(process.pid, hearing.tail, sockets.shows)
            sockets.let_go_of_the_closed()
            yield from sorted(rows, key=lambda each: float(each["at"]))
            yield None
    finally:
        sockets.close()
        if hearing is not None:
            hearing.stop()


def watch_user(node: Node, user: str) -> Iterator[Row | None]:
    """Yield each message of the sockets of users whose name has ``user`` in it, until nobody asks.

    None comes now and then, to see who still listens.
    """
    wanted = SocketFilter(user=user)
    sockets = Sockets(lambda: filter(wanted.allows, relayed_of(node)))
    try:
        while not node.is_stopped:
            sockets.refresh()
            gevent.sleep(BEAT)
            rows = sockets.news()
            sockets.let_go_of_the_closed()
            yield from sorted(rows, key=lambda each: float(each["at"]))
            yield None
    finally:
        sockets.close()


class Sockets:
    """The sockets that are looked at: those that ``find`` returns, also when they come later."""

    def __init__(self, find: Callable[[], Iterable[Relayed]]) -> None:
        self._find = find
        self._tails: dict[str, tuple[Relayed, Tail]] = {}

    def refresh(self) -> None:
        """Look at those that have come."""
        for relayed in self._find():
            if relayed.pid not in self._tails:
                self._tails[relayed.pid] = relayed, look(relayed)

    def news(self) -> list[Row]:
        """Return what went over them since the last time."""
        return [
            row for pid, (_, tail) in self._tails.items() for row in _news(pid, tail, _shows_none)
        ]

    def shows(self, seen: Seen) -> bool:
        """Whether a message of a process is one of a client, which is shown as that."""
        found = self._tails.get(seen.peer) if isinstance(seen, Heard) else None
        if found is None or seen.direction == OUT:
            return found is not None
        return found[0].session.message_topic == seen.topic

    def let_go_of_the_closed(self) -> None:
        """Look at those no more that are over."""
        for pid in [pid for pid, (relayed, _) in self._tails.items() if not relayed.is_open]:
            look_away(*self._tails.pop(pid))

    def close(self) -> None:
        """Look at none any more."""
        for found in self._tails.values():
            look_away(*found)


def _shows_none(_: Seen) -> bool:
    return False


def _sockets(process: Process) -> list[Relayed]:
    if isinstance(process, (Connection, Stream)):
        return [process]
    node, pid = process.node, process.pid
    watchers = (node.processes.get(each) for each in node.topology.watchers(pid))
    return [
        each
        for each in watchers
        if isinstance(each, (Connection, Stream)) and each.session.target_pid == pid
    ]


def _news(pid: str, tail: Tail, is_shown: Callable[[Seen], bool]) -> list[Row]:
    seen, missed = tail.take()
    rows: list[Row] = []
    if missed:
        rows.append({"at": seen[0].at, "pid": pid, "missed": missed})
    for each in seen:
        if not is_shown(each):
            rows.append({**row_of(each), "pid": pid})
    return rows


def row_of(seen: Seen) -> Row:
    """Return one message as a map: ``peer`` is there for one of a process, ``size`` else."""
    row = {name: getattr(seen, name) for name in ("at", "direction", "topic", "is_text", "text")}
    if isinstance(seen, Heard):
        return {**row, "peer": seen.peer}
    return {**row, "size": seen.size}
