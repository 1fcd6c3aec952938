"""Request handlers for pywsgi servers that let the application decide on an upgrade.

Source: HTTP, "Servers it must run on". gevent-websocket's handler shakes hands before the
application runs; this one leaves a callable in the environ that gives the socket away once the
application wants it. ``environ["wsgi.websocket"]`` is there as well for code written for
gevent-websocket: it shakes hands on first use.

A handler tells its server, a ``greenrelay.transport.server.Listener``, when it waits for another
request and when it has become a WebSocket of the old way, so that both can be told of the end.
"""

from __future__ import annotations

import contextlib
import logging
import socket as std_socket
from collections.abc import Callable
from http.client import HTTPException
from typing import Any
from weakref import WeakSet

import gevent
from gevent.pywsgi import Input, WSGIHandler
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import Client, WebSocketHandler

from greenrelay.printable import printable
from greenrelay.transport.attendance import CLIENT_SOCKET
from greenrelay.transport.framing import check_framing, settle_target
from greenrelay.transport.head import (
    HEAD_SIZE,
    HEAD_TIMEOUT,
    Fields,
    HeadTooLarge,
    answer,
    send_away,
)
from greenrelay.transport.upgrade import (
    SWITCHING,
    TAKE_OVER,
    TakenOver,
    detach,
    read_buffered,
)
from greenrelay.transport.upload import Upload, give_way, write_all
from greenrelay.websocket.frames import CLOSE, close_payload
from greenrelay.websocket.handshake import check, wants_websocket

log = logging.getLogger("greenrelay.transport")

# Where the server is not a Listener, nobody tells the WebSockets that it stops.
_NOBODY: WeakSet[LateWebSocket] = WeakSet()
GOING_AWAY = close_payload(1012, "drain")
# So many requests of one connection are answered until others have a turn.
TURN = 8


class RelayHandler(WebSocketHandler):  # type: ignore[misc]
    """A pywsgi handler whose sockets a relay can take; also the door of gevent-websocket."""

    socket: Any
    server: Any
    wsgi_input: Any
    code: int | None
    request_version: str | None
    path: str
    headers: Any
    is_upgraded = False
    _deadline: gevent.Timeout | None = None
    _has_begun = False
    _is_kept_alive = False
    _request_count = 0

    # between requests

    def handle_one_request(self) -> Any:
        """Read a request and answer it; what pywsgi then does is said by the value."""
        self._has_begun = False
        is_first = self._deadline is None
        seconds = getattr(self.server, "head_timeout", HEAD_TIMEOUT) or None
        deadline = self._deadline = gevent.Timeout(seconds)
        if is_first:
            deadline.start()
        try:
            return super().handle_one_request()
        except gevent.Timeout as timeout:
            if timeout is not deadline:
                raise
            return self._refuse_head("408 Request Timeout") if self._has_begun else None
        finally:
            deadline.close()

    def read_requestline(self) -> str:
        """Wait for the next request; "" ends the connection."""
        if not self._wait_for_first_byte():
            return ""
        self._has_begun = True
        if self._deadline is not None and not self._deadline.pending:
            self._deadline.start()
        return str(super().read_requestline())

    def read_request(self, raw_requestline: str) -> bool:
        """Read the rest of the head."""
        is_read = bool(super().read_request(raw_requestline))
        self.path = settle_target(self.path, self.request_version or "", self.headers)
        if self._deadline is not None:
            self._deadline.close()
        return is_read

    def MessageClass(self, rfile: Any, *args: Any) -> Any:
        """Read the header fields, up to the server's limit; raises ValueError for bad ones."""
        limit = getattr(self.server, "head_size", HEAD_SIZE)
        message = super().MessageClass(Fields(rfile, limit), *args)
        check_framing(message)
        return message

    def _wait_for_first_byte(self) -> bool:
        self._request_count += 1
        if self._request_count % TURN == 0:
            # A client that pipelines has sent the next one already, and then nothing here waits.
            give_way()
        waiting = getattr(self.server, "waiting", None)
        if waiting is None:
            return bool(self.rfile.peek(1))
        if self.server.closed:
            return False
        if self._is_kept_alive:
            self.socket.settimeout(self.server.idle_timeout or None)
        waiting.add(self)
        try:
            # One that is late is an OSError, as a connection that is lost.
            return bool(self.rfile.peek(1))
        finally:
            waiting.discard(self)
            self._is_kept_alive = True
            self.socket.settimeout(self.server.write_timeout or None)

    def _handle_client_error(self, ex: Exception) -> Any:
        # What Python's parser raises for lines that are too many or too long.
        if isinstance(ex, (HeadTooLarge, HTTPException)):
            return self._refuse_head("431 Request Header Fields Too Large")
        return super()._handle_client_error(ex)

    def _refuse_head(self, status: str) -> None:
        # No line of the access log: there is no request it could be about.
        log.info("%s: the head of a request was refused: %s", self.client_address, status)
        send_away(self.socket, answer(status))

    def hang_up(self) -> None:
        """End a connection that waits for its next request."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(std_socket.SHUT_RD)

    # one request

    def get_environ(self) -> dict[str, Any]:
        """Return the environ with the way to the socket in it."""
        environ: dict[str, Any] = super().get_environ()
        environ[CLIENT_SOCKET] = self.socket
        environ[TAKE_OVER] = self.take_over
        if self.wsgi_input.chunked_input or self.wsgi_input.content_length:
            seconds = getattr(self.server, "head_timeout", HEAD_TIMEOUT) or None
            upload = Upload(self.wsgi_input, self.socket, seconds)
            self.wsgi_input = environ["wsgi.input"] = upload
        upgrade = environ.get("HTTP_UPGRADE", "")
        if upgrade and wants_websocket(upgrade, environ.get("HTTP_CONNECTION", "")):
            # pywsgi hands out the bare socket file here, and a view that reads the body of its
            # request would wait for the client to close. take_over uses the file itself.
            environ["wsgi.input"] = self.wsgi_input
            environ["wsgi.input_terminated"] = True
            if self._could_shake_hands(environ):
                environ["wsgi.websocket"] = LateWebSocket(self)
                environ["wsgi.websocket_version"] = environ["HTTP_SEC_WEBSOCKET_VERSION"]
        return environ

    def run_application(self) -> None:
        """Run the application; whether there is an upgrade is up to it."""
        # The application may take it out of its environ, which is the same object.
        late = self.environ.get("wsgi.websocket")
        try:
            WSGIHandler.run_application(self)
        finally:
            # Both hold on to this handler, which holds on to its environ.
            self.environ.pop("wsgi.websocket", None)
            self.environ.pop(TAKE_OVER, None)
            self.environ.pop(CLIENT_SOCKET, None)
            if late is not None:
                late.leave()

    def handle_one_response(self) -> None:
        """Answer the request; one whose body nobody wants to read is the connection's last."""
        super().handle_one_response()
        if isinstance(self.wsgi_input, Upload) and self.wsgi_input.is_abandoned:
            self.close_connection = True
            send_away(self.socket, b"")

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Start the HTTP response; after a handshake there is none any more."""
        if self.is_upgraded:
            return lambda data: None
        # Not gevent-websocket's own, which takes every answer to an upgrade request for a 101.
        return WSGIHandler.start_response(self, status, headers, exc_info)

    def finalize_headers(self) -> None:
        """Complete the headers; a server that has closed says that this was the last response."""
        super().finalize_headers()
        if self.command == "HEAD":
            # Not even the chunk that ends a body: to the client it would begin the next answer.
            self.response_use_chunked = False
        if getattr(self.server, "closed", False) and self.code != 101:
            self.close_connection = True
            self.response_headers.append((b"Connection", b"close"))

    def process_result(self) -> None:
        """Write the HTTP response; after a handshake there is none any more."""
        if self.is_upgraded:
            for _ in self.result:
                pass
        else:
            super().process_result()

    def _sendall(self, data: Any) -> None:
        try:
            write_all(self.socket, data)
        except OSError as error:
            self.status = f"socket error: {error}"
            self.code = -abs(self.code or 0)
            raise
        self.response_length += len(data)

    def log_request(self) -> None:
        """Log the request the way the server does, an upgrade too."""
        WSGIHandler.log_request(self)

    def log_error(self, msg: str, *args: object) -> None:
        """Log what was wrong with a request: the client's error, and none of ours."""
        log.warning("%s: %s", self.client_address, msg % args if args else msg)

    def format_request(self) -> str:
        """Return the line of the access log; the logger adds the time."""
        client = self.client_address
        host = client[0] if isinstance(client, tuple) else client
        status = (self._orig_status or self.status or "000").split()[0]
        took = (self.time_finish or self.time_start) - self.time_start
        size = self.response_length or "-"
        asked = printable(self.requestline or "")
        return f'{host or "-"} "{asked}" {status} {size} {took * 1000:.1f}ms'

    # upgrades

    def take_over(self, status: str = SWITCHING) -> TakenOver:
        """Give the socket away: to the server the request is over, answered with ``status``."""
        self.socket.settimeout(None)
        buffered = read_buffered(self.rfile, self.socket)
        sock, is_detached = detach(self.socket)
        self._mark_upgraded(status)
        if is_detached:
            self.socket = None
        return TakenOver(sock, buffered, is_detached, list)

    def shake_hands(self) -> Any:
        """Upgrade in gevent-websocket's own way and return its WebSocket."""
        late = self.environ.get("wsgi.websocket")
        self.socket.settimeout(None)
        self.upgrade_connection()
        self._prepare_response()
        self.environ["wsgi.websocket"] = late
        self.write(b"")
        self._mark_upgraded()
        # What gevent-websocket's documentation shows for a broadcast.
        self.server.clients = getattr(self.server, "clients", {})
        self.server.clients[self.client_address] = Client(self.client_address, self.websocket)
        return self.websocket

    def _could_shake_hands(self, environ: dict[str, Any]) -> bool:
        # As with gevent-websocket, a view gets no WebSocket that cannot be one.
        method, version = environ["REQUEST_METHOD"], environ.get("HTTP_SEC_WEBSOCKET_VERSION", "")
        key = environ.get("HTTP_SEC_WEBSOCKET_KEY", "")
        return check(method, self.request_version or "", version, key) is None

    def _mark_upgraded(self, status: str = SWITCHING) -> None:
        self.is_upgraded = True
        self.close_connection = True
        self.headers_sent = True
        self.status = self._orig_status = status
        self.code = int(status.split()[0])
        self.response_headers: list[tuple[bytes, bytes]] = []
        # There is no body to be read to its end, nor anything that could be read.
        self.wsgi_input = Input(self.rfile, 0)

    def _send_error_response_if_possible(self, error_code: int) -> None:
        if not self.is_upgraded:
            super()._send_error_response_if_possible(error_code)


class LateWebSocket:
    """gevent-websocket's WebSocket, made by a handshake when it is first used."""

    def __init__(self, handler: RelayHandler) -> None:
        self._handler = handler
        self._socket: Any = None

    def __getattr__(self, name: str) -> Any:
        # Whoever copies or prints an environ asks for such names, and wants no handshake.
        if name.startswith("__"):
            raise AttributeError(name)
        if self._socket is None:
            self._socket = self._handler.shake_hands()
            getattr(self._handler.server, "websockets", _NOBODY).add(self)
        return getattr(self._socket, name)

    def go_away(self) -> None:
        """Tell the client that the server stops; its answer ends the view's ``receive``."""
        # WebSocket.close drops the code, and would let nobody read the answer.
        with contextlib.suppress(WebSocketError, OSError, TypeError):
            self._socket.send_frame(GOING_AWAY, CLOSE)

    def leave(self) -> None:
        """The view has returned: close what it has not closed."""
        if self._socket is None:
            return
        server = self._handler.server
        server.clients.pop(self._handler.client_address, None)
        getattr(server, "websockets", _NOBODY).discard(self)
        if not self._socket.closed:
            self._socket.close()
