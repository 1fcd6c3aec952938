"""The process around one stream of server-sent events.

Source: Server-sent Events Relay. Like a WebSocket connection it has no greenlet: what comes from
processes is written in the greenlet that sends it, and the socket is read on the hub, only to
hear of the client's leaving at once.

Theory. A stream is OPENING until the head of its answer is written, then OPEN, then CLOSING once
its ``done`` event is out and the client has to take what was queued before, then OVER. What can end
OPEN: ``sse.close``, the target's EXIT, a CANCEL, a LINK_DOWN, a timeout, a drain (all of them with
``done``); a slow client (``done`` in place of what waits); the client's leaving and ``terminate``,
without a word. A client cannot say goodbye, so its leaving is an abnormal ending: what is linked to
the stream ends with it. However it ends, ``_end`` runs once, and then the process is over.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from greenrelay.core.events import Cancel, Event, Exit, Result
from greenrelay.core.message import NO_CONTEXT, Message
from greenrelay.core.pid import Pid
from greenrelay.relay.slowness import CLOSE as SLOW_IS_CLOSED
from greenrelay.relay.sse import StreamSession, closing, done, numbered, target_ended
from greenrelay.relay.sse_command import CONTROL, StreamCommand
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.timers import Timer
from greenrelay.transport.ending import result_of, value_of
from greenrelay.transport.ledger import Figures, Traffic
from greenrelay.transport.limits import StreamLimits
from greenrelay.transport.logged import log, log_closed, log_opened
from greenrelay.transport.recent import remember
from greenrelay.transport.slowness import make_way
from greenrelay.transport.socket import ClientSocket
from greenrelay.transport.stream_clock import StreamClock
from greenrelay.transport.stream_control import control, leave_target
from greenrelay.transport.stream_event import LastEvent
from greenrelay.transport.tap import Tap
from greenrelay.transport.target import tell
from greenrelay.transport.term import Term
from greenrelay.transport.traced import tell_in_context, was_written

# How long a client may take what was sent before the stream was closed.
CLOSE_TIMEOUT = 5.0
OPENING, OPEN, CLOSING, OVER = range(4)


class Stream(Process):
    """One stream of events as a process; ``attach`` starts it.

    Its result's value has the keys of a WebSocket's: ``{"code": None, "reason": str, "clean":
    bool, "duration": seconds, "messages_in": 0, "messages_out": int, "bytes_in": int,
    "bytes_out": int}``.
    """

    __slots__ = (
        "_close_timer",
        "_failure",
        "_last_event",
        "_reason",
        "_stage",
        "_taken",
        "clock",
        "drain_period",
        "figures",
        "is_dropping",
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

    def __init__(
        self,
        node: Node,
        host: Host,
        session: StreamSession,
        limits: StreamLimits,
        last_event: LastEvent,
    ) -> None:
        super().__init__(node, host, Pid.parse(session.client_pid), "stream")
        self.session = session
        self.limits = limits
        self.drain_period = limits.drain_period
        self.socket: ClientSocket
        self.messages_out = 0
        self.is_dropping = False
        self.on_over: Callable[[Stream], object] | None = None
        # What is counted for all streams of its route; None where nobody counts.
        self.figures: Figures | None = None
        self.opened_at = node.timers.now()
        # When the last event went; of use where one did.
        self.last_out = self.opened_at
        # What the request was called by its X-Request-ID, "" where it had none.
        self.request_id = ""
        self.clock = StreamClock(self)
        self._last_event = last_event
        self._taken = 0
        self._stage = OPENING
        self._reason = ""
        self._failure: str | None = None
        self._close_timer: Timer | None = None
        # Only where it was opened by an actor.
        self.term: Term | None = None
        # Only while somebody looks at its traffic.
        self.tap: Tap | None = None

    def attach(self, socket: ClientSocket, head: bytes, command: StreamCommand) -> bool:
        """Take the socket, write ``head``, monitor the target and send it sse.join.

        False when the client has left by now; then the target was told nothing.
        """
        self.socket = socket
        self.node.admit(self)
        session = self.session
        socket.write(head if session.target_pid else head + session.ready(), is_last=True)
        if self._stage == OVER:
            return False
        self._stage = OPEN
        log_opened(self)
        if session.target_pid is not None:
            self.node.monitor(self, session.target_pid)
            self.tell_target("sse.join", session.join())
        self.clock.set_heartbeat(command.heartbeat_interval)
        self.clock.set_idle_timeout(command.idle_timeout)
        self.clock.set_hard_timeout(command.hard_timeout)
        socket.start()
        return True

    def on_data(self, data: bytes) -> None:
        """Take no notice: there is nothing a client could say."""

    # from processes

    def deliver(self, message: Message) -> bool:
        """Act on a message for the client; False once the stream closes.

        Raises TypeError, InvalidEventName or InvalidRelayCommand for a bad message. Waits only
        under the slow policy ``block``, and raises InboxFull where the sender cannot wait. A
        topic that is not the stream's ``message_topic`` is taken and goes nowhere.
        """
        if self._stage != OPEN:
            return False
        topic = message.topic
        if topic == "sse.close":
            self.close(closing(message.payload))
        elif topic == CONTROL:
            control(self, message)
        elif self.session.carries(topic):
            if not self._send(self._last_event.of(message)):
                return False
            self._taken += 1
            if message.context is not NO_CONTEXT:
                was_written(self, message)
            if self.tap is not None:
                self.tap.went(topic, message.payload)
            return self._stage == OPEN
        else:
            log.debug("%s: its topic is not %r: not sent", self.pid, topic)
        self._taken += 1
        return True

    def deliver_event(self, event: Event) -> None:
        """Close when the target or a linked process has ended, or when asked to end."""
        if isinstance(event, Exit):
            if event.pid == self.session.target_pid:
                self.close(target_ended(event.result.is_normal))
        elif isinstance(event, Cancel):
            self.close(event.reason or "going away")
        else:
            self.close("linked process failed", failure=event.result.reason)

    @property
    def received(self) -> int:
        """How many messages it has taken from processes."""
        return self._taken

    def depth(self) -> int:
        """How many events wait for a client that does not read."""
        return self.socket.queued

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when half of the queue to the client is free, or it is over."""
        self.socket.when_room(function)

    def comment(self, line: bytes) -> None:
        """Write what only keeps the connection alive; where events may be dropped it may be."""
        if self._stage != OPEN or self.socket.write(line):
            return
        if self.limits.slow_policy.kind == SLOW_IS_CLOSED:
            self.fall_behind()

    def tell_target(self, topic: str, payload: object) -> None:
        """Send what no inbox limit may refuse; a target that cannot take it loses it."""
        target = self.session.target_pid
        assert target is not None, "a detached stream has nobody to tell"
        if self.context is NO_CONTEXT:
            tell(self, target, topic, payload)
        else:
            tell_in_context(self, target, topic, payload)

    def _send(self, event: bytes) -> bool:
        if not self._write(event):
            sent, policy = self.messages_out, self.limits.slow_policy
            if not make_way(self, partial(self._write, event)):
                return False
            if policy.drops and self.figures is not None:
                self.figures.drops[policy.kind] += sent - self.messages_out
        self.messages_out += 1
        self.last_out = self.node.timers.now()
        self.clock.was_active()
        return True

    def _write(self, event: bytes) -> bool:
        # The number is taken when the event is, so numbers grow whoever had to wait.
        session = self.session
        if not self.socket.write(numbered(session.next_id, event)):
            return False
        session.next_id += 1
        return True

    # its end

    @property
    def is_open(self) -> bool:
        """Whether events still flow."""
        return self._stage == OPEN

    def close(self, reason: str, *, failure: str | None = None) -> None:
        """End with a ``done`` event; with ``failure``, the ending is abnormal for that reason."""
        if self._stage != OPEN:
            return
        self._stage = CLOSING
        self._reason = reason
        self._failure = failure
        self.clock.stop()
        self.socket.write(done(reason), is_last=True)
        self._end_when_sent()

    def drain(self) -> None:
        """Close because the server stops."""
        self.close("drain")

    def abandon(self) -> None:
        """Drop a stream whose client does not take what was sent to it."""
        self._end(self._failure or "the client did not read to the end", clean=False)
        self.socket.abort()

    def end(self, result: Result) -> None:
        """Drop the stream without a word: TCP is cut."""
        if self._stage != OVER:
            self._end(result.reason, clean=False, result=result)
            self.socket.abort()

    def fall_behind(self) -> None:
        """End because the client does not read what is sent to it."""
        if self._stage != OPEN:
            return
        log.warning("%s: its queue to the client is full: closed", self.pid)
        self.socket.drop_all()
        self.socket.write(done("slow"), is_last=True)
        self._end("slow", clean=False)
        self.socket.finish()

    def on_lost(self, reason: str) -> None:
        """TCP has ended: the client has left."""
        by_client = self._stage in (OPENING, OPEN)
        self._end(self._failure or reason, clean=False, by_client=by_client)

    def _end_when_sent(self) -> None:
        # A socket that is lost has nothing queued either; on_lost comes next.
        if self._stage != CLOSING or not self.socket.is_open:
            return
        if not self.socket.queued:
            self._end(self._failure or self._reason, clean=self._failure is None)
            self.socket.finish()
            return
        if self._close_timer is None:
            self._close_timer = self.node.timers.call_after(CLOSE_TIMEOUT, self.abandon)
        self.socket.when_room(self._end_when_sent)

    def _end(
        self, reason: str, *, clean: bool, result: Result | None = None, by_client: bool = False
    ) -> None:
        if self._stage == OVER:
            return
        was_joined = self._stage != OPENING
        self._stage = OVER
        self.clock.stop()
        if self._close_timer is not None:
            self._close_timer.cancel()
        if self.term is not None:
            self.term.stop()
            self.term = None
        if was_joined:
            leave_target(self, reason, clean=clean)
        value = value_of(self, None, reason, clean=clean, messages_in=0)
        log_closed(self, value)
        if self.figures is not None:
            socket = self.socket
            traffic = Traffic(0, self.messages_out, socket.bytes_in, socket.bytes_out)
            self.figures.ended(traffic, None, by_client=by_client)
            remember(self, value, by_client=by_client)
        self.finish(result_of(value, result))
        if self.on_over is not None:
            self.on_over(self)
