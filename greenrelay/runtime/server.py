"""Servers: processes that cost no greenlet while they have nothing to do.

Source: Processes, "Servers: processes that cost nothing while idle". A server is a class whose
methods are called for what arrives. It borrows a worker while its mailbox holds something, 32
items at a time so that a busy one does not keep others waiting, and gives it back then. A handler
may wait like any process, and keeps its worker meanwhile.
"""

from __future__ import annotations

from types import CoroutineType
from typing import TYPE_CHECKING, Any, NamedTuple

from greenrelay.core.events import (
    KILLED,
    NORMAL,
    RESULT_KILLED,
    SHUTDOWN,
    Cancel,
    Event,
    Result,
    result_of_reason,
)
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.core.plain import check_plain
from greenrelay.runtime.crash import ENDS_PROGRAM, refuse_coroutine
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.task import DEAD, EXITING, NEW, NO_SIGNAL, READY, RUNNING, START, WAITING

if TYPE_CHECKING:
    from greenrelay.runtime.host import Host
    from greenrelay.runtime.node import Node

BATCH = 32


class Stop(NamedTuple):
    """What a handler returns to end its server: see stop."""

    reason: str
    reply: object


class _Later:
    """The type of REPLY_LATER."""

    def __repr__(self) -> str:
        return "REPLY_LATER"


REPLY_LATER = _Later()


def stop(reason: str = NORMAL, *, reply: object = None) -> Stop:
    """Return what ends a server when its handler returns it; ``reply`` answers a call."""
    return Stop(reason, reply)


class Server:
    """A process written as a class: ``spawn(Room, "tea")`` calls ``init("tea")`` and serves.

    Handlers run one at a time. One that raises ends the server abnormally; one that returns
    ``stop(reason)`` ends it with that reason. ``terminate`` is called last, however it ends.
    """

    def init(self, *args: Any, **kwargs: Any) -> object:
        """Set the server up with the arguments of spawn; runs as the process, before the rest."""
        return None

    def handle_message(self, message: Message) -> object:
        """Do what a message that was sent asks for; by default nothing."""
        return None

    def handle_call(self, message: Message) -> object:
        """Return the reply to a message that was called, or REPLY_LATER and reply() later."""
        raise ValueError(f"{type(self).__name__} answers no calls; it got {message.topic!r}")

    def handle_event(self, event: Event) -> object:
        """Take an EXIT, LINK_DOWN or CANCEL; by default CANCEL ends the server."""
        return stop(SHUTDOWN) if isinstance(event, Cancel) else None

    def terminate(self, reason: str) -> None:
        """Clean up. A server that was killed cannot send or wait here any more."""


class RelayTarget(Server):
    """A server that relayed clients are handed to; each topic of the relay has a method.

    ``message_topic`` is the topic of client messages, if the relay command names another than
    ``ws.message``. Payloads are those of the relay.
    """

    message_topic = "ws.message"

    def handle_message(self, message: Message) -> object:
        """Call the method of the topic."""
        topic = message.topic
        payload: Any = message.payload
        if topic == self.message_topic:
            return self.on_message(payload)
        if topic in ("ws.join", "sse.join"):
            return self.on_join(payload)
        if topic in ("ws.leave", "sse.leave"):
            return self.on_leave(payload)
        if topic in ("ws.heartbeat", "sse.heartbeat"):
            return self.on_heartbeat(payload)
        return self.on_other(message)

    def on_join(self, payload: dict[str, Any]) -> object:
        """A client has come: ``client_pid``, ``metadata``, ``reason`` and more."""
        return None

    def on_message(self, payload: dict[str, Any]) -> object:
        """A client has sent something: ``client_pid``, ``type``, ``data``, ``metadata``."""
        return None

    def on_heartbeat(self, payload: dict[str, Any]) -> object:
        """A client is still there: ``client_pid``, ``uptime``, ``rtt`` and more."""
        return None

    def on_leave(self, payload: dict[str, Any]) -> object:
        """A client has gone: ``client_pid``, ``reason``, ``code``, ``clean``, ``metadata``."""
        return None

    def on_other(self, message: Message) -> object:
        """A message that is not the relay's has come."""
        return None


class ServerProcess(FunctionProcess):
    """The process of a server; it has a greenlet only while it handles something."""

    __slots__ = ("_cleans_up", "_server")

    def __init__(self, node: Node, host: Host, pid: Pid, entry: object) -> None:
        FunctionProcess.__init__(self, node, host, pid, entry)
        self._server: Server | None = None
        self._cleans_up = False
        self.reads_events = True

    def run(self) -> None:
        """Handle what has arrived, in a worker; give it back or report the ending."""
        result: Result | None
        error: BaseException | None = None
        try:
            result = self._activate()
        except BaseException as caught:
            error = caught
            result = self.result_of(caught)
        if self.exit_result is not None:
            result, error = self.exit_result, None
        if result is None:
            self._rest()
            return
        result = self._clean_up(result)
        self.finish(result, error)
        if isinstance(error, ENDS_PROGRAM):
            self.scheduler.hub.handle_system_error(type(error), error)

    def end(self, result: Result) -> None:
        """End the server; one that is idle ends at once, after its terminate if it has one."""
        if self.greenlet is not None or self.state in (NEW, EXITING, DEAD):
            FunctionProcess.end(self, result)
            return
        self.exit_result = result
        self.state = EXITING
        if not self._cleans_up:
            self.finish(result)
            return
        self.node.reaper.expect(self)
        self.signal = START
        self.scheduler.enqueue(self)

    def let_go(self) -> None:
        """Drop what only a live process needs."""
        FunctionProcess.let_go(self)
        self._server = None

    def _activate(self) -> Result | None:
        """Handle up to BATCH items; return how the server ends, None when it goes on."""
        if self.state == EXITING:
            self.signal = NO_SIGNAL
            return self.exit_result
        self.state = RUNNING
        server = self._server
        if server is None:
            ended = self._begin()
            if ended is not None:
                return ended
            server = self._server
            assert server is not None
        mailbox = self.open_mailbox()
        for _ in range(BATCH):
            item = mailbox.take()
            if item is None:
                return None
            if isinstance(item, Message):
                answer = self._handle(server, item)
            else:
                answer = server.handle_event(item)
            if answer.__class__ is CoroutineType:
                refuse_coroutine(answer)
            if answer.__class__ is Stop:
                return result_of_reason(answer.reason)
            if self.state == EXITING:
                return self.exit_result
        return None

    def _handle(self, server: Server, message: Message) -> object:
        # The field and not the property, which is a call for each message.
        slot = message._reply_to
        if slot is None:
            return server.handle_message(message)
        answer = server.handle_call(message)
        if answer.__class__ is CoroutineType:
            return answer
        if answer is not REPLY_LATER:
            value = answer.reply if isinstance(answer, Stop) else answer
            if self.is_strict:
                check_plain(value, "reply")
            slot.answer(value)
        return answer

    def _begin(self) -> Result | None:
        function, args, kwargs = self.function, self.args, self.kwargs
        self.function, self.args, self.kwargs = None, (), None
        assert isinstance(function, type)
        server = function()
        assert isinstance(server, Server)
        self._server = server
        self._cleans_up = type(server).terminate is not Server.terminate
        answer = server.init(*args, **(kwargs or {}))
        if isinstance(answer, CoroutineType):
            refuse_coroutine(answer)
        return result_of_reason(answer.reason) if isinstance(answer, Stop) else None

    def _rest(self) -> None:
        """Give the worker back: until something arrives, or to let others go first."""
        self.greenlet = self.resume = None
        mailbox = self._mailbox
        if mailbox is not None and (mailbox.messages or mailbox.events):
            self.state = READY
            self.scheduler.enqueue(self)
        else:
            self.state = WAITING

    def _clean_up(self, result: Result) -> Result:
        """Call terminate; what it raises is logged, and the first reason stays."""
        server = self._server
        if server is None or not self._cleans_up:
            return result
        try:
            server.terminate(result.reason)
        except BaseException as error:
            self.result_of(error)
        killed = self.exit_result
        return RESULT_KILLED if killed is not None and killed.reason == KILLED else result
