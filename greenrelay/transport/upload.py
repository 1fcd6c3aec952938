"""The bodies of requests and answers on pywsgi's sockets, each wait with an end.

Source: HTTP, "Entries", ``timeouts.read``, ``timeouts.write`` and ``limits.body_size``. pywsgi
waits for ever for a client that stops sending or stops reading, and reads what a view has left of
a request's body to its end however much that is. A timeout here is for each wait and not for the
whole, so that a large body may come over a slow line.

A body in chunks may be here already, all of it, and then nothing of it waits: others get a turn now
and then. What pywsgi reads of a chunk besides its data it reads byte by byte.
"""

from __future__ import annotations

import errno
from typing import Any

import gevent
from gevent.pywsgi import Input, _InvalidClientInput  # type: ignore[attr-defined]

# What a view leaves unread of a body is read for the sake of the next request, up to this much.
REST = 256 * 1024
_PIECE = 16 * 1024
# So many chunks are read until others have a turn.
TURN = 16
# So many lines may follow the last chunk; nobody reads them.
MOST_TRAILERS = 32


class Upload(Input):
    """The body of a request; ``is_abandoned`` once its rest is not worth reading.

    ``sock`` is where it comes from, and each wait for it lasts ``timeout`` seconds at most, None
    is for ever.
    """

    _chunked_input_error: bool

    def __init__(self, source: Input, sock: Any, timeout: float | None) -> None:
        super().__init__(source.rfile, source.content_length, source.socket, source.chunked_input)
        self.is_abandoned = False
        self._chunks = self._trailers = 0
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

    # The next two have the names that Python gives what is private to Input, which calls the first
    # for each chunk and the second for each line behind the last. The stubs know neither.

    def _Input__read_chunk_length(self, rfile: Any) -> int:
        self._chunks += 1
        if self._chunks % TURN == 0:
            give_way()
        try:
            length: int = super()._Input__read_chunk_length(rfile)  # type: ignore[misc]
        except ValueError as error:
            # What Python says of a number without a digit.
            self._chunked_input_error = True
            raise _InvalidClientInput("a chunk has no size") from error
        except OSError:
            # Where the next request begins is not known any more.
            self._chunked_input_error = True
            raise
        return length

    def _Input__read_chunk_trailer(self, rfile: Any) -> bool:
        is_line = bool(super()._Input__read_chunk_trailer(rfile))  # type: ignore[misc]
        self._trailers += is_line
        if self._trailers > MOST_TRAILERS:
            raise _InvalidClientInput(f"more than {MOST_TRAILERS} lines follow the last chunk")
        return is_line

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


def give_way() -> None:
    """Let others run before more is done for one client."""
    hub = gevent.get_hub()
    # Not a callback, as of ``sleep(0)``: of those gevent runs many before it looks at a socket.
    timer: Any = hub.loop.timer(0)
    with timer:
        hub.wait(timer)


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
