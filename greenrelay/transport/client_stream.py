"""Reading and writing a socket that does not block, in a greenlet that waits for it.

Plain or TLS, gevent's or the standard library's: whatever the TLS context of the caller made of
it, only the greenlet waits. Deadlines are the caller's: see ``deadline.py``.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, TypeVar

from gevent.socket import wait_read, wait_write

from greenrelay.errors import HandshakeFailed
from greenrelay.websocket.client_handshake import MAX_HEAD_SIZE

T = TypeVar("T")

_PIECE = 16_384
_END = b"\r\n\r\n"
_BEGINNING = b"HTTP/1."


def when_ready(sock: Any, function: Callable[[], T]) -> T:
    """Return what ``function`` returns once ``sock`` lets it: it is called again and again."""
    while True:
        try:
            return function()
        except (BlockingIOError, ssl.SSLWantReadError):
            wait_read(sock.fileno())
        except ssl.SSLWantWriteError:
            wait_write(sock.fileno())


def receive(sock: Any) -> bytes:
    """Return what comes next, b"" at the end; raises OSError."""
    data: bytes = when_ready(sock, lambda: sock.recv(_PIECE))
    return data


def send_all(sock: Any, data: bytes) -> None:
    """Send all of ``data``; raises OSError."""
    left = memoryview(data)
    while left:
        try:
            count = sock.send(left)
        except BlockingIOError:
            count = 0
        except ssl.SSLWantReadError:
            wait_read(sock.fileno())
            continue
        except ssl.SSLWantWriteError:
            count = 0
        if not count:
            wait_write(sock.fileno())
        left = left[count:]


def read_head(sock: Any, data: bytes = b"") -> tuple[bytes, bytes]:
    """Return an HTTP head up to its empty line, and what came after it.

    ``data`` is what is there already. Raises HandshakeFailed for what is no HTTP, as soon as that
    is seen, for one over MAX_HEAD_SIZE and for one that is cut off.
    """
    while (end := data.find(_END)) < 0:
        if not _BEGINNING.startswith(data[: len(_BEGINNING)]) and data[:7] != _BEGINNING:
            raise HandshakeFailed(0, data[:1024], f"{data[:80]!r} is no HTTP")
        if len(data) > MAX_HEAD_SIZE:
            raise HandshakeFailed(0, b"", f"its head is over {MAX_HEAD_SIZE} bytes")
        try:
            piece = receive(sock)
        except OSError as error:
            why = f"the connection was lost before it: {error.strerror or error}"
            raise HandshakeFailed(0, data[:1024], why) from error
        if not piece:
            raise HandshakeFailed(0, data[:1024], "the connection was closed before it")
        data += piece
    return data[:end], data[end + len(_END) :]
