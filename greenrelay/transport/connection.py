"""The process around one WebSocket: it relays between its client and its target.

Source: WebSocket Relay. The connection has no greenlet: what comes from the client is handled in
the socket's read callback, what comes from processes in the greenlet that sends it, and nothing
in either waits. ``life.py`` has how it begins and ends.

A message counts as read when it is handed on; ``backlog.py`` has those that wait for room, and
``turns.py`` says how much of one read is handled at once.
``slowness.py`` has what becomes of a frame that the client's queue has no room for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import gevent

from greenrelay.core.events import Cancel, Event, Exit
from greenrelay.core.message import NO_CONTEXT, Message
from greenrelay.core.pid import Pid
from greenrelay.errors import InboxFull
from greenrelay.relay.rate import Rate
from greenrelay.relay.session import Session, closing, outgoing, target_ended
from greenrelay.relay.slowness import CLOSE as SLOW_IS_CLOSED
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.transport.backlog import Backlog
from greenrelay.transport.life import OPEN, OVER, Life
from greenrelay.transport.limits import Limits
from greenrelay.transport.pulse import Pulse
from greenrelay.transport.slowness import overflow
from greenrelay.transport.traced import sending, was_written
from greenrelay.transport.transfer import control
from greenrelay.transport.turns import FRAMES, Turns
from greenrelay.websocket.deflate import Deflater
from greenrelay.websocket.frames import BINARY, CLOSE, PING, PONG, TEXT, encode
from greenrelay.websocket.protocol import ERROR, Protocol, Received


class Connection(Life):
    """One relayed WebSocket as a process; ``attach`` starts it.

    Its result's value is ``{"code": int, "reason": str, "clean": bool, "duration": seconds,
    "messages_in": int, "messages_out": int, "bytes_in": int, "bytes_out": int}``.
    """

    __slots__ = (
        "_encode",
        "_has_turn",
        "_protocol",
        "_rate",
        "_taken",
        "_turns",
        "_unhandled",
        "is_dropping",
    )

    def __init__(
        self,
        node: Node,
        host: Host,
        session: Session,
        protocol: Protocol,
        limits: Limits,
        *,
        turns: Turns,
        deflater: Deflater | None = None,
    ) -> None:
        Life.__init__(self, node, host, session, limits)
        self._taken = 0
        self._protocol = protocol
        # None for frames that are not compressed.
        self._encode = None if deflater is None else deflater.encode
        # What was read and has to wait for its turn.
        self._unhandled: deque[Received] | None = None
        self._turns = turns
        self._has_turn = False
        self.is_dropping = False
        self._rate: Rate | None = None
        if limits.rate_messages or limits.rate_bytes:
            self._rate = Rate(limits.rate_messages, limits.rate_bytes, self.opened_at)
        self._pulse = Pulse(self)

    # from the client

    def on_data(self, data: bytes) -> None:
        """Handle what the socket has read, or the first part of it."""
        self._pulse.was_seen = True
        try:
            received = self._protocol.receive(data)
            if self._unhandled is not None:
                self._unhandled.extend(received)
                self.socket.pause()
            elif len(received) <= FRAMES:
                self._handle(received)
            else:
                self._unhandled = deque(received)
                self.socket.pause()
                self.go_on()
        except Exception:
            self.break_off()

    def go_on(self) -> None:
        """Handle what was read, when it is this connection's turn, and then read on."""
        if self._unhandled is None:
            self.socket.resume()
        elif not self._has_turn:
            self._has_turn = True
            self._turns.add(self)

    def take_turn(self) -> bool:
        """Handle the next part of what was read; True when another turn is wanted."""
        self._has_turn = False
        unhandled = self._unhandled
        if unhandled is None:
            return False
        # A client that was not read has not been silent.
        self._pulse.was_seen = True
        part = [unhandled.popleft() for _ in range(min(FRAMES, len(unhandled)))]
        if not unhandled:
            self._unhandled = None
        try:
            self._handle(part)
        except Exception:
            self.break_off()
        if self._stage == OVER:
            return False
        if self._stage == OPEN and self.backlog is not None and self.backlog.is_full:
            # It goes on when the target has room.
            return False
        if self._unhandled is None:
            self.socket.resume()
            return False
        self._has_turn = True
        return True

    def _handle(self, received: Sequence[Received]) -> None:
        if len(received) > 1:
            self.socket.join_next(len(received))
        pongs: list[bytes] | None = None
        for opcode, body in received:
            if self._stage == OVER:
                return
            if opcode in (TEXT, BINARY):
                if self._stage == OPEN:
                    self._take(opcode, body)
            elif opcode == PING:
                assert isinstance(body, bytes)
                if self._stage == OPEN and self._is_within_rate(body):
                    pongs = pongs or []
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
            if self.hand_on(opcode, data):
                return
            backlog = self.backlog = Backlog(self)
        if not backlog.take(opcode, data):
            self.socket.pause()

    def hand_on(self, opcode: int, data: str | bytes) -> bool:
        """Send the target a message of the client; False when its inbox is full."""
        session = self.session
        payload = session.message(opcode == TEXT, data)
        context = self.context
        if context is not NO_CONTEXT:
            context = sending(self, session.target_pid, session.message_topic)
        try:
            node = self.node
            node.route(session.target_pid, session.message_topic, payload, self.pid, context)
        except InboxFull:
            session.message_count -= 1
            return False
        self.sent += 1
        self.last_in = node.timers.now()
        if self.tap is not None:
            self.tap.came(session.message_topic, data)
        return True

    def _is_within_rate(self, data: str | bytes) -> bool:
        """Count what the client has sent; beyond the rate the connection is over."""
        if self._rate is None or self._rate.allows(data, self.node.timers.now()):
            return True
        self._unhandled = None
        self._on_violation(1008, "rate limit")
        return False

    def _refuse(self, code: int, why: str) -> None:
        if self._stage != OVER:
            self._on_violation(code, why)

    def _answer(self, pongs: list[bytes] | None) -> None:
        """Answer the pings of one read with one write; a flood of them is not to cost more."""
        if pongs and self._stage == OPEN:
            self._write_control(b"".join(pongs))
            pongs.clear()

    def read_on(self) -> None:
        """Read again: the target has room for what comes."""
        self.backlog = None
        self._pulse.was_seen = True
        if self._stage == OPEN:
            self.go_on()

    def _let_go_of_unhandled(self, was_open: bool) -> None:
        """Give the target what was read before the end, in order, above its limit."""
        unhandled, self._unhandled = self._unhandled, None
        for opcode, data in (unhandled or ()) if was_open else ():
            if opcode in (CLOSE, ERROR):
                return
            if opcode in (TEXT, BINARY):
                assert isinstance(data, (str, bytes))
                if self._rate is not None and not self._rate.allows(data, self.node.timers.now()):
                    return
                session = self.session
                payload = session.message(opcode == TEXT, data)
                self.tell_target(session.message_topic, payload)

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
            frame = self._frame_of(message)
            if not self.socket.write(frame) and not self._overflow(frame, message.sender):
                return False
            self._taken += 1
            self.messages_out += 1
            self.last_out = self.node.timers.now()
            # The field and not the property, which is a call for each message.
            if message._context is not NO_CONTEXT:
                was_written(self, message)
            if self.tap is not None:
                self.tap.went(topic, message.payload)
            return self._stage == OPEN
        return True

    def _overflow(self, frame: bytes, sender: Pid | None) -> bool:
        """Do with a frame that did not fit what the policy says, and count what that drops."""
        sent = self.messages_out
        if not overflow(self, frame, sender):
            return False
        policy = self.limits.slow_policy
        if policy.drops and self.figures is not None:
            self.figures.drops[policy.kind] += sent - self.messages_out
        return True

    def _frame_of(self, message: Message) -> bytes:
        """Return what a message is on the wire.

        One that goes to many is the same for each of them, and so it is not compressed: that
        would make it part of one connection's stream.
        """
        frame: bytes | None = message.frame
        if frame:
            return frame
        opcode, data = outgoing(message.topic, message.payload)
        if frame is not None:
            frame = message.frame = encode(opcode, data)
            return frame
        return encode(opcode, data) if self._encode is None else self._encode(opcode, data)

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
