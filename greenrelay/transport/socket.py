"""One client's socket: read by a callback on the hub, written directly.

Source: ``docs/architecture.md``, "The socket". A read is one ``recv`` per turn of the loop, so a
client that floods gets one turn like everybody else. A write goes straight to the kernel, from
whatever greenlet it is called in; only what the kernel does not take waits in the outbox until
the socket is writable. Nothing here waits, and nothing here knows what the bytes mean.
"""

from __future__ import annotations

import logging
import socket as std_socket
import ssl
from collections.abc import Callable
from typing import Any

import gevent
from gevent import ssl as gevent_ssl

from greenrelay.relay.outbox import Outbox

log = logging.getLogger("greenrelay.transport")

# Over 64 KiB, so that a frame of that size fits in one read with its head; under 128 KiB, where
# the allocator starts to map and unmap memory for each buffer.
READ_SIZE = 98_304
LINGER = 2.0

_READ, _WRITE = 1, 2
_AGAIN = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
# They are one class only after gevent.monkey.
_TLS = (ssl.SSLSocket, gevent_ssl.SSLSocket)


def is_tls(sock: object) -> bool:
    """Whether ``sock`` speaks TLS, so that its bytes are not those of the file descriptor."""
    return isinstance(sock, _TLS)


class ClientSocket:
    """A connected socket; it is given to the connection that ``on_data`` and ``on_lost`` serve.

    ``on_data(data)`` gets what was read, ``on_lost(reason)`` is called once when TCP has ended in
    either direction and never after ``finish`` or ``abort``. ``on_closed()`` is called once when
    the file descriptor is closed.
    """

    __slots__ = (
        "_is_finishing",
        "_is_paused",
        "_linger_timer",
        "_reader",
        "_recv",
        "_send",
        "_sock",
        "_tls",
        "_writer",
        "bytes_in",
        "bytes_out",
        "is_open",
        "on_closed",
        "on_data",
        "on_lost",
        "outbox",
    )

    def __init__(
        self,
        sock: Any,
        outbox: Outbox,
        *,
        on_data: Callable[[bytes], object],
        on_lost: Callable[[str], object],
        on_closed: Callable[[], object],
    ) -> None:
        self._sock = sock
        self._tls = sock if is_tls(sock) else None
        sock.settimeout(0.0)
        raw = sock if self._tls else getattr(sock, "_sock", sock)
        self._recv = raw.recv
        self._send = raw.send
        _set_no_delay(sock)
        self.outbox = outbox
        self.on_data = on_data
        self.on_lost = on_lost
        self.on_closed = on_closed
        self.bytes_in = 0
        self.bytes_out = 0
        self.is_open = True
        self._is_finishing = False
        self._is_paused = False
        loop = gevent.get_hub().loop
        self._reader: Any = loop.io(sock.fileno(), _READ)
        # A second watcher is made when the kernel first refuses bytes; most sockets never need it.
        self._writer: Any = None
        self._linger_timer: Any = None

    def start(self) -> None:
        """Begin to read, unless the first write has found the client gone."""
        # libev ends the whole OS process for a watcher on a closed file descriptor.
        if self.is_open:
            self._reader.start(self._on_readable)

    def pause(self) -> None:
        """Stop reading: what the client sends stays in the kernel and slows it down."""
        self._is_paused = True
        self._reader.stop()

    def resume(self) -> None:
        """Read again after pause."""
        if self.is_open and self._is_paused:
            self._is_paused = False
            self._reader.start(self._on_readable)
            self._read_hidden()

    def write(self, data: bytes) -> bool:
        """Write or queue ``data``; False when the outbox is over its limit and took nothing."""
        if not self.is_open:
            return True
        if len(self.outbox):
            return self.outbox.append(data)
        try:
            count = self._send(data)
        except _AGAIN:
            count = 0
        except OSError as error:
            self._lose(error)
            return True
        self.bytes_out += count
        if count == len(data):
            return True
        self._await_writable()
        return self.outbox.append(data, written=count)

    def write_last(self, data: bytes) -> None:
        """Write or queue ``data``, which a full outbox must not refuse: a close frame."""
        outbox = self.outbox
        outbox.limit_messages += 1
        outbox.limit_bytes += len(data)
        try:
            self.write(data)
        finally:
            outbox.limit_messages -= 1
            outbox.limit_bytes -= len(data)

    def finish(self) -> None:
        """Write what waits, say that no more comes, wait a moment for the client, close."""
        if not self.is_open or self._is_finishing:
            return
        self._is_finishing = True
        loop = gevent.get_hub().loop
        self._linger_timer = loop.timer(LINGER)
        self._linger_timer.start(self.abort)
        if not len(self.outbox):
            self._shut_down()
        # Closing with unread bytes in the kernel would send a reset, and the client would lose
        # the close frame: read on, and throw away, until the client closes too.
        self.resume()

    def abort(self) -> None:
        """Close the file descriptor now."""
        if not self.is_open:
            return
        self.is_open = False
        for watcher in (self._reader, self._writer, self._linger_timer):
            if watcher is not None:
                watcher.stop()
                watcher.close()
        self.outbox.clear()
        self._sock.close()
        on_closed = self.on_closed
        self.on_data = self.on_lost = self.on_closed = _ignore
        on_closed()

    def _on_readable(self) -> None:
        if not self.is_open or self._is_paused:
            return
        try:
            data = self._recv(READ_SIZE)
        except _AGAIN:
            return
        except OSError as error:
            self._lose(error)
            return
        if not data:
            self._lose(None)
            return
        self.bytes_in += len(data)
        if not self._is_finishing:
            self.on_data(data)
        self._read_hidden()

    def _read_hidden(self) -> None:
        # TLS reads a record from the kernel and gives out a part of it: the watcher sees no rest.
        tls = self._tls
        if tls is not None and self.is_open and not self._is_paused and tls.pending():
            gevent.get_hub().loop.run_callback(self._on_readable)

    def _await_writable(self) -> None:
        if self._writer is None:
            self._writer = gevent.get_hub().loop.io(self._sock.fileno(), _WRITE)
        self._writer.start(self._on_writable)

    def _on_writable(self) -> None:
        outbox = self.outbox
        try:
            while len(outbox):
                count = self._send(outbox.peek())
                if not count:
                    # What gevent's TLS says instead of raising SSLWantWriteError.
                    return
                outbox.sent(count)
                self.bytes_out += count
        except _AGAIN:
            return
        except OSError as error:
            self._lose(error)
            return
        self._writer.stop()
        if self._is_finishing:
            self._shut_down()

    def _shut_down(self) -> None:
        try:
            self._sock.shutdown(std_socket.SHUT_WR)
        except OSError:
            self.abort()

    def _lose(self, error: OSError | None) -> None:
        on_lost = self.on_lost if not self._is_finishing else _ignore
        self.abort()
        on_lost("connection closed by the client" if error is None else _why(error))


def _set_no_delay(sock: Any) -> None:
    if sock.family in (std_socket.AF_INET, std_socket.AF_INET6):
        sock.setsockopt(std_socket.IPPROTO_TCP, std_socket.TCP_NODELAY, 1)


def _why(error: OSError) -> str:
    return f"connection lost: {error.strerror or error}"


def _ignore(*_: object) -> None:
    return None
