"""What is counted of sockets and streams: plain integers, for whoever shows them.

Source: Operations, "Metrics and health". Nothing here is called for a message: what a connection
has carried is counted by itself, read while it is open, and added up here when it is over.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from greenrelay.transport.recent import RECENT, Closed

WEBSOCKET, STREAM = "websocket", "stream"
CLIENT, SERVER = "client", "server"
ACCEPTED = "accepted"
# In the environ of a request that is accepted: its route, and the context that it hands on.
ROUTE = "greenrelay.route"
CONTEXT = "greenrelay.context"
UNMATCHED = "unmatched"


class Tracer(Protocol):
    """Who makes spans of what a connection does for messages that carry a context."""

    def sends(
        self, context: Mapping[str, object], topic: str, client: str, target: str
    ) -> Mapping[str, object]:
        """Note that ``client`` sends; return the context that the message carries."""

    def writes(self, context: Mapping[str, object], topic: str, client: str, queued: int) -> None:
        """Note that a message was written to ``client``, behind ``queued`` others."""


@dataclass(slots=True)
class Traffic:
    """Messages and bytes in both directions."""

    messages_in: int = 0
    messages_out: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def add(self, other: Traffic) -> None:
        """Add what ``other`` has counted."""
        self.messages_in += other.messages_in
        self.messages_out += other.messages_out
        self.bytes_in += other.bytes_in
        self.bytes_out += other.bytes_out


@dataclass(slots=True, eq=False)
class Figures:
    """The figures of all connections of one route, or all its streams.

    ``closes`` are by code (None for streams) and side, ``drops`` by slow policy; ``past`` is the
    traffic of those that are over.
    """

    ledger: Ledger
    kind: str
    route: str
    open: int = 0
    past: Traffic = field(default_factory=Traffic)
    closes: Counter[tuple[int | None, str]] = field(default_factory=Counter)
    drops: Counter[str] = field(default_factory=Counter)

    def ended(self, traffic: Traffic, code: int | None, *, by_client: bool) -> None:
        """Count one that is over."""
        self.open -= 1
        self.past.add(traffic)
        self.closes[code, CLIENT if by_client else SERVER] += 1


@dataclass(slots=True, eq=False, weakref_slot=True)
class Ledger:
    """All figures of the connections and streams of one application.

    ``asked`` counts requests for a socket or a stream by kind, route and outcome: ``accepted``, or
    the cause of the refusal. ``drains`` counts drains, which took ``drain_seconds`` together.
    ``recent`` are the last that are over.
    """

    routes: dict[tuple[str, str], Figures] = field(default_factory=dict)
    asked: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    drains: int = 0
    drain_seconds: float = 0.0
    tracer: Tracer | None = None
    recent: deque[Closed] = field(default_factory=lambda: deque(maxlen=RECENT))

    def figures(self, kind: str, route: str) -> Figures:
        """Return the figures of one kind and route."""
        found = self.routes.get((kind, route))
        if found is None:
            found = self.routes[kind, route] = Figures(self, kind, route)
        return found

    def became(self, kind: str, route: str, outcome: str) -> None:
        """Count what became of a request for a socket or a stream."""
        self.asked[kind, route, outcome] += 1
