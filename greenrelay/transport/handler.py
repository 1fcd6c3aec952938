"""Request handlers for pywsgi servers that let the application decide on an upgrade.

Source: HTTP, "Servers it must run on". gevent-websocket's handler shakes hands before the
application runs; this one leaves a callable in the environ that gives the socket away once the
application wants it. ``environ["wsgi.websocket"]`` is there as well for code written for
gevent-websocket: it shakes hands on first use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gevent.pywsgi import WSGIHandler
from geventwebsocket.exceptions import WebSocketError
from geventwebsocket.handler import WebSocketHandler

from greenrelay.transport.upgrade import TAKE_OVER, TakenOver, detach, read_buffered
from greenrelay.websocket.handshake import check, wants_websocket


class RelayHandler(WebSocketHandler):  # type: ignore[misc]
    """A pywsgi handler whose sockets a relay can take; also the door of gevent-websocket."""

    socket: Any

    def get_environ(self) -> dict[str, Any]:
        """Return the environ with the way to the socket in it."""
        environ: dict[str, Any] = super().get_environ()
        upgrade = environ.get("HTTP_UPGRADE", "")
        if wants_websocket(upgrade, environ.get("HTTP_CONNECTION", "")):
            environ[TAKE_OVER] = self.take_over
            environ["wsgi.websocket"] = LateWebSocket(self)
            environ["wsgi.websocket_version"] = environ.get("HTTP_SEC_WEBSOCKET_VERSION", "")
        return environ

    def run_application(self) -> None:
        """Run the application; whether there is an upgrade is up to it."""
        try:
            WSGIHandler.run_application(self)
        finally:
            late = self.environ.pop("wsgi.websocket", None)
            if late is not None and late.is_open:
                late.close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Start the HTTP response; after a handshake there is none any more."""
        if self.is_upgraded:
            return lambda data: None
        writer: Callable[[bytes], object] = super().start_response(status, headers, exc_info)
        return writer

    def process_result(self) -> None:
        """Write the HTTP response; after a handshake there is none any more."""
        if self.is_upgraded:
            for _ in self.result:
                pass
        else:
            super().process_result()

    @property
    def is_upgraded(self) -> bool:
        """Whether the request has become a WebSocket."""
        return getattr(self, "_upgraded", False)

    def take_over(self) -> TakenOver:
        """Give the socket away: to the server the request is over, answered with 101."""
        buffered = read_buffered(self.rfile, self.socket)
        sock, is_detached = detach(self.socket)
        self._mark_upgraded()
        if is_detached:
            self.socket = None
        return TakenOver(sock, buffered, is_detached, list)

    def shake_hands(self) -> Any:
        """Upgrade in gevent-websocket's own way and return its WebSocket."""
        environ = self.environ
        refusal = check(
            environ["REQUEST_METHOD"],
            self.request_version,
            environ.get("HTTP_SEC_WEBSOCKET_VERSION", ""),
            environ.get("HTTP_SEC_WEBSOCKET_KEY", ""),
        )
        if refusal is not None:
            raise WebSocketError(refusal.reason)
        late = environ.get("wsgi.websocket")
        self.upgrade_connection()
        environ["wsgi.websocket"] = late
        self.write(b"")
        self._mark_upgraded()
        return self.websocket

    def log_request(self) -> None:
        """Log the request the way the server does, an upgrade too."""
        WSGIHandler.log_request(self)

    def _mark_upgraded(self) -> None:
        self._upgraded = True
        self.close_connection = True
        self.headers_sent = True
        self.status = "101 Switching Protocols"
        self.code = 101
        self.response_headers: list[tuple[str, str]] = []


class LateWebSocket:
    """gevent-websocket's WebSocket, made by a handshake when it is first used."""

    def __init__(self, handler: RelayHandler) -> None:
        self._handler = handler
        self._socket: Any = None

    @property
    def is_open(self) -> bool:
        """Whether the handshake was made and the socket is not closed since."""
        return self._socket is not None and not self._socket.closed

    def __getattr__(self, name: str) -> Any:
        if self._socket is None:
            self._socket = self._handler.shake_hands()
        return getattr(self._socket, name)
