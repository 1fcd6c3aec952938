"""What is done to a process from outside it: run it and wait, send later, ask it to end, end it.

Source: Processes, "Functions".
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gevent.event import Event as Flag

from greenrelay.core.events import Cancel, Event, Result, check_reason
from greenrelay.core.message import check_topic
from greenrelay.core.pid import Pid
from greenrelay.core.plain import check_plain
from greenrelay.errors import InvalidPid, Timeout
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import DEAD
from greenrelay.runtime.timers import Timer
from greenrelay.runtime.waiter import Waiter, value_of

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

log = logging.getLogger("greenrelay.runtime")


def run_from_outside(
    node: Node, entry: object, args: tuple[Any, ...], kwargs: dict[str, Any], timeout: float | None
) -> object:
    """Run ``entry`` as a process of ``node``, wait, return its value; see Node.run."""
    done = Flag()
    waiter = Waiter(done.set)
    process = node.spawn_process(entry, args, kwargs)
    process.is_related = True
    process.waiters = {waiter: None}
    try:
        if not done.wait(timeout):
            raise Timeout(f"{process.entry}", timeout or 0.0)
    finally:
        if not waiter.is_done:
            waiter.drop()
            node.terminate(process.pid)
    return value_of(waiter, process.pid)


def send_later(
    node: Node,
    seconds: float,
    dest: str,
    topic: str,
    payload: object,
    sender: Pid | None,
    context: Mapping[str, object],
) -> Timer:
    """Send a message after ``seconds``; see Node.send_after."""
    check_topic(topic)
    if not isinstance(dest, str):
        raise InvalidPid(dest, f"it is {type(dest).__name__}, not text")
    if node.strict_payloads or _is_abroad(node, dest):
        # Once it is sent there is nobody who could be told.
        check_plain(payload)
    timer = Timer(
        lambda: route_quietly(node, dest, topic, payload, sender, context),
        f"send_after of {topic!r} to {dest}",
    )
    node.on_hub(node.timers.start, seconds, timer)
    return timer


def send_from_thread(
    node: Node, dest: str, topic: str, payload: object, context: Mapping[str, object]
) -> bool:
    """Send a message in a thread other than the node's; see Node.send."""
    check_topic(topic)
    target = node.find(dest)
    if target is None:
        return False
    if node.strict_payloads or target.is_remote:
        # What is found out later is told to nobody.
        check_plain(payload)
    node.on_hub(route_quietly, node, dest, topic, payload, None, context)
    return True


def _is_abroad(node: Node, dest: str) -> bool:
    """Whether ``dest`` is the PID of another node; who has a name is known when it is sent."""
    is_pid = node.cluster is not None and dest.startswith("{")
    return is_pid and not dest.startswith(f"{{{node.id}@")


def route_quietly(
    node: Node,
    dest: str,
    topic: str,
    payload: object,
    sender: Pid | None,
    context: Mapping[str, object],
) -> None:
    """Deliver a message whose sender hears of nothing any more: what goes wrong is logged."""
    if sender is not None and sender not in node.processes:
        # Its EXIT may have been told, and nothing comes from a process after that.
        sender = None
    try:
        node.route(dest, topic, payload, sender, context)
    except Exception as error:
        log.warning("message %r to %s was lost: %s", topic, dest, error)


def ask_to_end(node: Node, process: Process | None, event: Cancel) -> bool:
    """Give a process CANCEL, and kill it at the deadline; see Node.cancel."""
    if event.reason is not None:
        check_reason(event.reason)
    if process is None:
        return False
    node.on_hub(_tell, process, event)
    # The node of a process keeps its deadline.
    if not process.is_remote:
        node.on_hub(_kill_later, process, event.deadline)
    return True


def _kill_later(process: Process, deadline: float) -> None:
    if process.state != DEAD:
        node, pid = process.node, process.pid
        timer = Timer(lambda: node.terminate(pid), f"deadline of cancel of {pid}")
        node.timers.start(deadline, timer)
        node.kills.setdefault(pid, []).append(timer)


def end_now(node: Node, process: Process | None, result: Result) -> bool:
    """End a process; see Node.terminate."""
    if process is None:
        return False
    node.on_hub(_end, process, result)
    return True


def _tell(process: Process, event: Event) -> None:
    process.deliver_event(event)


def _end(process: Process, result: Result) -> None:
    process.end(result)
