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

from greenrelay.transport.connection import Connection
from greenrelay.web import relay, websocket_relay
from tests.relayed import Relayed, relayed
from tests.serving import Refused, WebSocketClient, connected

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
# Commands of "view" that are not an answer of its own.
View = Callable[["Bench"], Any]


class Bench(Relayed[Connection]):
    """What a test of the relay of WebSockets has in hand."""

    kind = Connection
    path = "/ws"
    join_topic = "ws.join"
    send_topic = "ws.send"

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

    def connection(self, client_pid: str) -> Connection:
        """Return the connection behind a client's PID."""
        return self.found(client_pid)

    def connections(self) -> list[Connection]:
        """Return the connections of the node."""
        return self.all_found()


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

    def add(app: Flask, answer: Callable[[], Any]) -> None:
        app.get("/ws", endpoint="ws")(websocket_relay(**options)(answer))

    def answer(bench: Bench) -> Any:
        return relay(bench.target.pid, **(command or {}))

    with relayed(Bench, app or Flask("tests.relaying"), add, view or answer) as bench:
        yield bench


def raw_command(**fields: Any) -> dict[str, str]:
    """Return the header of a relay command, as a view that writes it by hand does."""
    return {"X-WS-Relay": json.dumps(fields)}
