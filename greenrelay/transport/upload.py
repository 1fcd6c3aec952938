"""The bodies of requests and answers on pywsgi's sockets, each wait with an end.

Source: HTTP, "Entries", ``timeouts.read``, ``timeouts.write`` and ``limits.body_size``. pywsgi
waits for ever for a client that stops sending or stops reading, and reads what a view has left of
a request's body to its end however much that is. A timeout here is for each wait and not for the
whole, so that a large body may come over a slow line.
"""

from __future__ import annotations

import errno
from typing import Any

from gevent.pywsgi import Input

# What a view leaves unread of a body is read for the sake of the next request, up to this much.
REST = 256 * 1024
_PIECE = 16 * 1024


class Upload(Input):
    """The body of a request; ``is_abandoned`` once its rest is not worth reading.

    ``sock`` is where it comes from, and each wait for it lasts ``timeout`` seconds at most, None
    is for ever.
    """

    _chunked_input_error: bool

    def __init__(self, source: Input, sock: Any, timeout: float | None) -> None:
        super().__init__(source.rfile, source.content_length, source.socket, source.chunked_input)
        self.is_abandoned = False
        self._client = sock
        self._timeout = timeout

    def read(self, length: int | None = None) -> bytes:
        """Read; raises TimeoutError for a client that sends nothing for too long."""
        return self._within(super().read, length)

    def readline(self, size: int | None = None) -> bytes:
        """Read one line, as ``read``."""
        return self._within(super().readline, size)

    def _within(self, read: Any, size: int | None) -> bytes:
        sock = self._client
        before = sock.gettimeout()
        sock.settimeout(self._timeout)
        try:
            data: bytes = read(size)
        finally:
            sock.settimeout(before)
        return data

    def _discard(self) -> None:
        """Read what the view has left, for the next request; give up where that is too much."""
        if self._is_done():
            return
        # A client that was not asked to go on has sent nothing yet.
        is_asked = self.socket is None
        left = REST if self.chunked_input else (self.content_length or 0) - self.position
        self.is_abandoned = not is_asked or left > REST
        while not self.is_abandoned:
            try:
                data = self.read(_PIECE)
            except OSError:
                self.is_abandoned = True
                return
            if not data:
                return
            left -= len(data)
            self.is_abandoned = left < 0

    def _is_done(self) -> bool:
        if self._chunked_input_error:
            self.is_abandoned = True
            return True
        if self.chunked_input:
            return bool(self.chunk_length == 0)
        return self.position >= (self.content_length or 0)


def write_all(sock: Any, data: Any) -> None:
    """Send all of ``data``; raises BrokenPipeError when the client takes none for too long.

    How long that is says the timeout of the socket, here for each piece. The error is what servers
    take for a client that has left.
    """
    try:
        sent = sock.send(data)
        with memoryview(data) as view:
            while sent < len(view):
                sent += sock.send(view[sent : sent + REST])
    except TimeoutError as error:
        raise BrokenPipeError(errno.EPIPE, "the client does not read its answer") from error
