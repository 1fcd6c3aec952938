"""The head of an HTTP request, read within a deadline and up to a size.

Source: WebSocket Relay, "Options", row ``wsrelay.handshake.timeout``; HTTP, "Entries",
``timeouts.read`` and ``limits.header_size``. gevent's WSGI server waits for a head for ever,
however slowly it comes, and takes megabytes of it: here a head that is late is answered with 408
and one that is too large with 431.

Theory. The deadline of a connection's first head runs from the moment the connection is accepted,
that of each later one from its first byte: between requests a connection may wait.
"""

from __future__ import annotations

import contextlib
import socket as std_socket
from typing import Any

import gevent

HEAD_TIMEOUT = 10.0
HEAD_SIZE = 16 * 1024
# How long a client whose head was refused may take to stop sending, so that it sees the answer.
LINGER = 2.0
_PIECE = 65536


class HeadTooLarge(ValueError):
    """The header fields of a request are larger than the server takes."""


class Fields:
    """The lines of the header fields; raises HeadTooLarge once they are more than ``limit``."""

    __slots__ = ("_file", "_left")

    def __init__(self, file: Any, limit: int) -> None:
        self._file = file
        self._left = limit

    def readline(self, size: int = -1) -> bytes:
        """Read one line, as a file does."""
        most = self._left + 1
        line: bytes = self._file.readline(most if size < 0 else min(size, most))
        self._left -= len(line)
        if self._left < 0:
            raise HeadTooLarge("the header fields are larger than the server takes")
        if b"\0" in line or b"\r" in line.removesuffix(b"\r\n"):
            # Python's parser takes a bare CR for the end of a field, a proxy for a part of it.
            raise ValueError("a header field has a bare carriage return or a NUL in it")
        return line


def answer(status: str) -> bytes:
    """Return the whole answer to a head that was refused."""
    lines = (f"HTTP/1.1 {status}", "Connection: close", "Content-Length: 0", "", "")
    return "\r\n".join(lines).encode()


def _silent(seconds: float) -> gevent.Timeout:
    return gevent.Timeout(seconds, False)  # type: ignore[arg-type]  # gevent's own idiom


def send_away(sock: Any, data: bytes) -> None:
    """Send the last answer and let the client stop sending; the caller closes the socket.

    Closing at once, with bytes of the client unread, would reset the connection, and the client
    would not see the answer. What it sends is thrown away piece by piece.
    """
    with contextlib.suppress(OSError), _silent(LINGER):
        sock.sendall(data)
        sock.shutdown(std_socket.SHUT_WR)
        while sock.recv(_PIECE):
            pass
