"""Flask-SocketIO on gevent's WSGI server, spoken to by WebSocket from the start."""

# It is only there where the bench is.
# mypy: disable-error-code="import-not-found, import-untyped, misc"

from __future__ import annotations

from collections.abc import Callable

from flask import Flask
from flask_socketio import SocketIO, emit
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler

from bench.transport_servers.limit import BACKLOG, MESSAGE_SIZE


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; news are emitted with ``broadcast``."""
    app = Flask(__name__)
    events = SocketIO(
        app, async_mode="gevent", ping_interval=3600, max_http_buffer_size=MESSAGE_SIZE
    )
    events.on("echo")(_spread if is_news else _echo)
    server = WSGIServer(
        ("127.0.0.1", 0),
        app,
        backlog=BACKLOG,
        handler_class=WebSocketHandler,
        log=None,
        error_log=None,
    )
    server.start()
    announce(server.socket.getsockname()[1])
    server.serve_forever()


def _echo(data: str) -> None:
    emit("echo", data)


def _spread(data: str) -> None:
    emit("echo", data, broadcast=True)
