"""From an HTTP request to a bare socket, on each WSGI server that can do it.

Source: HTTP, "Servers it must run on". An upgrade request is set aside before the application
sees it: without ``Upgrade`` and ``Connection`` in the environ an ordinary rule matches. The socket
is taken from the server only once the handler has answered and all checks have passed.
"""

from __future__ import annotations

import errno
import socket as std_socket
import ssl
from _socket import socket as RawSocket
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from gevent import socket as gevent_socket

from greenrelay.errors import UnsupportedServer
from greenrelay.relay.places import Place
from greenrelay.transport.socket import is_tls
from greenrelay.websocket.handshake import wants_websocket

Environ = dict[str, Any]
UPGRADE = "greenrelay.upgrade"
TAKE_OVER = "greenrelay.take_over"
SWITCHING = "101 Switching Protocols"


@dataclass(slots=True)
class Upgrade:
    """An upgrade request that was set aside; header values are text, "" where there was none.

    ``place`` is the one among the connections that is reserved for it.
    """

    method: str
    http_version: str
    version: str
    key: str
    origin: str | None
    subprotocols: str
    path: str
    remote_addr: str
    is_supported: bool
    extensions: str = ""
    acceptance: object = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class TakenOver:
    """The socket of a request, now ours: ``buffered`` was read beyond the request.

    ``is_detached`` says that the server has forgotten the socket, so its greenlet may go;
    otherwise it must stay until the socket is closed. ``leave`` is what the WSGI application does
    at the very end.
    """

    sock: Any
    buffered: bytes
    is_detached: bool
    leave: Callable[[], Iterable[bytes]]


class Left:
    """What the application answers where the server must not write after it.

    An error that says the client is gone makes pywsgi and gunicorn write their line in the access
    log, leave the socket alone and read no further request.
    """

    def __iter__(self) -> Iterator[bytes]:
        raise BrokenPipeError(errno.EPIPE, "this connection is the relay's now")


def set_aside(environ: Environ) -> Upgrade | None:
    """Take the upgrade out of the environ; None when the request asks for none."""
    if not wants_websocket(environ.get("HTTP_UPGRADE", ""), environ.get("HTTP_CONNECTION", "")):
        return None
    environ.pop("HTTP_UPGRADE")
    environ.pop("HTTP_CONNECTION")
    if not environ.get("wsgi.input_terminated", True):
        # Werkzeug looks only whether the key is there, and a view that reads the body of an
        # upgrade request would wait for the client to close.
        environ.pop("wsgi.input_terminated")
    upgrade = Upgrade(
        method=environ["REQUEST_METHOD"],
        http_version=environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
        version=environ.get("HTTP_SEC_WEBSOCKET_VERSION", ""),
        key=environ.get("HTTP_SEC_WEBSOCKET_KEY", ""),
        origin=environ.get("HTTP_ORIGIN"),
        subprotocols=environ.get("HTTP_SEC_WEBSOCKET_PROTOCOL", ""),
        path=path_of(environ),
        remote_addr=environ.get("REMOTE_ADDR", ""),
        is_supported=can_take_over(environ),
        extensions=environ.get("HTTP_SEC_WEBSOCKET_EXTENSIONS", ""),
    )
    environ[UPGRADE] = upgrade
    return upgrade


def can_take_over(environ: Environ) -> bool:
    """Whether the server gives its socket away."""
    return _way(environ) is not None


def take_over(environ: Environ, status: str = SWITCHING) -> TakenOver:
    """Take the socket away from the server; raises UnsupportedServer.

    ``status`` is what the server's access log says of the request.
    """
    way = _way(environ)
    if way is None:
        raise UnsupportedServer(str(environ.get("SERVER_SOFTWARE") or "this WSGI server"))
    return way(environ, status)


def has_left(taken: TakenOver) -> bool:
    """Whether the client has closed its side already; TLS does not tell."""
    if taken.buffered or is_tls(taken.sock):
        return False
    try:
        return not taken.sock.recv(1, std_socket.MSG_PEEK | std_socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True


def path_of(environ: Environ) -> str:
    """Return the whole path of a request as text."""
    # WSGI hands over its bytes as Latin-1.
    path: str = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _way(environ: Environ) -> Callable[[Environ, str], TakenOver] | None:
    if TAKE_OVER in environ:
        return _from_our_handler
    sock = environ.get("gunicorn.socket")
    if isinstance(sock, gevent_socket.socket) or is_tls(sock):
        return _from_gunicorn
    raw = getattr(_file(environ), "raw", None)
    if isinstance(getattr(raw, "_sock", None), gevent_socket.socket):
        return _from_pywsgi
    return None


def _file(environ: Environ) -> Any:
    # What pywsgi reads from: bare for an upgrade request, else within its Input.
    found = environ.get("wsgi.input")
    return getattr(found, "rfile", found)


def _from_our_handler(environ: Environ, status: str) -> TakenOver:
    taken: TakenOver = environ[TAKE_OVER](status)
    return taken


def _from_gunicorn(environ: Environ, status: str) -> TakenOver:
    # gunicorn's own HTTP parser has read the request.
    reader = environ["wsgi.input"].reader
    unreader = reader.unreader if hasattr(reader, "unreader") else reader.req.unreader
    take_buffered = getattr(unreader, "take_buffered", None)
    buffered = take_buffered() if take_buffered else unreader.buf.getvalue()
    sock, is_detached = detach(environ["gunicorn.socket"])
    return TakenOver(sock, buffered, is_detached, Left)


def _from_pywsgi(environ: Environ, status: str) -> TakenOver:
    rfile = _file(environ)
    sock = rfile.raw._sock
    buffered = read_buffered(rfile, sock)
    sock, is_detached = detach(sock)
    return TakenOver(sock, buffered, is_detached, Left)


def detach(sock: Any) -> tuple[Any, bool]:
    """Return (a socket the server does not know, True); TLS keeps its state: (sock, False)."""
    if is_tls(sock):
        return sock, False
    # gevent's own sockets bring two watchers along that nothing here uses.
    return RawSocket(sock.family, sock.type, sock.proto, fileno=sock.detach()), True


def read_buffered(rfile: Any, sock: Any) -> bytes:
    """Return what a buffered reader holds of ``sock`` beyond the request, without waiting."""
    timeout = sock.gettimeout()
    sock.settimeout(0.0)
    try:
        held = len(rfile.peek(1))
        return bytes(rfile.read1(held)) if held else b""
    except (BlockingIOError, ssl.SSLWantReadError, ConnectionError):
        # Nothing is held; whether the client is there at all is asked next.
        return b""
    finally:
        sock.settimeout(timeout)
