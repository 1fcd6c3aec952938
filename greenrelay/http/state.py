"""What a Flask app has of greenrelay: ``app.extensions["greenrelay"]``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from flask import Flask, current_app, has_app_context

from greenrelay.config.entries import HttpService
from greenrelay.metrics.publisher import follow, publish_last
from greenrelay.metrics.source import observe
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.transport.attendance import Attendance
from greenrelay.transport.bounds import Bounds
from greenrelay.transport.drain import Connections
from greenrelay.transport.stream_opening import StreamOpening

EXTENSION = "greenrelay"


@dataclass(slots=True, eq=False, weakref_slot=True)
class AppState:
    """The node of an app, the host of its requests, and its open connections.

    ``start`` starts what has to run before the first request is served; it is called by whoever
    serves the app, after any fork, and does something the first time only. ``enders`` are called
    once it is to stop. ``services`` returns the ids of the services that it starts.
    """

    node: Node
    host: Host
    connections: Connections = field(default_factory=Connections)
    starters: list[Callable[[], object]] = field(default_factory=list)
    enders: list[Callable[[], object]] = field(default_factory=list)
    servers: tuple[HttpService, ...] = ()
    services: Callable[[], Sequence[str]] = tuple
    attendance: Attendance = field(init=False)
    body_size: int | None = field(init=False)
    streams: StreamOpening = field(init=False)

    def __post_init__(self) -> None:
        self.streams = StreamOpening(self.node, self.host, self.connections)
        # The first says for all where something else listens for them: see cli/run.py.
        first = self.servers[0] if self.servers else None
        self.attendance = Attendance(None if first is None else first.timeouts.handler)
        self.body_size = None if first is None else first.limits.body_size
        self.starters.append(self._follow)
        observe(self)

    def _follow(self) -> None:
        follow(self.node)

    def start(self) -> None:
        """Start the services, once."""
        starters, self.starters = self.starters, []
        for starter in starters:
            starter()

    @property
    def addresses(self) -> list[str]:
        """Where the configuration says to listen, which only ``greenrelay run`` heeds."""
        return [f"{server.at('addr')}: addr {server.addr}" for server in self.servers]

    @property
    def bounds(self) -> Bounds | None:
        """What a client may do with its connection; None where no server says so."""
        if not self.servers:
            return None
        first = self.servers[0]
        return Bounds(
            head_timeout=first.timeouts.read,
            head_size=first.limits.header_size,
            idle_timeout=first.timeouts.idle,
            write_timeout=first.timeouts.write,
        )

    @property
    def bounds_given(self) -> list[str]:
        """The bounds that the configuration gives, with their places."""
        names = ("timeouts.read", "timeouts.write", "timeouts.idle", "limits.header_size")
        return [
            f"{server.marks[name]}: {name}"
            for server in self.servers[:1]
            for name in names
            if name in server.marks
        ]

    def drain(self, *, at_most: float | None = None) -> None:
        """Close the connections and refuse new ones; the caller must be able to wait.

        That takes what the options of the relays say, but no more than ``at_most`` seconds.
        """
        period = None
        if at_most is not None:
            periods = (connection.drain_period for connection in self.connections)
            period = min(at_most, max(periods, default=0.0))
        self.connections.drain(period=period)
        publish_last()

    def stop(self) -> None:
        """Drain the connections, then end every process; the caller must be able to wait."""
        self.drain()
        enders, self.enders = self.enders, []
        for ender in enders:
            ender()
        self.node.shutdown()


def state_of(app: Flask) -> AppState:
    """Return the state of ``app``; raises RuntimeError when it has none."""
    state = app.extensions.get(EXTENSION)
    if not isinstance(state, AppState):
        raise RuntimeError(
            f"app {app.name!r} has no greenrelay: call GreenRelay(app), or init_app(app) of one"
        )
    return state


def node_of_current_app() -> Node | None:
    """Return the node of Flask's current app, or None outside of one."""
    if not has_app_context():
        return None
    state = current_app.extensions.get(EXTENSION)
    return state.node if isinstance(state, AppState) else None
