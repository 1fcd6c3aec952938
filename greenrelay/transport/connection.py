"""The process around one WebSocket: it relays between its client and its target.

Source: WebSocket Relay. The connection has no greenlet: what comes from the client is handled in
the socket's read callback, what comes from processes in the greenlet that sends it, and nothing
in either waits.

Theory. A connection is OPENING until its 101 is written and ws.join is sent, then OPEN, then
CLOSING once a close frame of ours is out and the client's is awaited, then OVER. What can end
OPEN: a close frame from the client, ``ws.close``, the target's EXIT, a CANCEL, a LINK_DOWN, a
drain (all of them closing handshakes); a protocol error, a slow client, a silent client, TCP's
end, an error of ours (all of them losses); ``terminate``. However it ends, ``_end`` runs once: it
sends ``ws.leave`` after the last message, if there was a join, and then the process is over.

A message counts as read when it is handed on; ``backlog.py`` has those that wait for room.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

from greenrelay.core.events import Cancel, Event, Exit, ExitError, Result
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.relay.rate import Rate
from greenrelay.relay.session import Session, closing, outgoing, target_ended
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.timers import Timer
from greenrelay.transport.backlog import Backlog
from greenrelay.transport.pulse import Pulse
from greenrelay.transport.socket import ClientSocket
from greenrelay.transport.transfer import control, leave_target
from greenrelay.websocket.frames import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    TEXT,
    close_payload,
    encode,
)
from greenrelay.websocket.protocol import ERROR, Protocol

log = logging.getLogger("greenrelay.transport")

CLOSE_TIMEOUT = 5.0
NO_CODE = 1005
LOST = 1006

OPENING, OPEN, CLOSING, OVER = range(4)


class Connection(Process):
    """One relayed WebSocket as a process; ``attach`` starts it.

    Its result's value is ``{"code": int, "reason": str, "clean": bool, "duration": seconds,
    "messages_in": int, "messages_out": int, "bytes_in": int, "bytes_out": int}``.
    """

    __slots__ = (
        "_close_code",
        "_close_reason",
        "_close_timer",
        "_failure",
        "_protocol",
        "_pulse",
        "_rate",
        "_stage",
        "_taken",
        "backlog",
        "drain_code",
        "drain_period",
        "messages_out",
        "on_over",
        "opened_at",
        "session",
        "socket",
    )

    def __init__(
        self,
        node: Node,
        host: Host,
        session: Session,
        protocol: Protocol,
        *,
        ping_interval: float = 25.0,
        ping_timeout: float = 10.0,
        rate: Rate | None = None,
        drain_code: int = 1012,
        drain_period: float = 10.0,
    ) -> None:
        super().__init__(node, host, Pid.parse(session.client_pid), "websocket")
        self.session = session
        self.socket: ClientSocket
        self.messages_out = 0
        self._taken = 0
        self.on_over: Callable[[Connection], object] | None = None
        self._protocol = protocol
        self._rate = rate
        self.drain_code = drain_code
        self.drain_period = drain_period
        self._stage = OPENING
        self._close_timer: Timer | None = None
        self._close_code = NO_CODE
        self._close_reason = ""
        self._failure: str | None = None
        self.opened_at = monotonic()
        self.backlog = Backlog(self)
        self._pulse = Pulse(self, ping_interval, ping_timeout)

    # its life

    def attach(
        self,
        socket: ClientSocket,
        head: bytes,
        heartbeat_interval: float | None = None,
        buffered: bytes = b"",
    ) -> bool:
        """Take the socket, monitor the target, send it ws.join and begin to read.

        ``head`` is the answer to the handshake, which goes out first; ``buffered`` is what the
        HTTP server has read beyond the request. False when the client has left by now; then the
        target was told nothing.
        """
        self.socket = socket
        self.node.admit(self)
        socket.write_last(head)
        if self._stage == OVER:
            return False
        self._stage = OPEN
        session = self.session
        self.node.monitor(self, session.target_pid)
        self.tell_target("ws.join", session.join())
        self._pulse.set_heartbeat(heartbeat_interval)
        self._pulse.start()
        log.info(
            "%s opened: path=%s client=%s target=%s",
            self.pid,
            session.path,
            session.remote_addr,
            session.target_pid,
        )
        socket.start()
        if buffered:
            self.on_data(buffered)
        return True

    def close(self, code: int, reason: str, *, failure: str | None = None) -> None:
        """Begin the closing handshake; with ``failure``, the ending is abnormal for that reason."""
        if self._stage != OPEN:
            return
        self._stage = CLOSING
        self._close_code = code
        self._close_reason = reason
        self._failure = failure
        self.socket.write_last(encode(CLOSE, close_payload(code, reason)))
        if self._stage == CLOSING:
            self._pulse.stop()
            self._close_timer = self.node.timers.call_after(CLOSE_TIMEOUT, self._on_close_timeout)
            self.socket.resume()

    def drain(self) -> None:
        """Close because the server stops."""
        self.close(self.drain_code, "drain")

    def abandon(self) -> None:
        """Drop a connection whose client does not finish the closing handshake."""
        self._on_close_timeout()

    @property
    def is_open(self) -> bool:
        """Whether messages still flow."""
        return self._stage == OPEN

    def end(self, result: Result) -> None:
        """Drop the connection: no closing handshake, TCP is cut."""
        if self._stage != OVER:
            self._end(LOST, result.reason, clean=False, result=result)
            self.socket.abort()

    def _fail(self, code: int, reason: str, failure: str) -> None:
        """Say why in a close frame and end abnormally without waiting for the client's."""
        self._failure = failure
        if self._stage == OPEN:
            self.socket.write_last(encode(CLOSE, close_payload(code, reason)))
        self._end(code, failure, clean=False)
        self.socket.finish()

    def _end(self, code: int, reason: str, *, clean: bool, result: Result | None = None) -> None:
        if self._stage == OVER:
            return
        was_joined = self._stage != OPENING
        self._stage = OVER
        self._pulse.stop()
        self.backlog.close()
        if self._close_timer is not None:
            self._close_timer.cancel()
        if was_joined:
            leave_target(self, reason, code, clean)
        value = self._value(code, reason, clean=clean)
        log.info(
            "%s closed: code=%d clean=%s duration=%.1fs reason=%s",
            self.pid,
            code,
            clean,
            value["duration"],
            reason,
        )
        if result is not None:
            self.node.ended(self, Result(value, result.error, result.reason))
        elif clean:
            self.node.ended(self, Result(value))
        else:
            self.node.ended(self, Result(value, ExitError("ConnectionLost", reason), reason))
        if self.on_over is not None:
            self.on_over(self)

    def _value(self, code: int, reason: str, *, clean: bool) -> dict[str, object]:
        return {
            "code": code,
            "reason": reason,
            "clean": clean,
            "duration": monotonic() - self.opened_at,
            "messages_in": self.session.message_count,
            "messages_out": self.messages_out,
            "bytes_in": self.socket.bytes_in,
            "bytes_out": self.socket.bytes_out,
        }

    # from the client

    def on_data(self, data: bytes) -> None:
        """Handle what the socket has read."""
        self._pulse.was_seen = True
        try:
            self._receive(data)
        except Exception:
            self.break_off()

    def _receive(self, data: bytes) -> None:
        for opcode, body in self._protocol.receive(data):
            if self._stage == OVER:
                return
            if opcode in (TEXT, BINARY):
                if self._stage == OPEN:
                    self._take(opcode, body)
            elif opcode == PING:
                assert isinstance(body, bytes)
                if self._stage == OPEN:
                    self._write(encode(PONG, body))
            elif opcode == PONG:
                self._pulse.on_pong(body)
            elif opcode == CLOSE:
                assert isinstance(body, tuple)
                self._on_close(*body)
            elif opcode == ERROR:
                assert isinstance(body, tuple)
                self._on_violation(*body)

    def on_lost(self, reason: str) -> None:
        """TCP has ended without a closing handshake."""
        if self._stage == CLOSING and self._failure is None:
            reason = f"{reason} during the closing handshake"
        self._end(LOST, self._failure or reason, clean=False)

    def _take(self, opcode: int, data: object) -> None:
        assert isinstance(data, (str, bytes))
        if self._rate is not None and not self._rate.allows(data, monotonic()):
            self._on_violation(1008, "rate limit")
        elif not self.backlog.take(opcode, data):
            self.socket.pause()

    def read_on(self) -> None:
        """Read again: the target has room."""
        # A client that was not read has not been silent.
        self._pulse.was_seen = True
        if self._stage == OPEN:
            self.socket.resume()

    def _on_close(self, code: int, reason: str) -> None:
        if self._stage == CLOSING:
            if self._failure is None:
                self._end(self._close_code, self._close_reason, clean=True)
            else:
                self._end(self._close_code, self._failure, clean=False)
        else:
            payload = b"" if code == NO_CODE else close_payload(code, "")
            self.socket.write_last(encode(CLOSE, payload))
            self._end(code, reason, clean=True)
        self.socket.finish()

    def _on_violation(self, code: int, why: str) -> None:
        log.warning("%s: closed with %d: %s", self.pid, code, why)
        self._fail(code, why, why)

    # from processes

    def deliver(self, message: Message) -> bool:
        """Act on a message for the client; False once the connection closes.

        Raises TypeError, InvalidCloseCode or InvalidRelayCommand for a bad payload.
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
            frame = encode(*outgoing(topic, message.payload))
            self._taken += 1
            self.messages_out += 1
            self._write(frame)
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
        return len(self.socket.outbox)

    def ping(self, payload: bytes) -> None:
        """Send a protocol ping."""
        self._write(encode(PING, payload))

    def set_heartbeat(self, interval: float | None) -> None:
        """Send ws.heartbeat each ``interval`` seconds from now on, or no more for None."""
        self._pulse.set_heartbeat(interval)

    def tell_target(self, topic: str, payload: object) -> None:
        """Send what no inbox limit may refuse; a target that cannot take it loses it."""
        try:
            target = Pid.parse(self.session.target_pid)
            self.node.route_surely(target, topic, payload, self.pid)
        except Exception:
            # The target is a connection itself, and the metadata is no JSON.
            log.exception("%s: %s was lost on the way to the target", self.pid, topic)

    def break_off(self) -> None:
        """End because of the error that is being handled: it is ours, and must not spread."""
        log.exception("%s: handling what the client has sent failed", self.pid)
        self._fail(1011, "internal error", "internal error")

    def fall_silent(self) -> None:
        """End because the client answered no ping."""
        self._fail(1011, "keepalive", "keepalive")

    def _write(self, frame: bytes) -> None:
        if not self.socket.write(frame):
            log.warning("%s: its queue to the client is full: closed with 4008", self.pid)
            self.socket.outbox.clear(keep_begun=True)
            self._fail(4008, "slow", "slow")

    # the closing handshake's deadline

    def _on_close_timeout(self) -> None:
        reason = self._failure or "the client did not answer the closing handshake"
        self._end(LOST, reason, clean=False)
        self.socket.abort()
