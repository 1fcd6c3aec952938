"""The functions that start processes and carry messages; ``greenrelay.process`` hands them on.

Source: Processes, "Functions". ``dest`` is a PID, its text or a registered name throughout;
durations are seconds or text such as ``"30s"``. A process that has been told to end gets
ProcessExit from every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, overload

from greenrelay.core.events import NOPROC, RESULT_KILLED, Event
from greenrelay.core.message import NO_CONTEXT, Message, ReplySlot, check_topic
from greenrelay.core.pid import Pid
from greenrelay.core.plain import check_plain
from greenrelay.durations import parse_duration
from greenrelay.errors import ProcessDown, ReservedTopic, Timeout
from greenrelay.runtime import current
from greenrelay.runtime.abroad import spawn_abroad, why_gone
from greenrelay.runtime.channel import Events, Inbox
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import BLOCKED, WAITING
from greenrelay.runtime.timers import Timer
from greenrelay.runtime.wait_cycle import describe_cycle, find_cycle
from greenrelay.runtime.waiter import Waiter, cut_traceback, value_of

Duration = float | str


def spawn(
    entry: object,
    *args: Any,
    host: str | None = None,
    name: str | None = None,
    link: bool = False,
    monitor: bool = False,
    context: Mapping[str, object] | None = None,
    node: str | None = None,
    **kwargs: Any,
) -> Pid:
    """Start a process that runs ``entry(*args, **kwargs)`` and return its PID.

    ``entry`` is a callable, the id of an entry or ``"module:callable"``. Link, monitor and name are
    in force before its first line runs. ``context`` values add to those of the caller. On another
    ``node``, of which it is the id, ``entry`` is the id of an entry declared there, and this waits
    for its answer. Raises UnknownEntry, UnknownHost, HostFull, NameTaken, and NotInProcess for a
    link or monitor asked for outside a process; then nothing was started. For another node also
    UnsendablePayload, ProcessDown without a connection to it, and Timeout.
    """
    return _spawn(entry, args, kwargs, host, name, link, monitor, context, node)


def _spawn(
    entry: object,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    host: str | None,
    name: str | None,
    link: bool,
    monitor: bool,
    context: Mapping[str, object] | None,
    node: str | None,
) -> Pid:
    parent = current.require_process("spawn") if link or monitor else current.current_process()
    if parent is None:
        home = current.current_node("spawn")
        home.check_thread("spawn")
    else:
        home = parent.node
    carried = parent.context if parent and not context else inherited(parent, context)
    if node is not None and node != home.id:
        options = {"host": host, "name": name, "link": link, "monitor": monitor}
        return spawn_abroad(home, node, entry, args, kwargs, {**options, "context": carried})
    process = home.spawn_process(entry, args, kwargs, host, name, carried)
    if parent is not None:
        if parent.children is not None:
            parent.children[process.pid] = name
        if link:
            home.link(parent, process)
        if monitor:
            home.monitor(parent, process.pid)
    return process.pid


def spawn_linked(entry: object, *args: Any, **options: Any) -> Pid:
    """Spawn a process linked to this one; see spawn."""
    return spawn(entry, *args, link=True, **options)


def spawn_monitored(entry: object, *args: Any, **options: Any) -> Pid:
    """Spawn a process this one gets an EXIT for; see spawn."""
    return spawn(entry, *args, monitor=True, **options)


def spawn_linked_monitored(entry: object, *args: Any, **options: Any) -> Pid:
    """Spawn a process linked to this one, which gets an EXIT for it too; see spawn."""
    return spawn(entry, *args, link=True, monitor=True, **options)


def exec(
    entry: object,
    *args: Any,
    timeout: Duration | None = None,
    host: str | None = None,
    name: str | None = None,
    context: Mapping[str, object] | None = None,
    **kwargs: Any,
) -> Any:
    """Spawn ``entry``, wait for it to end and return its value.

    Its exception is raised here, with a ProcessFailed as its cause; ProcessFailed itself when it
    ended abnormally without one. Raises Timeout after ``timeout``. The child dies with the caller,
    and when this call is left in any other way.
    """
    parent = current.require_process("exec")
    seconds = _seconds(timeout)
    child = parent.node.spawn_process(entry, args, kwargs, host, name, inherited(parent, context))
    waiter = Waiter(parent.answered)
    if seconds is not None:
        waiter.until = parent.scheduler.timers.now() + seconds
    try:
        if not _await_answer(parent, child, waiter, seconds):
            what = f"exec of {child.entry}{_circle_of(parent, child)}"
            raise Timeout(what, seconds or 0.0)
    finally:
        if not waiter.is_done:
            child.end(RESULT_KILLED)
    return value_of(waiter, child.pid)


def inherited(
    parent: FunctionProcess | None, context: Mapping[str, object] | None
) -> Mapping[str, object]:
    """Return the context of ``parent`` with the values of ``context`` added."""
    mine = parent.context if parent else NO_CONTEXT
    # Read-only, since the sender, its children and the receivers of its messages share it.
    return MappingProxyType({**mine, **context}) if context else mine


def pid() -> Pid:
    """Return the PID of this process; raises NotInProcess."""
    return current.require_process("pid").pid


def send(dest: str, topic: str, payload: object = None) -> bool:
    """Send a message; it never waits, save for a host whose overflow rule is ``block``.

    Returns True when an inbox took it, or has dropped it by the rule of its host, and False when
    ``dest`` is the PID of a process that has ended, or of a node that is not there; True for
    another node says that it is on its way. Raises
    ReservedTopic, UnknownName, InvalidPid, InboxFull, UnsendablePayload for another node, and what
    a connection says of a bad payload; then nothing was sent.
    """
    process = current.current_process()
    if process is None:
        return current.current_node("send").send(dest, topic, payload)
    process.sent += 1
    if process.outlet is not None:
        process.outlet(dest, topic, payload)
    target = process.table.get(dest)
    if target is None or topic.__class__ is not str:
        return process.node.route(dest, topic, payload, process.pid, process.context)
    text = topic
    if not text or text[0] == "@":
        raise ReservedTopic(topic)
    return target.post(topic, payload, process.pid, process.context, None)


def send_after(delay: Duration, dest: str, topic: str, payload: object = None) -> Timer:
    """Send a message after ``delay``; ``Timer.cancel()`` takes it back.

    A message that cannot be delivered by then is dropped: nobody is there to hear of it. One whose
    sender has ended by then has none, since nothing comes from a process after its EXIT.
    """
    process = current.current_process()
    node = process.node if process else current.current_node("send_after")
    if process is None:
        return node.send_after(delay, dest, topic, payload)
    timer = node.send_after(
        delay, dest, topic, payload, sender=process.pid, context=process.context
    )
    process.sent += 1
    if process.outlet is not None:
        process.outlet(dest, topic, payload)
    return timer


def call(dest: str, topic: str, payload: object = None, timeout: Duration | None = 5.0) -> Any:
    """Send a request and wait for its reply.

    Raises ProcessDown when ``dest`` has ended or ends before it replies, Timeout after
    ``timeout``, what the other side gave to reply_error, what send raises, and InboxFull when a
    full inbox throws the request away. A reply that comes later is dropped.
    """
    return call_in(None, dest, topic, payload, timeout)


def call_in(
    context: Mapping[str, object] | None,
    dest: str,
    topic: str,
    payload: object,
    timeout: Duration | None,
) -> Any:
    """Do what call does, with a message that carries the values of ``context`` as well."""
    caller = current.require_process("call")
    seconds = _seconds(timeout)
    target = caller.table.get(dest) or caller.node.find(dest)
    if target is None:
        raise ProcessDown(dest, why_gone(caller.node, dest).reason)
    if target is caller:
        raise ProcessDown(dest, "calling_self")
    check_topic(topic)
    waiter = Waiter(caller.answered)
    if seconds is not None:
        waiter.until = caller.scheduler.timers.now() + seconds
    caller.sent += 1
    if caller.outlet is not None:
        caller.outlet(dest, topic, payload)
    if not target.post(topic, payload, caller.pid, inherited(caller, context), waiter):
        raise ProcessDown(target.pid, NOPROC)
    if not _await_answer(caller, target, waiter, seconds):
        what = f"call of {dest}, topic {topic!r}{_circle_of(caller, target)}"
        raise Timeout(what, seconds or 0.0)
    if waiter.result is not None:
        raise ProcessDown(target.pid, waiter.result.reason)
    if waiter.error is not None:
        raise waiter.error
    return waiter.value


def _seconds(timeout: Duration | None) -> float | None:
    # What nearly every call gives needs no parsing.
    if timeout is None or (isinstance(timeout, float) and 0.0 <= timeout < 1e9):
        return timeout
    return parse_duration(timeout)


def _await_answer(
    caller: FunctionProcess, target: Process, waiter: Waiter, seconds: float | None
) -> bool:
    """Block until the waiter has its answer; False when the time is up before."""
    target.is_related = True
    waiters = target.waiters
    if waiters is None:
        waiters = target.waiters = {}
    waiters[waiter] = None
    caller.calling = target
    until = waiter.until
    try:
        while not waiter.is_done:
            if seconds is None:
                caller.wait(BLOCKED)
            elif not caller.wait_until(BLOCKED, until):
                return False
    finally:
        caller.calling = None
        waiter.drop()
        waiters.pop(waiter, None)
        if not waiter.is_done:
            target.hung_up(waiter)
    return True


def _circle_of(caller: Process, target: Process) -> str:
    # The caller has stopped waiting to say so.
    cycle = find_cycle(caller, lambda each: target if each is caller else each.calling)
    return f" ({describe_cycle([each.pid for each in cycle])})" if cycle else ""


def reply(message: Message, value: object = None) -> bool:
    """Answer a message that was sent with call; False when its caller waits no more.

    Raises ValueError for a message that was sent otherwise, and UnsendablePayload for the caller
    on another node, or on any under ``strict_payloads``; then the caller still waits.
    """
    process = current.require_process("reply")
    slot = _slot_of(message)
    if process.is_strict:
        check_plain(value, "reply")
    return slot.answer(value)


def reply_error(message: Message, error: Exception) -> bool:
    """Answer a call by raising ``error`` in its caller; False when it waits no more.

    It is raised with the traceback it has got here. Raises TypeError for what is no exception,
    such as a class, or one that ends processes, and ValueError as reply does.
    """
    current.require_process("reply_error")
    slot = _slot_of(message)
    if not isinstance(error, Exception):
        raise TypeError(f"reply_error() was given {error!r}; it must be an instance of Exception")
    cut_traceback(error)
    return slot.fail(error)


def _slot_of(message: Message) -> ReplySlot:
    if message.reply_to is None:
        raise ValueError(f"message {message.topic!r} was sent, not called: nobody awaits a reply")
    return message.reply_to


def inbox() -> Inbox:
    """Return the messages of this process as something to iterate and receive from."""
    return Inbox(current.require_process("inbox"))


def events() -> Events:
    """Return the lifecycle events of this process as a channel of their own.

    From the first call on the process handles CANCEL itself: iterating the inbox goes on.
    """
    process = current.require_process("events")
    process.reads_events = True
    return Events(process)


@overload
def receive(*, timeout: Duration | None = None) -> Message | Event: ...
@overload
def receive(topic: str, /, *topics: str, timeout: Duration | None = None) -> Message: ...
def receive(*topics: str, timeout: Duration | None = None) -> Message | Event:
    """Wait for the next of messages and events, in order of arrival.

    With topics, wait for the first message that has one of them; all else stays in order. Raises
    Timeout, and TypeError for a topic that is no text; a ``timeout`` of 0 looks and does not wait.
    """
    if topics:
        return _next_of(topics, timeout)
    return _next(current.require_process("receive"), timeout)


def _next(process: FunctionProcess, timeout: Duration | None) -> Message | Event:
    mailbox = process.open_mailbox()
    seconds = _seconds(timeout)
    item: Message | Event | None = mailbox.take()
    if item is not None:
        return item
    if seconds is None:
        while True:
            process.wait(WAITING)
            item = mailbox.take()
            if item is not None:
                return item
    until = process.scheduler.timers.now() + seconds
    while True:
        if not process.wait_until(WAITING, until):
            raise Timeout("receive()", seconds)
        item = mailbox.take()
        if item is not None:
            return item


def _next_of(topics: tuple[str, ...], timeout: Duration | None) -> Message:
    process = current.require_process("receive")
    for topic in topics:
        if not isinstance(topic, str):
            # A number is most likely meant to be how long to wait.
            raise TypeError(f"receive: topic {topic!r} is no text; a timeout is timeout={topic!r}")
    mailbox = process.open_mailbox()
    looked_at = 0

    def take() -> Message | None:
        nonlocal looked_at
        found = mailbox.take_topic(topics, looked_at)
        looked_at = mailbox.arrived
        return found

    what = f"receive{topics!r}"
    item: Message = process.await_item(take, _seconds(timeout), what)
    return item


def context() -> Mapping[str, object]:
    """Return the values this process has inherited and its messages carry."""
    return current.require_process("context").context
