"""A client that may do anything to a server: bare frames over a bare socket."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping

from tests.servers.conftest import Site
from tests.servers.http import upgrade_request

FINAL, MASKED = 0x80, 0x80
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
COMPRESSED = 0x40
TIMEOUT = 20.0


def head(opcode: int, size: int, *, final: bool = True, masked: bool = True) -> bytes:
    """Return the head of a frame, under the mask 0, whatever may follow it."""
    first = opcode | (FINAL if final else 0)
    mask_bit = MASKED if masked else 0
    if size < 126:
        top = struct.pack("!BB", first, mask_bit | size)
    elif size < 65536:
        top = struct.pack("!BBH", first, mask_bit | 126, size)
    else:
        top = struct.pack("!BBQ", first, mask_bit | 127, size)
    return top + (bytes(4) if masked else b"")


def frame(opcode: int, payload: bytes = b"", *, final: bool = True, masked: bool = True) -> bytes:
    """Return a whole frame."""
    return head(opcode, len(payload), final=final, masked=masked) + payload


class RawClient:
    """One connection after its handshake."""

    def __init__(self, sock: socket.socket, early: bytes) -> None:
        self.sock = sock
        self._buffer = bytearray(early)

    def send(self, data: bytes) -> None:
        """Send bytes; a server that has had enough of them may close meanwhile."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.sock.sendall(data)

    def read_frame(self) -> tuple[int, bytes] | None:
        """Return opcode and payload of the next frame of the server; None at the end of TCP."""
        if not self._fill(2):
            return None
        first, size = self._buffer[0], self._buffer[1]
        start = 2
        if size > 125:
            start = 4 if size == 126 else 10
            assert self._fill(start)
            size = int.from_bytes(self._buffer[2:start])
        assert self._fill(start + size), "the server has closed in the middle of a frame"
        payload = bytes(self._buffer[start : start + size])
        del self._buffer[: start + size]
        return first & 0x0F, payload

    def close_code(self) -> int:
        """Read to the end of TCP; return the code of the close frame, 1006 if there was none."""
        code = 1006
        while (found := self.read_frame()) is not None:
            if found[0] == CLOSE:
                code = int.from_bytes(found[1][:2]) if found[1] else 1005
        return code

    def _fill(self, count: int) -> bool:
        while len(self._buffer) < count:
            try:
                data = self.sock.recv(1 << 20)
            except ConnectionResetError:
                return False
            if not data:
                return False
            self._buffer += data
        return True


@contextlib.contextmanager
def raw_client(
    site: Site,
    path: str = "/ws/echo",
    *,
    headers: Mapping[str, str] | None = None,
    receive_buffer: int = 0,
) -> Iterator[RawClient]:
    """Open a WebSocket by hand; ``receive_buffer`` bounds what the kernel takes unread."""
    with socket.socket() as sock:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(TIMEOUT)
        sock.connect(site.host_and_port)
        sock.sendall(upgrade_request(path, headers))
        answer = b""
        while b"\r\n\r\n" not in answer:
            data = sock.recv(65536)
            assert data, f"the server has closed after {answer!r}"
            answer += data
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        yield RawClient(sock, answer.partition(b"\r\n\r\n")[2])
