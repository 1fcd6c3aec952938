"""A served app with one relaying view, and everything a test wants to see of it.

::

    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.send("hello")
        assert assert_receive(bench.target, topic="ws.message").payload["data"] == "hello"
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from flask import Flask

from greenrelay.core.pid import Pid
from greenrelay.http.state import state_of
from greenrelay.runtime.node import Node
from greenrelay.transport.connection import Connection
from greenrelay.web import GreenRelay, relay, websocket_relay
from tests.probe import Probe, assert_receive, wait_for
from tests.serving import Refused, WebSocketClient, connected, http, serving

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
# Commands of "view" that are not an answer of its own.
View = Callable[["Bench"], Any]


class Bench:
    """What a test of the relay has in hand; ``calls`` counts how often the view ran."""

    def __init__(self, app: Flask, address: str, target: Probe) -> None:
        self.app = app
        self.address = address
        self.target = target
        self.calls = 0

    @property
    def node(self) -> Node:
        """The node of the app."""
        return state_of(self.app).node

    def connect(self, path: str = "/ws", **options: Any) -> AbstractContextManager[WebSocketClient]:
        """Open a WebSocket to the view."""
        return connected(self.address, path, **options)

    def refusal(self, path: str = "/ws", **options: Any) -> Refused:
        """Open a WebSocket that must be refused, and return how it was."""
        try:
            WebSocketClient(self.address, path, **options)
        except Refused as refused:
            return refused
        raise AssertionError("the handshake was not refused")

    def get(self, path: str = "/ws", **options: Any) -> tuple[int, dict[str, str], str]:
        """Make a plain request."""
        return http(self.address, path, **options)

    def joined(self, target: Probe | None = None) -> Pid:
        """Wait for a ws.join at the target and return the client's PID."""
        payload = assert_receive(target or self.target, topic="ws.join").payload
        return Pid.parse(payload["client_pid"])

    def connection(self, client_pid: str) -> Connection:
        """Return the connection behind a client's PID."""
        found = self.node.processes[client_pid]
        assert isinstance(found, Connection)
        return found

    def connections(self) -> list[Connection]:
        """Return the connections of the node."""
        return [p for p in self.node.processes.values() if isinstance(p, Connection)]

    def wait_gone(self, pid: str) -> None:
        """Wait until a process has ended."""
        wait_for(lambda: pid not in self.node.processes)


@contextmanager
def relaying(
    view: View | None = None,
    *,
    command: dict[str, Any] | None = None,
    app: Flask | None = None,
    **options: Any,
) -> Iterator[Bench]:
    """Serve ``/ws``, which relays to ``bench.target``; ``options`` are the decorator's.

    ``command`` adds fields of the relay command; ``view`` is another view.
    """
    app = app or Flask("tests.relaying")
    if "greenrelay" not in app.extensions:
        GreenRelay(app)
    found: list[Bench] = []

    def answer() -> Any:
        bench = found[0]
        bench.calls += 1
        if view is not None:
            return view(bench)
        return relay(bench.target.pid, **(command or {}))

    app.get("/ws", endpoint="ws")(websocket_relay(**options)(answer))
    with serving(app) as address, Probe(state_of(app).node) as target:
        found.append(Bench(app, address, target))
        yield found[0]


def raw_command(**fields: Any) -> dict[str, str]:
    """Return the header of a relay command, as a view that writes it by hand does."""
    return {"X-WS-Relay": json.dumps(fields)}
