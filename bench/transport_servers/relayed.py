"""greenrelay as an application uses it: Flask, a view that relays, a target for each client."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from gevent import get_hub
from werkzeug.wrappers import Response

from bench.transport_servers.limit import MESSAGE_SIZE
from greenrelay.extension import GreenRelay
from greenrelay.process import (
    RelayTarget,
    broadcast,
    join,
    receive,
    send,
    spawn,
    stop,
    whereis,
)
from greenrelay.transport.server import Server
from greenrelay.web import relay, websocket_relay

ROOM = "room"
TARGET = "target"


def echo() -> None:
    """Send each message of the client back: a target that is a function."""
    while True:
        message: Any = receive()
        payload = message.payload
        if message.topic == "ws.message":
            answer = {"type": payload["type"], "data": payload["data"]}
            send(payload["client_pid"], "ws.send", answer)
        elif message.topic == "ws.leave":
            return


class Echo(RelayTarget):
    """Sends each message of the client back: a target that is a server."""

    def on_message(self, payload: dict[str, Any]) -> object:
        """Answer the client."""
        answer = {"type": payload["type"], "data": payload["data"]}
        send(payload["client_pid"], "ws.send", answer)
        return None

    def on_leave(self, payload: dict[str, Any]) -> object:
        """End with the client."""
        return stop()


class EchoToAll(Echo):
    """One for all clients: it stays when one leaves."""

    def on_leave(self, payload: dict[str, Any]) -> object:
        """Go on."""
        return None


class Room(RelayTarget):
    """The target of all clients: what one says is broadcast to all."""

    def on_join(self, payload: dict[str, Any]) -> object:
        """Count the client in; it leaves the group when it ends."""
        join(ROOM, payload["client_pid"])
        return None

    def on_message(self, payload: dict[str, Any]) -> object:
        """Broadcast."""
        broadcast(ROOM, "ws.send", {"type": payload["type"], "data": payload["data"]})
        return None


def make_app(entry: object) -> Flask:
    """Return an app with a target ``entry`` for each client, or one for all of them."""
    is_shared = entry in (Room, EchoToAll)
    app = Flask(__name__)
    GreenRelay(app)

    @app.get("/echo")
    @websocket_relay(max_message_size=MESSAGE_SIZE, queue_bytes=MESSAGE_SIZE, max_connections=0)
    def view() -> Response:
        if is_shared:
            return relay(whereis(TARGET) or spawn(entry, name=TARGET))
        return relay(spawn(entry))

    return app


def serve_with(entry: object, announce: Callable[[int], None]) -> None:
    """Serve with our own server."""
    server = Server(make_app(entry))
    server.start()
    announce(int(server.url.rpartition(":")[2].strip("/")))
    get_hub().join()
