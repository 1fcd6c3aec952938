"""A client of NATS on gevent: subscriptions, messages, requests, and connections that come back.

Source: Cluster, "The engine". One greenlet connects and reads, one writes what has come together,
one asks the server whether it is there. Handlers run in the reader: they must not wait. What is
published while there is no connection waits for the next one, up to a bound.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial

import gevent
from gevent.event import AsyncResult
from gevent.event import Event as Flag

from greenrelay.cluster.address import Address, Server
from greenrelay.cluster.nats import wire
from greenrelay.cluster.nats.connector import Connector, Patience
from greenrelay.cluster.nats.dial import Line, ServerInfo, open_line, read_info
from greenrelay.cluster.nats.outbox import Outbox
from greenrelay.cluster.nats.owner import NobodyAnswers, Owner
from greenrelay.cluster.nats.parser import Err, Event, Fault, Info, Message, Oversize, Ping, Pong
from greenrelay.cluster.nats.pulse import Pulse
from greenrelay.cluster.nats.requests import Answered, Requests
from greenrelay.cluster.nats.subscriptions import Handler, Subscriptions
from greenrelay.errors import EngineError

log = logging.getLogger("greenrelay.cluster")
MAX_REFUSALS = 16


class Client:
    """One client; ``start`` connects, ``stop`` ends it for good.

    ``counters`` has how often what was dropped or refused, by its reason. ``heard_at`` is when the
    server was last heard, ``refusals`` are the last texts by which it forbade a subject.
    """

    def __init__(
        self,
        address: Address,
        owner: Owner,
        *,
        patience: Patience | None = None,
        outbox: Outbox | None = None,
    ) -> None:
        self.address = address
        self.name = "greenrelay"
        self.inbox = b"_INBOX." + random.randbytes(11).hex().encode()
        self.info = ServerInfo()
        self.counters: Counter[str] = Counter()
        self.refusals: deque[str] = deque(maxlen=MAX_REFUSALS)
        self.heard_at = 0.0
        self.pulse = Pulse()
        self.outbox = outbox or Outbox()
        self._owner = owner
        self._patience = patience or Patience()
        self._connector = Connector(address, self._patience, self._dial)
        self._requests = Requests()
        self._subscriptions = Subscriptions()
        self._inbox_sid = self._subscriptions.add(b"", self._requests.on_message)
        self._line: Line | None = None
        self._why = ""
        self._news = Flag()
        self._has_line = Flag()
        self._greenlets: list[gevent.Greenlet[..., None]] = []

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._line is not None

    def start(self) -> None:
        """Connect; waits a few seconds at most. Raises EngineError when that cannot be."""
        line = self._connector.first()
        self._greenlets = [
            gevent.spawn(self._run, line),
            gevent.spawn(self._write),
            gevent.spawn(self._ask_often),
        ]
        self._adopt(line)

    def stop(self) -> None:
        """End the connection and everything that waits for it; idempotent."""
        greenlets, self._greenlets = self._greenlets, []
        gevent.killall([each for each in greenlets if each is not gevent.getcurrent()])
        self._break(self._line, "the client has stopped")
        self._has_line.clear()
        self._forget()

    def forked(self) -> None:
        """Let go of the connection, in a forked child: it is the parent's. Must not wait."""
        greenlets, self._greenlets = self._greenlets, []
        gevent.killall(greenlets, block=False)
        self._break(self._line, "this is a forked child")

    def publish(self, subject: bytes, data: bytes) -> bool:
        """Queue a frame; False when there is no room for it, which is counted."""
        outbox = self.outbox
        was_empty = outbox.is_empty
        if not outbox.frame(b"PUB %b %d\r\n%b\r\n" % (subject, len(data), data)):
            self.counters["outbox full"] += 1
            return False
        if was_empty:
            self._news.set()
        return True

    def command(self, command: bytes) -> None:
        """Send a command on this connection; dropped when there is none."""
        if self.outbox.is_stuck:
            self._break(self._line, "the server takes nothing")
        if self._line is not None:
            self.outbox.command(command)
            self._news.set()

    def subscribe(self, subject: bytes, handler: Handler) -> int:
        """Call ``handler`` for what comes to ``subject``, now and on later connections."""
        sid = self._subscriptions.add(subject, handler)
        self.command(wire.subscribe(subject, sid))
        return sid

    def resubscribe(self, sid: int, subject: bytes) -> None:
        """Let a subscription be for another subject, from the next connection on."""
        self._subscriptions.move(sid, subject)

    def unsubscribe(self, sid: int) -> None:
        """End a subscription."""
        if self._subscriptions.remove(sid):
            self.command(wire.unsubscribe(sid))

    def ask(
        self, subject: bytes, data: bytes, answered: Answered, header: bytes = b""
    ) -> bytes | None:
        """Send a request; ``answered`` gets the answer, or None when the connection ends first.

        Returns what ``forget`` takes, or None when it was not sent: there is no connection, or too
        many requests wait.
        """
        if self._line is None:
            return None
        token = self._requests.add(answered)
        if token is None:
            self.counters["too many requests"] += 1
            return None
        self.command(wire.publish(subject, data, b"%b.%b" % (self.inbox, token), header))
        return token

    def forget(self, token: bytes) -> None:
        """Wait no more for the answer to a request."""
        self._requests.forget(token)

    def request(
        self, subject: bytes, data: bytes, header: bytes = b"", *, timeout: float = 5.0
    ) -> Message:
        """Send a request and wait for its answer; raises EngineError when none comes."""
        deadline = time.monotonic() + timeout
        self._has_line.wait(timeout)
        result: AsyncResult[Message | None] = AsyncResult()
        token = self.ask(subject, data, result.set, header)
        if token is None:
            raise self._error("there is no connection, or too many requests wait")
        try:
            answer = result.wait(max(deadline - time.monotonic(), 0))
        finally:
            self.forget(token)
        if not result.ready():
            raise self._error(f"no answer within {timeout:g} s")
        if answer is None:
            raise self._error("the connection was lost before the answer")
        if answer[3] and wire.status_of(answer[3]) == 503:
            raise NobodyAnswers(self.address.shown, f"nobody answers to {subject.decode()}")
        return answer

    def flush(self, timeout: float) -> bool:
        """Wait until the server has taken all that was queued; False when it has not in time."""
        with gevent.Timeout(timeout, False):  # type: ignore[arg-type]  # gevent's own idiom
            while self._line is None or self.outbox.size:
                self._has_line.wait()
                gevent.sleep(0.001)
            pong: AsyncResult[bool] = AsyncResult()
            self._ping(pong.set)
            return bool(pong.get())
        return False

    def reconnect(self, why: str) -> None:
        """End this connection; another follows at once."""
        self._break(self._line, why)

    def _error(self, why: str) -> EngineError:
        return EngineError(self.address.shown, why)

    def _dial(self, server: Server) -> Line:
        self._owner.on_connecting()
        self._subscriptions.move(self._inbox_sid, self.inbox + b".*")
        return open_line(server, self.address, self.name, self._first, self._patience.connect)

    def _first(self, info: ServerInfo) -> bytes:
        self._learn(info)
        return self._subscriptions.first() + self._owner.greeting()

    def _adopt(self, line: Line) -> None:
        self._line = line
        self._why = ""
        self.heard_at = time.monotonic()
        for command in self._subscriptions.late():
            self.command(command)
        self._has_line.set()
        self._news.set()
        self._owner.on_up()

    def _run(self, line: Line) -> None:
        while True:
            self._read(line)
            self._forget()
            self._tell(partial(self._owner.on_down, self._why))
            line = self._connector.again(line)
            self._tell(partial(self._adopt, line))

    def _tell(self, told: Callable[[], None]) -> None:
        try:
            told()
        except Exception:
            # That it did must not end who connects again.
            self.counters["handler failed"] += 1
            log.exception("cluster: who was told that a connection has come or gone failed")

    def _read(self, line: Line) -> None:
        try:
            self._handle(line.early)
            while self._line is line:
                events = line.receive()
                self.heard_at = time.monotonic()
                self.pulse.unanswered = 0
                self._handle(events)
                # Others must get their turn, however much comes.
                gevent.sleep(0)
        except Exception as error:
            # Of any kind: what was TLS and the writer has closed fails as it happens to.
            self._break(line, str(error))

    def _handle(self, events: list[Event]) -> None:
        handlers = self._subscriptions.handlers
        for event in events:
            if not isinstance(event, tuple):
                self._control(event)
                continue
            try:
                if handler := handlers.get(event[0]):
                    handler(event)
            except Exception:
                self.counters["handler failed"] += 1
                log.exception("cluster: a handler for %r failed", event[1])

    def _control(self, event: Event) -> None:
        if isinstance(event, Ping):
            self.command(wire.PONG)
        elif isinstance(event, Pong):
            self.pulse.on_pong()
        elif isinstance(event, Info):
            self._learn(read_info(event.data))
        elif isinstance(event, Err):
            self.counters["refused by the server"] += 1
            if event.text not in self.refusals:
                # Once: it is the same again for each frame.
                self.refusals.append(event.text)
                log.warning("cluster engine %s: %s", self.address.shown, event.text)
        elif isinstance(event, Oversize):
            self.counters["frame too large"] += 1
        elif isinstance(event, Fault):
            self.counters["broken stream"] += 1
            raise ConnectionError(event.why)

    def _learn(self, info: ServerInfo) -> None:
        self.info = info
        self._connector.learn(info)

    def _ping(self, answered: Callable[[bool], object] | None = None) -> None:
        self.pulse.sent(time.monotonic(), answered)
        self.command(wire.PING)

    def _ask_often(self) -> None:
        while True:
            gevent.sleep(self._patience.ping)
            if self._line is None:
                continue
            if self.pulse.unanswered >= self._connector.pings:
                self._break(self._line, "the server does not answer")
                continue
            self.pulse.unanswered += 1
            self._ping()

    def _write(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            line = self._line
            if line is None:
                continue
            try:
                line.sock.sendall(self.outbox.take())
            except Exception as error:
                # Of any kind: what was TLS and the reader has closed fails as it happens to.
                self.counters["write broken"] += 1
                self._break(line, str(error))
            finally:
                self.outbox.written()

    def _break(self, line: Line | None, why: str) -> None:
        if line is None or self._line is not line:
            return
        self._line = None
        self._why = why
        self._has_line.clear()
        # It wakes the reader, which sees to the rest.
        line.sock.close()

    def _forget(self) -> None:
        """Drop what was of a connection that has ended."""
        self.outbox.forget_commands()
        self.pulse.end()
        self._requests.fail()
