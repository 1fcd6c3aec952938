"""gevent-websocket on gevent's WSGI server: a loop of ``receive`` and ``send``, no process."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

from gevent.pywsgi import WSGIServer
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler

from bench.transport_servers.limit import BACKLOG

CLIENTS: set[Any] = set()


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; news are a loop over all clients."""
    talk = _spread if is_news else _echo

    def application(environ: dict[str, Any], _: object) -> Iterable[bytes]:
        websocket = environ["wsgi.websocket"]
        websocket.handler.socket.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        try:
            talk(websocket)
        except (OSError, WebSocketError):
            pass
        finally:
            CLIENTS.discard(websocket)
        return []

    server = WSGIServer(
        ("127.0.0.1", 0),
        application,
        backlog=BACKLOG,
        handler_class=WebSocketHandler,
        log=None,
        error_log=None,
    )
    server.start()
    announce(server.socket.getsockname()[1])
    server.serve_forever()


def _echo(websocket: Any) -> None:
    while (message := websocket.receive()) is not None:
        websocket.send(message, binary=not isinstance(message, str))


def _spread(websocket: Any) -> None:
    CLIENTS.add(websocket)
    while (message := websocket.receive()) is not None:
        is_binary = not isinstance(message, str)
        for client in tuple(CLIENTS):
            client.send(message, binary=is_binary)
