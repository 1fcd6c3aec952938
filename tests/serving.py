"""A real server and a real WebSocket client for tests, both cooperative, on loopback.

The client is the sans-I/O protocol of ``websockets`` on a gevent socket: another implementation
than the one under test, in the same process, so that a test can look at both ends.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from ssl import PROTOCOL_TLS_SERVER
from typing import Any

import gevent
from flask import Flask
from gevent import socket
from gevent.ssl import SSLContext
from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State
from websockets.uri import parse_uri

from greenrelay.http.state import AppState, state_of
from greenrelay.transport.server import Server
from greenrelay.web import GreenRelay


@contextmanager
def relay_app(name: str, config: Any = None) -> Iterator[Flask]:
    """Make an app that can relay; at the end its node ends."""
    app = Flask(name)
    GreenRelay(app, config=config)
    yield app
    state_of(app).node.shutdown(0.5)


@contextmanager
def serving(app: Flask, *, certificate: tuple[str, str] | None = None) -> Iterator[str]:
    """Serve ``app`` on a free port; yields ``127.0.0.1:port``. Ends its node too.

    ``certificate`` is the paths of a certificate and its key: then it speaks TLS.
    """
    server = make_server(app, certificate)
    server.start()
    state = state_of(app)
    try:
        state.start()
        yield server.url.partition("://")[2]
    finally:
        server.close()
        stop_at_once(state)
        server.stop(timeout=1)


def make_server(app: Flask, certificate: tuple[str, str] | None = None) -> Server:
    """Return a server for ``app`` on a free port."""
    if certificate is None:
        return Server(app)
    server = Server(app, certificate=certificate[0], key=certificate[1])
    # Programs have patched the standard library; tests have not.
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    server._tls["ssl_context"] = context
    return server


def stop_at_once(state: AppState) -> None:
    """Close what is open without waiting for clients, and end every process."""
    for connection in state.connections:
        connection.drain_period = 0.5
    state.drain()
    state.node.shutdown(0.5)


def dial(address: str, timeout: float = 30.0, tls: SSLContext | None = None) -> Any:
    """Connect to ``host:port``, with TLS if ``tls`` says how; each wait is bounded."""
    host, _, port = address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=timeout)
    return sock if tls is None else tls.wrap_socket(sock, server_hostname=host)


def received(sock: Any) -> bytes:
    """Wait for bytes and return them; none when the server has closed, in whatever way."""
    try:
        data: bytes = sock.recv(65536)
    except ConnectionResetError:
        return b""
    return data


class Refused(Exception):
    """The handshake was answered with something else than 101."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.status_code)
        self.status = response.status_code
        self.headers = response.headers
        self.body = (response.body or b"").decode()


class WebSocketClient:
    """One client connection; waits are bounded by ``timeout`` in seconds."""

    def __init__(
        self,
        address: str,
        path: str,
        *,
        origin: str | None = None,
        subprotocols: Sequence[str] = (),
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,
        tls: SSLContext | None = None,
    ) -> None:
        self.timeout = timeout
        self.sock = dial(address, timeout, tls)
        self.protocol = ClientProtocol(
            parse_uri(f"ws://{address}{path}"),
            origin=origin,  # type: ignore[arg-type]
            subprotocols=subprotocols or None,  # type: ignore[arg-type]
            max_size=None,
        )
        self._frames: deque[Frame] = deque()
        try:
            self._shake_hands(headers or {})
        except BaseException:
            self.sock.close()
            raise

    def _shake_hands(self, headers: Mapping[str, str]) -> None:
        request: Request = self.protocol.connect()
        for name, value in headers.items():
            if name in request.headers:
                del request.headers[name]
            if value:
                request.headers[name] = value
        self.protocol.send_request(request)
        self._flush()
        while not (events := self.protocol.events_received()):
            self._read()
        response = events[0]
        assert isinstance(response, Response)
        self.response = response
        if self.protocol.state is not State.OPEN:
            raise Refused(response)
        self._frames.extend(e for e in events[1:] if isinstance(e, Frame))

    def _flush(self) -> None:
        for data in self.protocol.data_to_send():
            if data:
                self.sock.sendall(data)

    def _read(self) -> bool:
        data = received(self.sock)
        if data:
            self.protocol.receive_data(data)
        else:
            self.protocol.receive_eof()
        self._flush()
        return bool(data)

    def send(self, data: str | bytes) -> None:
        """Send a text or a binary message."""
        if isinstance(data, str):
            self.protocol.send_text(data.encode())
        else:
            self.protocol.send_binary(data)
        self._flush()

    def ping(self, data: bytes = b"") -> None:
        """Send a ping."""
        self.protocol.send_ping(data)
        self._flush()

    def frame(self) -> Frame | None:
        """Return the next frame, control frames too; None when the server has closed."""
        with gevent.Timeout(self.timeout):
            while not self._frames:
                is_more = self._read()
                events = self.protocol.events_received()
                self._frames.extend(e for e in events if isinstance(e, Frame))
                if not is_more and not self._frames:
                    return None
        return self._frames.popleft()

    def recv(self) -> str | bytes | None:
        """Return the next message (of one frame); None when the server has closed."""
        while (frame := self.frame()) is not None:
            if frame.opcode is Opcode.TEXT:
                return bytes(frame.data).decode()
            if frame.opcode is Opcode.BINARY:
                return bytes(frame.data)
        return None

    def recv_json(self) -> Any:
        """Return the next message, decoded from JSON."""
        message = self.recv()
        assert message is not None, f"closed with {self.close_code} {self.close_reason!r}"
        return json.loads(message)

    def wait_closed(self) -> tuple[int | None, str | None]:
        """Read until the server has closed TCP; return its close code and reason."""
        while self.frame() is not None:
            pass
        self.sock.close()
        return self.close_code, self.close_reason

    @property
    def close_code(self) -> int | None:
        """The code of the server's close frame, 1006 if TCP ended without one."""
        received = self.protocol.close_rcvd
        return received.code if received is not None else 1006

    @property
    def close_reason(self) -> str:
        """The reason of the server's close frame."""
        received = self.protocol.close_rcvd
        return received.reason if received is not None else ""

    def close(self, code: int = 1000, reason: str = "") -> tuple[int | None, str | None]:
        """Do a closing handshake; return what the server answered."""
        self.protocol.send_close(code, reason)
        self._flush()
        return self.wait_closed()

    def drop(self) -> None:
        """Cut TCP, as a killed tab does."""
        self.sock.close()


@contextmanager
def connected(address: str, path: str, **options: Any) -> Iterator[WebSocketClient]:
    """Connect; at the end drop what is not closed yet."""
    client = WebSocketClient(address, path, **options)
    try:
        yield client
    finally:
        client.drop()


def http(
    address: str,
    path: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    version: str = "HTTP/1.1",
) -> tuple[int, dict[str, str], str]:
    """Make one HTTP request; return status, headers (names in lower case) and body."""
    host, _, port = address.rpartition(":")
    fields = {"Host": address, "Connection": "close", **(headers or {})}
    head = f"{method} {path} {version}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in fields.items())
    with gevent.Timeout(30), socket.create_connection((host, int(port))) as sock:
        sock.sendall(head.encode() + b"\r\n")
        answer = b""
        while not _is_whole(answer, method) and (data := sock.recv(65536)):
            answer += data
    top, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = top.decode().split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    return int(status.split()[1]), {k.lower(): v for k, _, v in pairs}, body.decode()


def _is_whole(answer: bytes, method: str) -> bool:
    # A server may keep the connection of an upgrade request alive.
    top, end, body = answer.partition(b"\r\n\r\n")
    length = re.search(rb"\r\ncontent-length: (\d+)", top.lower())
    if not end:
        return False
    return method == "HEAD" or bool(length and len(body) >= int(length[1]))
