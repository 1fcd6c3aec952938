"""Plain TCP: gevent's StreamServer, a greenlet for each connection, ``recv`` and ``sendall``."""

from __future__ import annotations

from collections.abc import Callable
from socket import IPPROTO_TCP, TCP_NODELAY
from typing import Any

from gevent.server import StreamServer

from bench.transport_servers.limit import BACKLOG

READ_SIZE = 65_536
CLIENTS: set[Any] = set()


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; without frames, whatever one read gives is what goes to all."""
    server = StreamServer(("127.0.0.1", 0), _spread if is_news else _echo, backlog=BACKLOG)
    server.start()
    announce(server.socket.getsockname()[1])
    server.serve_forever()


def _echo(sock: Any, _: object) -> None:
    _set_no_delay(sock)
    try:
        while data := sock.recv(READ_SIZE):
            sock.sendall(data)
    except OSError:
        return


def _spread(sock: Any, _: object) -> None:
    _set_no_delay(sock)
    CLIENTS.add(sock)
    try:
        while data := sock.recv(READ_SIZE):
            for client in tuple(CLIENTS):
                client.sendall(data)
    except OSError:
        return
    finally:
        CLIENTS.discard(sock)


def _set_no_delay(sock: Any) -> None:
    sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
