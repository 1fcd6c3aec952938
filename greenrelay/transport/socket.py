"""One client's socket: read by a callback on the hub, written directly.

Source: ``docs/architecture.md``, "The socket". A read is one ``recv`` per turn of the loop, so a
client that floods gets one turn like everybody else. A write goes straight to the kernel, from
whatever greenlet it is called in; only what the kernel does not take waits in the outbox until
the socket is writable. Nothing here waits, and nothing here knows what the bytes mean.

A system call costs more than all else that is done for a short message, so the answers to what
came in one read are joined: ``join_next`` announces so many writes, and those wait in ``_joined``
for the last of them, or for the end of this turn of the loop if fewer come. What is joined fits
in the outbox, so a write that was accepted is never refused later.
"""

from __future__ import annotations

import logging
import socket as std_socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import gevent
from gevent import ssl as gevent_ssl

from greenrelay.relay.outbox import Outbox

log = logging.getLogger("greenrelay.transport")

# Over 64 KiB, so that a frame of that size fits in one read with its head; under 128 KiB, where
# the allocator starts to map and unmap memory for each buffer.
READ_SIZE = 98_304
LINGER = 2.0
# Beyond, joining frames costs as much as it saves.
JOINED_FRAMES = 64
JOINED_BYTES = 32_768

_READ, _WRITE = 1, 2
_LIBUV = "gevent.libuv.watcher"
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# They are one class only after gevent.monkey.
_TLS = (ssl.SSLSocket, gevent_ssl.SSLSocket)


def is_tls(sock: object) -> bool:
    """Whether ``sock`` speaks TLS, so that its bytes are not those of the file descriptor."""
    return isinstance(sock, _TLS)


class Owner(Protocol):
    """Whom a ClientSocket serves: a connection."""

    def on_data(self, data: bytes) -> None:
        """Handle what was read."""

    def on_lost(self, reason: str) -> None:
        """Hear that TCP has ended, in either direction."""


class ClientSocket:
    """A connected socket and its owner.

    The owner's ``on_lost`` is called once, and never after ``finish`` or ``abort``. ``on_closed()``
    is called once when the file descriptor is closed. ``limits`` are how many frames and how many
    bytes may wait for the client.
    """

    __slots__ = (
        "_is_finishing",
        "_is_paused",
        "_joined",
        "_joined_bytes",
        "_joining",
        "_limits",
        "_linger_timer",
        "_outbox",
        "_owner",
        "_reader",
        "_sock",
        "_tls",
        "_writer",
        "bytes_in",
        "bytes_out",
        "is_open",
        "on_closed",
    )

    def __init__(
        self,
        sock: Any,
        owner: Owner,
        limits: tuple[int, int],
        on_closed: Callable[[], object] | None = None,
    ) -> None:
        self._tls = sock if is_tls(sock) else None
        sock.settimeout(0.0)
        # Of gevent's socket only what it wraps is of use here: its own watchers are not.
        self._sock = sock if self._tls else getattr(sock, "_sock", sock)
        _set_no_delay(sock)
        # Made when the kernel first refuses bytes, and let go when it has taken them all: nearly
        # every socket is without it nearly all the time. The same goes for the second watcher.
        self._outbox: Outbox | None = None
        self._limits = limits
        # How many of the next writes are joined, and those that are.
        self._joining = 0
        self._joined: list[bytes] | None = None
        self._joined_bytes = 0
        self._owner: Owner | None = owner
        self.on_closed = on_closed
        self.bytes_in = 0
        self.bytes_out = 0
        self.is_open = True
        self._is_finishing = False
        self._is_paused = False
        self._reader: Any = gevent.get_hub().loop.io(sock.fileno(), _READ)
        self._writer: Any = None
        self._linger_timer: Any = None

    def fileno(self) -> int:
        """The number of its file descriptor, -1 once that is closed."""
        number: int = self._sock.fileno()
        return number

    @property
    def queued(self) -> int:
        """How many frames the kernel has not taken yet; those that are being joined apart."""
        return 0 if self._outbox is None else len(self._outbox)

    @property
    def queued_bytes(self) -> int:
        """How many bytes of them are left."""
        return 0 if self._outbox is None else self._outbox.size_bytes

    def start(self) -> None:
        """Begin to read, unless the first write has found the client gone."""
        # libev ends the whole OS process for a watcher on a closed file descriptor.
        if self.is_open:
            self._listen()

    def _listen(self) -> None:
        reader = self._reader
        if type(reader).__module__ == _LIBUV:
            reader.start(self._on_events, pass_events=True)
        else:
            reader.start(self._on_readable)

    def pause(self) -> None:
        """Stop reading: what the client sends stays in the kernel and slows it down."""
        self._is_paused = True
        self._reader.stop()

    def resume(self) -> None:
        """Read again after pause."""
        if self.is_open and self._is_paused:
            self._is_paused = False
            self._listen()
            self._read_hidden()

    def write(self, data: bytes, *, is_last: bool = False) -> bool:
        """Write or queue ``data``; False when the queue is full and took nothing.

        What ``is_last`` is never refused: a close frame.
        """
        if not self.is_open:
            return True
        if self._joining or self._joined is not None:
            return self._join(data, is_last)
        if self._outbox is not None:
            return self._outbox.append(data, is_last=is_last)
        self._send(data, None)
        return True

    def join_next(self, count: int) -> None:
        """Let the next ``count`` writes leave together, as far as they come in one turn."""
        self._joining = count

    def _join(self, data: bytes, is_last: bool) -> bool:
        """Write ``data`` together with what else answers the same read; see ``write``."""
        if self._joining:
            self._joining -= 1
        joined = self._joined
        if joined is not None and (
            len(joined) >= self._limits[0] or self._joined_bytes + len(data) > self._limits[1]
        ):
            self.flush()
            joined = None
        if not self.is_open:
            return True
        if self._outbox is not None:
            return self._outbox.append(data, is_last=is_last)
        if joined is None:
            joined = self._joined = []
            if self._joining and not is_last:
                gevent.get_hub().loop.run_callback(self.flush)
        joined.append(data)
        self._joined_bytes += len(data)
        is_full = len(joined) >= JOINED_FRAMES or self._joined_bytes >= JOINED_BYTES
        if is_last or is_full or not self._joining:
            self.flush()
        return True

    def flush(self) -> None:
        """Write what was joined."""
        joined = self._joined
        if joined is None or not self.is_open:
            return
        self._joined = None
        self._joined_bytes = 0
        if len(joined) == 1:
            self._send(joined[0], None)
        else:
            self._send(b"".join(joined), joined)

    def _send(self, data: bytes, frames: list[bytes] | None) -> None:
        """Send ``data``, one frame or those of ``frames``; what the kernel does not take waits."""
        try:
            count: int = self._sock.send(data)
        except _AGAIN:
            count = 0
        except OSError as error:
            self._lose(error)
            return
        self.bytes_out += count
        if count != len(data):
            self._keep(data, frames, count)

    def _keep(self, data: bytes, frames: list[bytes] | None, count: int) -> None:
        outbox = self._outbox = Outbox(*self._limits, keeps_tried=self._tls is not None)
        if self._writer is None:
            self._writer = gevent.get_hub().loop.io(self._sock.fileno(), _WRITE)
        self._writer.start(self._on_writable)
        # TLS has to be asked for the same bytes again: there they stay one frame.
        for frame in (data,) if frames is None or self._tls is not None else frames:
            if count >= len(frame):
                count -= len(frame)
            else:
                outbox.append(frame, written=count)
                count = 0

    def drop_oldest(self) -> bytes | None:
        """Drop and return the oldest frame that waits and has not begun to leave, if there is."""
        return None if self._outbox is None else self._outbox.drop_oldest()

    def drop_all(self) -> None:
        """Drop every frame that waits and has not begun to leave."""
        if self._outbox is not None:
            self._outbox.clear(keep_begun=True)

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when the queue is half empty, or the socket closed."""
        if self._outbox is None:
            function()
        else:
            self._outbox.when_room(function)

    def finish(self) -> None:
        """Write what waits, say that no more comes, wait a moment for the client, close."""
        if not self.is_open or self._is_finishing:
            return
        self.flush()
        if not self.is_open:
            return
        self._is_finishing = True
        loop = gevent.get_hub().loop
        self._linger_timer = loop.timer(LINGER)
        self._linger_timer.start(self.abort)
        # Closing with unread bytes in the kernel would send a reset, and the client would lose
        # the close frame: read on, and throw away, until the client closes too.
        self.resume()
        if self._outbox is None:
            self._shut_down()

    def abort(self) -> None:
        """Close the file descriptor now."""
        if not self.is_open:
            return
        self.is_open = False
        self._send_joined()
        for watcher in (self._reader, self._writer, self._linger_timer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self._sock.close()
        outbox, on_closed = self._outbox, self.on_closed
        self._owner = self._outbox = self.on_closed = None
        if outbox is not None:
            outbox.clear()
        if on_closed is not None:
            on_closed()

    def _send_joined(self) -> None:
        joined, self._joined = self._joined, None
        if joined is not None:
            with suppress(OSError):
                self._sock.send(b"".join(joined))

    def _on_events(self, events: int) -> None:
        if events < 0 and self.is_open and not self._is_paused:
            # After a reset libuv watches no more and tells gevent only once, while the kernel gives
            # out what came before the reset first, and the reset with a later read.
            self._reader.stop()
            self._listen()
        self._on_readable()

    def _on_readable(self) -> None:
        if not self.is_open or self._is_paused:
            return
        try:
            data: bytes = self._sock.recv(READ_SIZE)
        except _AGAIN:
            return
        except OSError as error:
            self._lose(error)
            return
        if not data:
            self._end_of_data()
            return
        self.bytes_in += len(data)
        owner = self._owner
        if not self._is_finishing and owner is not None:
            owner.on_data(data)
        if self._tls is not None:
            self._read_hidden()

    def _read_hidden(self) -> None:
        # TLS reads a record from the kernel and gives out a part of it: the watcher sees no rest.
        tls = self._tls
        if tls is not None and self.is_open and not self._is_paused and tls.pending():
            gevent.get_hub().loop.run_callback(self._on_readable)

    def _on_writable(self) -> None:
        outbox = self._outbox
        if outbox is None:
            return
        try:
            while len(outbox):
                count = self._sock.send(outbox.peek())
                if not count:
                    # What gevent's TLS says instead of raising SSLWantWriteError.
                    return
                self.bytes_out += count
                outbox.sent(count)
        except _AGAIN:
            return
        except OSError as error:
            self._lose(error)
            return
        if self._outbox is outbox:
            self._outbox = None
            self._writer.stop()
            if self._is_finishing:
                self._shut_down()

    def _end_of_data(self) -> None:
        if self._is_finishing and self._outbox is not None:
            # The client sends no more, but may read what waits for it.
            self.pause()
        else:
            self._lose(None)

    def _shut_down(self) -> None:
        if self._is_paused:
            # The client's direction is over already.
            self.abort()
            return
        try:
            self._sock.shutdown(std_socket.SHUT_WR)
        except OSError:
            self.abort()

    def _lose(self, error: OSError | None) -> None:
        owner = None if self._is_finishing else self._owner
        self._joined = None
        self.abort()
        if owner is not None:
            owner.on_lost("connection closed by the client" if error is None else _why(error))


def _set_no_delay(sock: Any) -> None:
    if sock.family in (std_socket.AF_INET, std_socket.AF_INET6):
        sock.setsockopt(std_socket.IPPROTO_TCP, std_socket.TCP_NODELAY, 1)


def _why(error: OSError) -> str:
    return f"connection lost: {error.strerror or error}"
