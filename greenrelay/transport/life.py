"""How a connection begins and how it ends: the stages between two handshakes.

Source: WebSocket Relay, "How it works" and "Endings and close codes".

Theory. A connection is OPENING until its 101 is written and ws.join is sent, then OPEN, then
CLOSING once a close frame of ours is out and the client's is awaited, then OVER. What can end
OPEN: a close frame from the client, ``ws.close``, the target's EXIT, a CANCEL, a LINK_DOWN, a
drain (all of them closing handshakes); a protocol error, a slow client, a silent client, TCP's
end, an error of ours (all of them losses); ``terminate``. However it ends, ``_end`` runs once: it
sends ``ws.leave`` after the last message, if there was a join, and then the process is over.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from greenrelay.core.events import Result
from greenrelay.core.message import NO_CONTEXT
from greenrelay.core.pid import Pid
from greenrelay.relay.session import Session
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.timers import Timer
from greenrelay.transport.ending import result_of, value_of
from greenrelay.transport.ledger import Figures, Traffic
from greenrelay.transport.limits import Limits
from greenrelay.transport.logged import log, log_closed, log_opened
from greenrelay.transport.recent import remember
from greenrelay.transport.socket import ClientSocket
from greenrelay.transport.target import tell
from greenrelay.transport.term import POLICY_VIOLATION, Term
from greenrelay.transport.traced import tell_in_context
from greenrelay.transport.transfer import leave_target
from greenrelay.websocket.frames import CLOSE, close_payload, encode

if TYPE_CHECKING:
    from greenrelay.transport.backlog import Backlog
    from greenrelay.transport.pulse import Pulse
    from greenrelay.transport.tap import Tap

CLOSE_TIMEOUT = 5.0
# For a client that reads on, but a byte at a time: it would keep its place for ever.
LONGEST_CLOSE = 60.0
NO_CODE = 1005
LOST = 1006

OPENING, OPEN, CLOSING, OVER = range(4)


class Life(Process):
    """What a connection is without what goes over it; ``attach`` starts it."""

    __slots__ = (
        "_close_code",
        "_close_reason",
        "_close_timer",
        "_failure",
        "_pulse",
        "_stage",
        "backlog",
        "drain_period",
        "figures",
        "last_in",
        "last_out",
        "limits",
        "messages_out",
        "on_over",
        "opened_at",
        "request_id",
        "session",
        "socket",
        "tap",
        "term",
    )

    def __init__(self, node: Node, host: Host, session: Session, limits: Limits) -> None:
        Process.__init__(self, node, host, Pid.parse(session.client_pid), "websocket")
        self.session = session
        self.socket: ClientSocket
        self.limits = limits
        self.drain_period = limits.drain_period
        self.messages_out = 0
        self.on_over: Callable[[Life], object] | None = None
        # What is counted for all connections of its route; None where nobody counts.
        self.figures: Figures | None = None
        self._stage = OPENING
        self._close_timer: Timer | None = None
        self._close_code = NO_CODE
        self._close_reason = ""
        self._failure: str | None = None
        self.opened_at = node.timers.now()
        # When the last message came and the last one went; of use where one did.
        self.last_in = self.last_out = self.opened_at
        # What the request was called by its X-Request-ID, "" where it had none.
        self.request_id = ""
        # Only while the target does not keep up.
        self.backlog: Backlog | None = None
        # Only where it was opened by an actor.
        self.term: Term | None = None
        # Only while somebody looks at its traffic.
        self.tap: Tap | None = None
        self._pulse: Pulse

    # its beginning

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
        socket.write(head, is_last=True)
        if self._stage == OVER:
            return False
        self._stage = OPEN
        session = self.session
        self.node.monitor(self, session.target_pid)
        self.tell_target("ws.join", session.join())
        self._pulse.set_heartbeat(heartbeat_interval)
        self._pulse.start()
        log_opened(self)
        socket.start()
        if buffered:
            socket.bytes_in += len(buffered)
            self.on_data(buffered)
        return True

    def on_data(self, data: bytes) -> None:
        """Handle what the socket has read."""
        raise AssertionError("what goes over a connection is not the business of its life")

    def go_on(self) -> None:
        """Read on."""
        self.socket.resume()

    # its end

    def close(self, code: int, reason: str, *, failure: str | None = None) -> None:
        """Begin the closing handshake; with ``failure``, the ending is abnormal for that reason."""
        if self._stage != OPEN:
            return
        self._stage = CLOSING
        self._close_code = code
        self._close_reason = reason
        self._failure = failure
        self.socket.write(encode(CLOSE, close_payload(code, reason)), is_last=True)
        if self._stage == CLOSING:
            self._pulse.stop()
            self._await_close(LONGEST_CLOSE)
            self.go_on()

    def drain(self) -> None:
        """Close because the server stops."""
        self.close(self.limits.drain_code, "drain")

    def close_for_actor(self, reason: str) -> None:
        """Close because the actor who has opened it may have it no longer: it is cut off."""
        self.close(POLICY_VIOLATION, reason, failure=reason)

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
            self.socket.write(encode(CLOSE, close_payload(code, reason)), is_last=True)
        self._end(code, failure, clean=False)
        self.socket.finish()

    def _end(
        self,
        code: int,
        reason: str,
        *,
        clean: bool,
        result: Result | None = None,
        by_client: bool = False,
    ) -> None:
        if self._stage == OVER:
            return
        stage, self._stage = self._stage, OVER
        self._pulse.stop()
        if self.backlog is not None:
            self.backlog.close()
            self.backlog = None
        self._let_go_of_unhandled(stage == OPEN)
        if self._close_timer is not None:
            self._close_timer.cancel()
        if self.term is not None:
            self.term.stop()
            self.term = None
        if stage != OPENING:
            leave_target(self, reason, code, clean)
        messages_in = self.session.message_count
        value = value_of(self, code, reason, clean=clean, messages_in=messages_in)
        log_closed(self, value)
        self._count(code, messages_in, by_client, value)
        self.finish(result_of(value, result))
        if self.on_over is not None:
            self.on_over(self)

    def _count(
        self, code: int, messages_in: int, by_client: bool, value: dict[str, object]
    ) -> None:
        if self.figures is not None:
            socket = self.socket
            traffic = Traffic(messages_in, self.messages_out, socket.bytes_in, socket.bytes_out)
            self.figures.ended(traffic, code, by_client=by_client)
            remember(self, value, by_client=by_client)

    def _let_go_of_unhandled(self, was_open: bool) -> None:
        """Do with what was read before the end what is to be done with it."""

    def on_lost(self, reason: str) -> None:
        """TCP has ended without a closing handshake."""
        if self._stage == CLOSING and self._failure is None:
            reason = f"{reason} during the closing handshake ({self._cause})"
        by_client = self._stage in (OPENING, OPEN)
        self._end(LOST, self._failure or reason, clean=False, by_client=by_client)

    def break_off(self) -> None:
        """End because of the error that is being handled: it is ours, and must not spread."""
        log.exception("%s: handling what the client has sent failed", self.pid)
        self._fail(1011, "internal error", "internal error")

    def fall_silent(self) -> None:
        """End because the client answered no ping."""
        self._fail(1011, "keepalive", "keepalive")

    def fall_behind(self) -> None:
        """End because the client does not read what is sent to it."""
        if self._stage == OPEN:
            log.warning("%s: its queue to the client is full: closed with 4008", self.pid)
            self.socket.drop_all()
            self._fail(4008, "slow", "slow")

    def _on_close(self, code: int, reason: str) -> None:
        if self._stage == CLOSING:
            if self._failure is None:
                self._end(self._close_code, self._close_reason, clean=True)
            else:
                self._end(self._close_code, self._failure, clean=False)
        else:
            payload = b"" if code == NO_CODE else close_payload(code, "")
            self.socket.write(encode(CLOSE, payload), is_last=True)
            self._end(code, reason, clean=True, by_client=True)
        self.socket.finish()

    def _on_violation(self, code: int, why: str) -> None:
        log.warning("%s: closed with %d: %s", self.pid, code, why)
        self._fail(code, why, why)

    def _await_close(self, rest: float) -> None:
        due = partial(self._on_close_due, self.socket.bytes_out, rest - CLOSE_TIMEOUT)
        self._close_timer = self.node.timers.call_after(CLOSE_TIMEOUT, due)

    def _on_close_due(self, bytes_out: int, rest: float) -> None:
        # A client that still reads what was queued before the close frame cannot answer that yet.
        if self.socket.bytes_out != bytes_out and rest > 0:
            self._await_close(rest)
        else:
            self._on_close_timeout()

    def _on_close_timeout(self) -> None:
        reason = self._failure or f"the client did not answer the closing handshake ({self._cause})"
        self._end(LOST, reason, clean=False)
        self.socket.abort()

    @property
    def _cause(self) -> str:
        """What the relay's own close frame said."""
        return f"{self._close_code} {self._close_reason}".rstrip()

    def tell_target(self, topic: str, payload: object) -> None:
        """Send what no inbox limit may refuse; a target that cannot take it loses it."""
        if self.context is NO_CONTEXT:
            tell(self, self.session.target_pid, topic, payload)
        else:
            tell_in_context(self, self.session.target_pid, topic, payload)
