"""What the whole of a program does: totals, counts by cause, how busy its hub is.

Source: Operations, "Dashboard". Totals only: the page asks again and works out what there was in a
second.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from time import time
from typing import Any

from greenrelay.dashboard.scope import Relayed, states_of
from greenrelay.dashboard.walk import strides
from greenrelay.http.state import AppState
from greenrelay.runtime.node import Node
from greenrelay.runtime.timers import Timer
from greenrelay.transport.connection import Connection
from greenrelay.transport.ledger import ACCEPTED, Traffic

Row = dict[str, Any]
# How often a timer looks how late it is, in seconds.
BEAT = 0.25


@dataclass(slots=True)
class Lag:
    """How late the timers of a node fire: the worst since it was last asked for."""

    node: Node
    _worst: float = 0.0
    _due_at: float = 0.0
    _timer: Timer | None = field(default=None)

    def start(self) -> None:
        """Begin to measure, until it is stopped."""
        self._due_at = self.node.timers.now() + BEAT
        self._timer = self.node.timers.call_after(BEAT, self._beat)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    def take(self) -> float:
        """Return the worst lag in seconds, and forget it."""
        worst, self._worst = self._worst, 0.0
        return worst

    def _beat(self) -> None:
        self._worst = max(self._worst, self.node.timers.now() - self._due_at)
        self.start()


def overview(node: Node) -> Row:
    """Return the figures of a node and all its apps; it lets others run meanwhile."""
    states = states_of(node)
    traffic = Traffic()
    closes: Counter[tuple[str, str]] = Counter()
    routes: list[Row] = []
    for state in states:
        for figures in list(state.connections.ledger.routes.values()):
            traffic.add(figures.past)
            routes.append({"kind": figures.kind, "route": figures.route, "open": figures.open})
            for (code, side), count in figures.closes.items():
                closes[str(code) if code is not None else figures.kind, side] += count
    queued = 0
    for each in strides([each for state in states for each in state.connections]):
        queued += _add(traffic, each)
    return {
        "at": node.timers.now(),
        "time": time(),
        "node": node.id,
        "worker": os.getpid(),
        "memory": _memory(),
        "processes": len(node.processes),
        "hosts": [_host(each) for each in node.hosts.values() if each.count or each.dropped],
        "sockets": sum(len(state.connections) for state in states),
        "queued": queued,
        "messages_in": traffic.messages_in,
        "messages_out": traffic.messages_out,
        "bytes_in": traffic.bytes_in,
        "bytes_out": traffic.bytes_out,
        "routes": sorted(routes, key=lambda each: -each["open"])[:50],
        "closes": [
            {"code": code, "side": side, "count": count}
            for (code, side), count in closes.most_common(50)
        ],
        "refusals": refusals(states),
        "accepted": _accepted(states),
        "is_draining": any(state.connections.is_draining for state in states),
        "restarts": sum(each.restarts for each in node.services.values()),
        "services": len(node.services),
        "services_down": sum(
            each.state.value not in ("running", "exited") for each in node.services.values()
        ),
        "watchdog": None if node.watchdog is None else node.watchdog.threshold,
    }


def refusals(states: Iterable[AppState]) -> list[Row]:
    """Return how many requests for a socket or a stream were refused, by route and cause."""
    found: Counter[tuple[str, str, str]] = Counter()
    for state in states:
        for key, count in state.connections.ledger.asked.items():
            if key[2] != ACCEPTED:
                found[key] += count
    return [
        {"kind": kind, "route": route, "cause": cause, "count": count}
        for (kind, route, cause), count in found.most_common(50)
    ]


def _accepted(states: Iterable[AppState]) -> int:
    asked = [state.connections.ledger.asked for state in states]
    return sum(count for each in asked for key, count in each.items() if key[2] == ACCEPTED)


def _add(traffic: Traffic, relayed: Relayed) -> int:
    if isinstance(relayed, Connection):
        traffic.messages_in += relayed.session.message_count
    traffic.messages_out += relayed.messages_out
    socket = relayed.socket
    traffic.bytes_in += socket.bytes_in
    traffic.bytes_out += socket.bytes_out
    return socket.queued


def _host(host: Any) -> Row:
    return {
        "id": host.id,
        "count": host.count,
        "limit": host.max_processes,
        "dropped": host.dropped,
    }


def _memory() -> int | None:
    """Return the bytes of memory of this OS process, where the system tells."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
