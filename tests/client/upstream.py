"""A server on loopback that does what a test says, byte by byte, right or wrong.

::

    with upstream(echo) as url, connect(url) as client:
        client.send("hello")

What a script does not do, the server does not: it neither answers a handshake nor a close frame.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from struct import pack, unpack
from typing import Any

from gevent.event import Event
from gevent.pool import Pool
from gevent.server import StreamServer
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # not in its __all__
from websockets.utils import accept_key

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Gone(Exception):
    """The client has closed the connection."""


class Peer:
    """The server's end of one connection; ``head`` is the request once it is read."""

    def __init__(self, sock: Any, number: int, stop: Event) -> None:
        self.sock = sock
        self.number = number
        self.head = ""
        self._stop = stop
        self._data = b""

    def accept(self, *headers: str, then: bytes = b"") -> None:
        """Answer the handshake as one should; ``then`` goes out in the same write."""
        self.read_head()
        lines = [
            "HTTP/1.1 101 Switching Protocols",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Accept: {accept_key(self.header('Sec-WebSocket-Key'))}",
            *headers,
        ]
        self.write("\r\n".join([*lines, "", ""]).encode() + then)

    def read_head(self) -> None:
        """Read the request."""
        while b"\r\n\r\n" not in self._data:
            self._read()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        self.head = head.decode("latin-1")

    def header(self, name: str) -> str:
        """Return a header of the request; "" if it is absent."""
        found = [line for line in self.head.splitlines() if line.startswith(f"{name}: ")]
        return found[0].partition(": ")[2] if found else ""

    def write(self, data: bytes) -> None:
        """Send bytes as they are."""
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Gone from error

    def frame(self) -> tuple[int, bytes]:
        """Return opcode and payload of the next frame, which must be masked."""
        first, second = self._take(2)
        assert second & 0x80, "a frame of a client is masked"
        size = second & 0x7F
        if size == 126:
            size = unpack("!H", self._take(2))[0]
        elif size == 127:
            size = unpack("!Q", self._take(8))[0]
        mask = self._take(4)
        return first & 0x0F, apply_mask(self._take(size), mask)

    def frames(self) -> Iterator[tuple[int, bytes]]:
        """Return the frames until the client has closed TCP."""
        while True:
            yield self.frame()

    def hang(self) -> None:
        """Do nothing and read nothing until the test is over."""
        self._stop.wait()

    def reset(self) -> None:
        """Close with a reset."""
        self.sock.setsockopt(1, 13, pack("ii", 1, 0))
        self.sock.close()

    def _take(self, count: int) -> bytes:
        while len(self._data) < count:
            self._read()
        taken, self._data = self._data[:count], self._data[count:]
        return taken

    def _read(self) -> None:
        try:
            data = self.sock.recv(65536)
        except OSError as error:
            raise Gone from error
        if not data:
            raise Gone
        self._data += data


Script = Callable[[Peer], object]


class Upstream:
    """A server that can be stopped and started again on its port."""

    def __init__(self, script: Script, **tls: Any) -> None:
        self.script = script
        self.count = 0
        self.errors: list[Exception] = []
        self._tls = tls
        self._pool = Pool()
        self._stop = Event()
        self._server: Any = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'wss' if self._tls else 'ws'}://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Listen, on the port it had before."""
        self._stop.clear()
        address = ("127.0.0.1", self.port)
        self._server = StreamServer(address, self._serve, spawn=self._pool, **self._tls)
        self._server.start()
        self.port = self._server.server_port

    def stop(self) -> None:
        """Refuse connections and cut those that are open."""
        self._server.stop(timeout=0)
        self._stop.set()
        self._pool.kill()

    def _serve(self, sock: Any, _: Any) -> None:
        self.count += 1
        try:
            with suppress(Gone):
                self.script(Peer(sock, self.count, self._stop))
        except Exception as error:
            self.errors.append(error)


@contextmanager
def running(script: Script, **tls: Any) -> Iterator[Upstream]:
    """Run an upstream; fails if a script of it did."""
    server = Upstream(script, **tls)
    try:
        yield server
    finally:
        server.stop()
    assert server.errors == []


@contextmanager
def upstream(script: Script, **tls: Any) -> Iterator[str]:
    """Run an upstream; yields its URL."""
    with running(script, **tls) as server:
        yield server.url


def frame(opcode: int, payload: bytes | str = b"", *, final: bool = True, rsv: int = 0) -> bytes:
    """Return a frame as a server writes it."""
    data = payload.encode() if isinstance(payload, str) else payload
    first = (0x80 if final else 0) | rsv | opcode
    if len(data) < 126:
        return pack("!BB", first, len(data)) + data
    if len(data) < 65536:
        return pack("!BBH", first, 126, len(data)) + data
    return pack("!BBQ", first, 127, len(data)) + data


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame."""
    return frame(CLOSE, pack("!H", code) + reason.encode())


def echo(peer: Peer) -> None:
    """Accept, send back every message, answer pings and the closing handshake."""
    peer.accept()
    serve_echo(peer)


def serve_echo(peer: Peer) -> None:
    """Do what ``echo`` does after the handshake."""
    for opcode, payload in peer.frames():
        if opcode == PING:
            peer.write(frame(PONG, payload))
        elif opcode != PONG:
            peer.write(frame(opcode, payload))
        if opcode == CLOSE:
            return


def silent(peer: Peer) -> None:
    """Accept, and then do nothing."""
    peer.accept()
    peer.hang()
