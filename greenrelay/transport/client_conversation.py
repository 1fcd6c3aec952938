"""An open WebSocket on the client's side: what has come, what is written, and how it ends.

Source: WebSocket client; RFC 6455, section 7 (closing).

Theory. What comes is handled in the socket's read callback and waits in a queue for whoever
receives; from ``queue`` messages on the socket is not read, so TCP slows the server down, and the
rest of that read is kept as it came. Greenlets wait in ``receive``, ``send``, ``ping`` and
``close`` and nowhere else, each by a deadline of its own. A conversation is OPEN, then CLOSING
once a close frame of ours is out and the server's is awaited, then OVER. What ends OPEN: ``close``
and the server's close frame (both of them closing handshakes); a protocol error, silence after a
ping, a write that is not done in time, TCP's end, ``abort`` (all of them losses). However it ends,
``_end`` runs once.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import gevent
from gevent.event import Event as Flag

from greenrelay.errors import ConnectionClosed, Timeout
from greenrelay.transport.client_opening import Opened
from greenrelay.transport.client_pings import Pings
from greenrelay.transport.client_socket import MaskingSocket
from greenrelay.transport.client_turn import Turn
from greenrelay.transport.life import CLOSE_TIMEOUT, CLOSING, LOST, NO_CODE, OPEN, OVER
from greenrelay.websocket.client_protocol import ClientProtocol
from greenrelay.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, close_payload, encode
from greenrelay.websocket.protocol import ERROR

log = logging.getLogger("greenrelay.transport")

# How much of a read is unpacked at once: compressed, it may be a thousand times as much.
SLICE = 16_384
# One frame, whatever its size: the next is written when the kernel has taken this one.
_OUTBOX = (1, 1 << 62)


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """What bounds a conversation; times in seconds, 0 is none; ``queue`` is in messages."""

    read_timeout: float = 0.0
    write_timeout: float = 10.0
    max_size: int = 16 * 1024 * 1024
    queue: int = 16
    ping_interval: float = 20.0
    ping_timeout: float = 20.0


class Conversation:
    """One client's WebSocket from its handshake to its end; ``start`` begins to read.

    ``code`` and ``reason`` say how it ended, None and "" before; ``on_over`` is called once then.
    """

    __slots__ = (
        "_close_timer",
        "_encode",
        "_has_come",
        "_is_clean",
        "_is_over",
        "_is_reading_on",
        "_messages",
        "_pending_pong",
        "_pings",
        "_protocol",
        "_rest",
        "_stage",
        "_turn",
        "code",
        "limits",
        "on_over",
        "reason",
        "socket",
    )

    def __init__(self, opened: Opened, limits: ClientLimits) -> None:
        agreed = opened.agreed.compression
        self.limits = limits
        self.socket = MaskingSocket(opened.sock, self, _OUTBOX)
        self._protocol = ClientProtocol(
            max_message_size=limits.max_size, inflater=agreed.inflater() if agreed else None
        )
        self._encode = agreed.deflater().encode if agreed else encode
        self.code: int | None = None
        self.reason = ""
        self.on_over: Callable[[], object] | None = None
        self._stage = OPEN
        self._is_clean = False
        self._messages: deque[tuple[int, str | bytes]] = deque()
        # The rest of a read for which there was no room.
        self._rest = b""
        self._is_reading_on = False
        self._has_come = Flag()
        self._is_over = Flag()
        self._pending_pong: bytes | None = None
        self._turn = Turn()
        self._close_timer: Any = None
        self._pings = Pings(self)

    def start(self, buffered: bytes = b"") -> None:
        """Begin to read and to ping; ``buffered`` is what was read with the handshake."""
        self._pings.start()
        self.socket.start()
        if buffered:
            self.on_data(buffered)

    @property
    def is_open(self) -> bool:
        """Whether messages still flow."""
        return self._stage == OPEN

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._stage == OVER

    @property
    def is_clean(self) -> bool:
        """Whether it ended with a closing handshake."""
        return self._is_clean

    @property
    def is_full(self) -> bool:
        """Whether what has come waits for the owner, so that the socket is not read."""
        return self._stage == OPEN and len(self._messages) >= self.limits.queue

    # what the owner does

    def send(self, opcode: int, payload: bytes) -> None:
        """Write a message; waits until the kernel has it. Raises ConnectionClosed, Timeout.

        A message that is not written in time, from its turn on, ends the conversation: its rest
        could not follow.
        """
        if self._stage != OPEN:
            raise self.closed()
        with self._turn:
            until = _until(self.limits.write_timeout)
            self._wait_written(until)
            # Compressed and written without a switch in between: each message refers to the last.
            self.socket.write(self._encode(opcode, payload))
            self._wait_written(until)

    def receive(self, timeout: float | None) -> tuple[int, str | bytes]:
        """Return the next message; 0 is the read timeout. Raises ConnectionClosed, Timeout."""
        seconds = self.limits.read_timeout or None if timeout is None else timeout
        until = None if seconds is None else monotonic() + seconds
        while not self._messages:
            if self._stage == OVER:
                raise self.closed()
            self._has_come.clear()
            if not _wait(self._has_come, until) and not self._messages and self._stage != OVER:
                raise Timeout("client.receive()", seconds or 0.0)
        found = self._messages.popleft()
        if len(self._messages) == self.limits.queue - 1:
            self._read_on_soon()
        return found

    def ping(self) -> float:
        """Return the seconds until the server answers a ping; ConnectionClosed, Timeout."""
        if self._stage != OPEN:
            raise self.closed()
        return self._pings.measure(self.limits.ping_timeout)

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, once; what comes from now on is thrown away."""
        if self._stage != OPEN:
            return
        frame = encode(CLOSE, close_payload(code, reason))
        self._stage = CLOSING
        self.code, self.reason = code, reason
        self.socket.write(frame, is_last=True)
        if self._stage != CLOSING:
            return
        self._close_timer = gevent.get_hub().loop.timer(CLOSE_TIMEOUT)
        self._close_timer.start(self._on_close_timeout)
        self._read_on_soon()

    def wait_over(self) -> None:
        """Wait for the end of a closing handshake, which has a deadline."""
        self._is_over.wait()

    def abort(self, reason: str) -> None:
        """Cut TCP: no closing handshake."""
        self._end(LOST, reason)
        self.socket.abort()

    def closed(self) -> ConnectionClosed:
        """Return the error that says how it ended."""
        return ConnectionClosed(LOST if self.code is None else self.code, self.reason)

    def _wait_written(self, until: float | None) -> None:
        if self._stage != OPEN:
            raise self.closed()
        while self.socket.queued:
            written = Flag()
            self.socket.when_room(written.set)
            is_late = not _wait(written, until) and self.socket.queued
            if self._stage != OPEN:
                raise self.closed()
            if is_late:
                self.abort("the server did not read in time")
                raise Timeout("client.send()", self.limits.write_timeout)

    # what the socket does

    def on_data(self, data: bytes) -> None:
        """Handle what was read, as far as there is room for it."""
        self._pings.was_seen = True
        self._rest += data
        try:
            self._unpack()
        except Exception:
            log.exception("handling what the server has sent failed")
            self._fail(1011, "internal error")

    def on_lost(self, reason: str) -> None:
        """TCP has ended without a closing handshake."""
        during = " during the closing handshake" if self._stage == CLOSING else ""
        self._end(LOST, reason.replace("by the client", "by the server") + during)

    def _unpack(self, *, all_of_it: bool = False) -> None:
        while self._rest and self._stage != OVER:
            if not all_of_it and self.is_full:
                self.socket.pause()
                return
            piece, self._rest = self._rest[:SLICE], self._rest[SLICE:]
            for opcode, body in self._protocol.receive(piece):
                self._take(opcode, body)
        if self.is_full:
            self.socket.pause()

    def _take(self, opcode: int, body: object) -> None:
        if opcode in (TEXT, BINARY):
            if self._stage == OPEN:
                assert isinstance(body, (str, bytes))
                self._messages.append((opcode, body))
                self._has_come.set()
        elif opcode == PING:
            assert isinstance(body, bytes)
            self._answer(body)
        elif opcode == PONG:
            assert isinstance(body, bytes)
            self._pings.on_pong(body)
        elif opcode == CLOSE:
            assert isinstance(body, tuple)
            self._on_close(*body)
        elif opcode == ERROR:
            assert isinstance(body, tuple)
            # In the next turn of the loop: what came before it is received, and answered, first.
            gevent.get_hub().loop.run_callback(self._fail, *body)

    def _read_on_soon(self) -> None:
        # In the hub: greenlets that receive at the same time must not unpack at the same time.
        if not self._is_reading_on:
            self._is_reading_on = True
            gevent.get_hub().loop.run_callback(self._read_on)

    def _read_on(self) -> None:
        self._is_reading_on = False
        # A server that was not read has not been silent.
        self.on_data(b"")
        if self._stage != OVER and not self.is_full:
            self.socket.resume()

    def _answer(self, payload: bytes) -> None:
        if self._stage == OPEN and not self.socket.write(encode(PONG, payload)):
            # The last one counts: RFC 6455, section 5.5.3.
            if self._pending_pong is None:
                self.socket.when_room(self._answer_last)
            self._pending_pong = payload

    def _answer_last(self) -> None:
        payload, self._pending_pong = self._pending_pong, None
        if payload is not None and self._stage == OPEN:
            gevent.get_hub().loop.run_callback(self._answer, payload)

    # its end

    def _on_close(self, code: int, reason: str) -> None:
        if self._stage == CLOSING:
            self._end(self.code or code, self.reason, clean=True)
        elif self._stage == OPEN:
            payload = b"" if code == NO_CODE else close_payload(code, "")
            self.socket.write(encode(CLOSE, payload), is_last=True)
            self._end(code, reason, clean=True)
        self.socket.finish()

    def _fail(self, code: int, why: str) -> None:
        """Say why in a close frame and end without waiting for the server's."""
        if self._stage == OVER:
            return
        if self._stage == OPEN:
            self.socket.write(encode(CLOSE, close_payload(code, why)), is_last=True)
        self._end(code, why)
        self.socket.finish()

    def fall_silent(self) -> None:
        """End because the server answered no ping."""
        self._fail(1011, "keepalive")

    def _on_close_timeout(self) -> None:
        self.abort("the server did not answer the closing handshake")

    def _end(self, code: int, reason: str, *, clean: bool = False) -> None:
        if self._stage == OVER:
            return
        if self._rest:
            # Read before the end, and there was no room: nothing is dropped.
            self._unpack(all_of_it=True)
            if self.is_over:
                return
        self._stage = OVER
        self.code, self.reason, self._is_clean = code, reason, clean
        if self._close_timer is not None:
            self._close_timer.stop()
            self._close_timer.close()
        self._pings.stop()
        self._has_come.set()
        self._is_over.set()
        on_over, self.on_over = self.on_over, None
        if on_over is not None:
            on_over()


def _until(seconds: float) -> float | None:
    return monotonic() + seconds if seconds else None


def _wait(flag: Flag, until: float | None) -> bool:
    """Wait for ``flag``; False when it is not set by then."""
    return bool(flag.wait(None if until is None else max(0.0, until - monotonic())))
