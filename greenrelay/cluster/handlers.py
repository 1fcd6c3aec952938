"""What each frame of another node does on this one, but for messages, which ``link.py`` hands on.

Source: Cluster, "What changes for a program". Each handler may raise ValueError for a frame that
says nothing, and must neither wait nor run code of the user.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenrelay.cluster.carried import context_of, load_error, load_result
from greenrelay.cluster.casting import on_broadcast
from greenrelay.cluster.remote import RemoteCaller
from greenrelay.cluster.session import NOT_KNOWN
from greenrelay.cluster.wire import Frame, Kind, load
from greenrelay.core.events import (
    RESULT_NOCONNECTION,
    RESULT_NOPROC,
    Exit,
    LinkDown,
    MonitorRef,
    result_of_reason,
)
from greenrelay.core.message import Message, check_topic
from greenrelay.core.pid import Pid
from greenrelay.errors import InboxFull
from greenrelay.runtime.process import Process

if TYPE_CHECKING:
    from greenrelay.cluster.link import Link

log = logging.getLogger("greenrelay.cluster")


def _process(link: Link, text: str) -> Process | None:
    return link.mesh.node.processes.get(text)


def refused(link: Link, process: Process, caller: RemoteCaller | None, error: Exception) -> None:
    """Count a message that its process has refused, and tell who called."""
    if caller is not None:
        caller.fail(error)
    if isinstance(error, InboxFull):
        link.mesh.count("inbox_full")
    else:
        link.mesh.count("refused")
        log.warning("%s: a message from %s: %s", process.pid, link.member.node, error)


def on_sure_message(link: Link, frame: Frame) -> None:
    """A message no limit may refuse."""
    process = _process(link, frame.to)
    if process is None:
        link.mesh.count("no_process")
        return
    check_topic(frame.topic)
    sender = link.pid(frame.sender) if frame.sender else None
    message = Message(frame.topic, load(frame.payload), sender, context_of(frame))
    try:
        process.deliver_surely(message)
    except (TypeError, ValueError) as error:
        refused(link, process, None, error)


def on_reply(link: Link, frame: Frame) -> None:
    """The answer to a call."""
    waiter = link.forget(frame.ref)
    if waiter is not None:
        waiter.answer(load(frame.payload))


def on_failure(link: Link, frame: Frame) -> None:
    """What a call is to raise."""
    waiter = link.forget(frame.ref)
    if waiter is not None:
        waiter.fail(load_error(frame.payload))


def on_down(link: Link, frame: Frame) -> None:
    """The ending of a process that was called."""
    waiter = link.forget(frame.ref)
    if waiter is not None:
        waiter.down(load_result(frame.payload), None)


def on_hang_up(link: Link, frame: Frame) -> None:
    """A caller waits no more."""
    caller = link.callers.get(frame.ref)
    if caller is not None:
        caller.drop()


def on_monitor(link: Link, frame: Frame) -> None:
    """A process there monitors one here."""
    watcher = link.pid(frame.sender)
    process = _process(link, frame.to)
    if process is None:
        result = link.dump_result(RESULT_NOPROC)
        link.post(Kind.EXIT, frame.sender, frame.to, ref=frame.ref, payload=result)
        return
    watch(link, watcher, process, frame.ref)


def watch(link: Link, watcher: Pid, process: Process, number: int) -> None:
    """Let a process there hear of the ending of ``process``."""
    process.is_related = True
    link.mesh.node.topology.enter(MonitorRef(watcher, process.pid, number))
    link.relate(watcher)


def on_unmonitor(link: Link, frame: Frame) -> None:
    """It does not any more."""
    ref = MonitorRef(link.pid(frame.sender), Pid.parse(frame.to), frame.ref)
    link.mesh.node.topology.take(ref)


def on_exit(link: Link, frame: Frame) -> None:
    """A process there has ended that one here monitors."""
    target, watcher = link.pid(frame.sender), Pid.parse(frame.to)
    result = load_result(frame.payload)
    ref = MonitorRef(watcher, target, frame.ref)
    # Once only: a monitor that was taken back, or has fired noconnection, is in force no more.
    if link.mesh.node.topology.take(ref):
        process = link.mesh.node.processes.get(watcher)
        if process is not None:
            process.deliver_event(Exit(target, result, ref))


def on_link(link: Link, frame: Frame) -> None:
    """A process there links one here; the number says to which epoch of this side."""
    other = link.pid(frame.sender)
    if not link.is_of_now(frame.ref):
        if frame.ref == NOT_KNOWN:
            # Nothing else would tell the other side that this is not the session it means.
            link.post_result(Kind.LINK_DOWN, RESULT_NOCONNECTION, frame.sender, frame.to)
        # Else it will hear that the session is over, and with it the link.
        return
    process = _process(link, frame.to)
    if process is None:
        result = link.dump_result(RESULT_NOPROC)
        link.post(Kind.LINK_DOWN, frame.sender, frame.to, payload=result)
        return
    share_fate(link, other, process)


def share_fate(link: Link, other: Pid, process: Process) -> None:
    """Link a process there with ``process``."""
    process.is_related = True
    link.mesh.node.topology.link(other, process.pid)
    link.relate(other)


def on_unlink(link: Link, frame: Frame) -> None:
    """It is linked no more: it has unlinked, or ended normally."""
    link.mesh.node.topology.part(link.pid(frame.sender), Pid.parse(frame.to))


def on_link_down(link: Link, frame: Frame) -> None:
    """A process there has ended abnormally that one here is linked with."""
    other, pid = link.pid(frame.sender), Pid.parse(frame.to)
    result = load_result(frame.payload)
    if link.mesh.node.topology.part(pid, other):
        process = link.mesh.node.processes.get(pid)
        if process is not None:
            process.deliver_event(LinkDown(other, result))


def on_cancel(link: Link, frame: Frame) -> None:
    """A process here is asked to end."""
    match load(frame.payload):
        case [float(deadline) | int(deadline), None | str() as reason] if deadline >= 0:
            sender = link.pid(frame.sender) if frame.sender else None
            if _process(link, frame.to) is not None:
                pid = Pid.parse(frame.to)
                link.mesh.node.cancel(pid, sender=sender, deadline=float(deadline), reason=reason)
        case _:
            raise ValueError("a deadline and a reason are wanted")


def on_terminate(link: Link, frame: Frame) -> None:
    """A process here has to end; one that is ending already may still be killed."""
    reason = load(frame.payload)
    if not isinstance(reason, str):
        raise ValueError("a reason is wanted")
    process = link.mesh.node.processes.get(Pid.parse(frame.to))
    if process is not None:
        process.end(result_of_reason(reason))


def on_group(link: Link, frame: Frame) -> None:
    """Something of groups: see grouping.py."""
    link.mesh.groups.on_frame(link, frame)


def on_request(link: Link, frame: Frame) -> None:
    """A question: see requests.py."""
    link.mesh.on_request(link, frame)


HANDLERS: dict[int, Callable[[Link, Frame], None]] = {
    Kind.SURE_MESSAGE: on_sure_message,
    Kind.REPLY: on_reply,
    Kind.FAILURE: on_failure,
    Kind.DOWN: on_down,
    Kind.HANG_UP: on_hang_up,
    Kind.MONITOR: on_monitor,
    Kind.UNMONITOR: on_unmonitor,
    Kind.EXIT: on_exit,
    Kind.LINK: on_link,
    Kind.UNLINK: on_unlink,
    Kind.LINK_DOWN: on_link_down,
    Kind.CANCEL: on_cancel,
    Kind.TERMINATE: on_terminate,
    Kind.INFO: on_request,
    Kind.SPAWN: on_request,
    Kind.ENROL: on_request,
    **dict.fromkeys(range(Kind.INTEREST, Kind.BROADCAST), on_group),
    Kind.BROADCAST: on_broadcast,
}
