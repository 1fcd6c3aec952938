"""The process around one WebSocket: it relays between its client and its target.

Source: WebSocket Relay. The connection has no greenlet: what comes from the client is handled in
the socket's read callback, what comes from processes in the greenlet that sends it, and nothing
in either waits. ``life.py`` has how it begins and ends.

A message counts as read when it is handed on; ``backlog.py`` has those that wait for room.
``slowness.py`` has what becomes of a frame that the client's queue has no room for.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent

from greenrelay.core.events import Cancel, Event, Exit
from greenrelay.core.message import Message
from greenrelay.relay.rate import Rate
from greenrelay.relay.session import Session, closing, target_ended
from greenrelay.relay.slowness import CLOSE as SLOW_IS_CLOSED
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.transport.backlog import Backlog, hand_on
from greenrelay.transport.broadcast import LastFrame
from greenrelay.transport.life import OPEN, OVER, Life
from greenrelay.transport.limits import Limits
from greenrelay.transport.pulse import Pulse
from greenrelay.transport.slowness import overflow
from greenrelay.transport.transfer import control
from greenrelay.websocket.deflate import Deflater
from greenrelay.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, encode
from greenrelay.websocket.protocol import ERROR, Protocol


class Connection(Life):
    """One relayed WebSocket as a process; ``attach`` starts it.

    Its result's value is ``{"code": int, "reason": str, "clean": bool, "duration": seconds,
    "messages_in": int, "messages_out": int, "bytes_in": int, "bytes_out": int}``.
    """

    __slots__ = ("_encode", "_last_frame", "_protocol", "_rate", "_taken", "is_dropping")

    def __init__(
        self,
        node: Node,
        host: Host,
        session: Session,
        protocol: Protocol,
        limits: Limits,
        *,
        last_frame: LastFrame,
        deflater: Deflater | None = None,
    ) -> None:
        super().__init__(node, host, session, limits)
        self._taken = 0
        self._protocol = protocol
        self._encode = encode if deflater is None else deflater.encode
        self._last_frame = last_frame
        self.is_dropping = False
        self._rate: Rate | None = None
        if limits.rate_messages or limits.rate_bytes:
            self._rate = Rate(limits.rate_messages, limits.rate_bytes, self.opened_at)
        self._pulse = Pulse(self)

    # from the client

    def on_data(self, data: bytes) -> None:
        """Handle what the socket has read."""
        self._pulse.was_seen = True
        try:
            self._receive(data)
        except Exception:
            self.break_off()

    def _receive(self, data: bytes) -> None:
        pongs: list[bytes] = []
        for opcode, body in self._protocol.receive(data):
            if self._stage == OVER:
                return
            if opcode in (TEXT, BINARY):
                if self._stage == OPEN:
                    self._take(opcode, body)
            elif opcode == PING:
                assert isinstance(body, bytes)
                if self._stage == OPEN and self._is_within_rate(body):
                    pongs.append(encode(PONG, body))
            elif opcode == PONG:
                self._pulse.on_pong(body)
            elif opcode == CLOSE:
                assert isinstance(body, tuple)
                self._answer(pongs)
                self._on_close(*body)
            elif opcode == ERROR:
                assert isinstance(body, tuple)
                self._answer(pongs)
                # In the next turn of the loop: what came before it is answered first.
                gevent.get_hub().loop.run_callback(self._refuse, *body)
        if pongs:
            self._answer(pongs)

    def _take(self, opcode: int, data: object) -> None:
        assert isinstance(data, (str, bytes))
        if self._rate is not None and not self._is_within_rate(data):
            return
        backlog = self.backlog
        if backlog is None:
            if hand_on(self, opcode, data):
                return
            backlog = self.backlog = Backlog(self)
        if not backlog.take(opcode, data):
            self.socket.pause()

    def _is_within_rate(self, data: str | bytes) -> bool:
        """Count what the client has sent; beyond the rate the connection is over."""
        if self._rate is None or self._rate.allows(data, self.node.timers.now()):
            return True
        self._on_violation(1008, "rate limit")
        return False

    def _refuse(self, code: int, why: str) -> None:
        if self._stage != OVER:
            self._on_violation(code, why)

    def _answer(self, pongs: list[bytes]) -> None:
        """Answer the pings of one read with one write; a flood of them is not to cost more."""
        if pongs and self._stage == OPEN:
            self._write_control(b"".join(pongs))
            pongs.clear()

    def read_on(self) -> None:
        """Read again: the target has room for what comes."""
        self.backlog = None
        # A client that was not read has not been silent.
        self._pulse.was_seen = True
        if self._stage == OPEN:
            self.socket.resume()

    # from processes

    def deliver(self, message: Message) -> bool:
        """Act on a message for the client; False once the connection closes.

        Raises TypeError, InvalidCloseCode or InvalidRelayCommand for a bad payload. Waits only
        under the slow policy ``block``, and raises InboxFull where the sender cannot wait.
        """
        if self._stage != OPEN:
            return False
        topic = message.topic
        if topic == "ws.close":
            self._taken += 1
            self.close(*closing(message.payload))
        elif topic == "ws.control":
            self._taken += 1
            control(self, message)
        else:
            frame = self._last_frame.of(message, self._encode)
            if not self.socket.write(frame) and not overflow(self, frame):
                return False
            self._taken += 1
            self.messages_out += 1
            return self._stage == OPEN
        return True

    def deliver_event(self, event: Event) -> None:
        """Close when the target or a linked process has ended, or when asked to end."""
        if isinstance(event, Exit):
            if event.pid == self.session.target_pid:
                self.close(*target_ended(event.result.is_normal))
        elif isinstance(event, Cancel):
            self.close(1001, event.reason or "going away")
        else:
            self.close(1011, "linked process failed", failure=event.result.reason)

    @property
    def received(self) -> int:
        """How many messages it has taken from processes."""
        return self._taken

    def depth(self) -> int:
        """How many frames wait for a client that does not read."""
        return self.socket.queued

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when half of the queue to the client is free, or it is over."""
        self.socket.when_room(function)

    def ping(self, payload: bytes) -> None:
        """Send a protocol ping."""
        self._write_control(encode(PING, payload))

    def set_heartbeat(self, interval: float | None) -> None:
        """Send ws.heartbeat each ``interval`` seconds from now on, or no more for None."""
        self._pulse.set_heartbeat(interval)

    def _write_control(self, frame: bytes) -> None:
        # Where messages may be dropped or wait, so may a ping or pong: it is left out.
        if not self.socket.write(frame) and self.limits.slow_policy.kind == SLOW_IS_CLOSED:
            self.fall_behind()
