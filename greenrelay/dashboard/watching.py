"""The traffic of one socket, or of all sockets that are relayed to one process, as it comes.

Source: Operations, "Command line" (``tail``).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gevent

from greenrelay.dashboard.scope import Relayed
from greenrelay.runtime.process import Process
from greenrelay.transport.connection import Connection
from greenrelay.transport.stream import Stream
from greenrelay.transport.tap import Tail, look, look_away

# How often what was seen is handed on, and sockets that have come are looked for, in seconds.
BEAT = 0.25
Row = dict[str, Any]


def watch(process: Process) -> Iterator[Row | None]:
    """Yield each message until the process is over; None now and then, to see who still listens."""
    tails: dict[str, tuple[Relayed, Tail]] = {}
    try:
        while process.node.processes.get(process.pid) is process:
            for relayed in _sockets(process):
                if relayed.pid not in tails:
                    tails[relayed.pid] = relayed, look(relayed)
            gevent.sleep(BEAT)
            yield from _news(tails)
            for pid in [pid for pid, (relayed, _) in tails.items() if not relayed.is_open]:
                look_away(*tails.pop(pid))
            yield None
    finally:
        for found in tails.values():
            look_away(*found)


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


def _news(tails: dict[str, tuple[Relayed, Tail]]) -> Iterator[Row]:
    found: list[Row] = []
    for pid, (_, tail) in tails.items():
        seen, missed = tail.take()
        if missed:
            found.append({"at": seen[0].at, "pid": pid, "missed": missed})
        for each in seen:
            row = {name: getattr(each, name) for name in ("at", "direction", "topic", "size")}
            found.append({**row, "pid": pid, "is_text": each.is_text, "text": each.text})
    yield from sorted(found, key=lambda each: float(each["at"]))
