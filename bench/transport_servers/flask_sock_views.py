"""flask-sock, which is simple-websocket, on gevent's WSGI server."""

# It is only there where the bench is.
# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_sock import Sock
from gevent.pywsgi import WSGIServer
from simple_websocket import ConnectionClosed

from bench.transport_servers.limit import BACKLOG, MESSAGE_SIZE

CLIENTS: set[Any] = set()


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; news are a loop over all clients."""
    app = Flask(__name__)
    app.config["SOCK_SERVER_OPTIONS"] = {"max_message_size": MESSAGE_SIZE}
    Sock(app).route("/echo")(_spread if is_news else _echo)
    server = WSGIServer(("127.0.0.1", 0), app, backlog=BACKLOG, log=None, error_log=None)
    server.start()
    announce(server.socket.getsockname()[1])
    server.serve_forever()


def _echo(websocket: Any) -> None:
    while True:
        websocket.send(websocket.receive())


def _spread(websocket: Any) -> None:
    CLIENTS.add(websocket)
    try:
        while True:
            message = websocket.receive()
            for client in tuple(CLIENTS):
                _send(client, message)
    finally:
        CLIENTS.discard(websocket)


def _send(client: Any, message: str | bytes) -> None:
    try:
        client.send(message)
    except ConnectionClosed:
        CLIENTS.discard(client)
