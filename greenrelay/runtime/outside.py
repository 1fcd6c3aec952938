"""What is done to a process from outside it: run it and wait, ask it to end, end it.

Source: Processes, "Functions".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gevent.event import Event as Flag

from greenrelay.core.events import Cancel, Event, Result
from greenrelay.errors import Timeout
from greenrelay.runtime.process import Process
from greenrelay.runtime.timers import Timer
from greenrelay.runtime.waiter import Waiter, value_of

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node


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


def ask_to_end(node: Node, process: Process | None, event: Cancel) -> bool:
    """Give a process CANCEL, and kill it at the deadline; see Node.cancel."""
    if process is None:
        return False
    node.on_hub(_tell, process, event)
    # The node of a process keeps its deadline.
    if not process.is_remote:
        pid = process.pid
        node.on_hub(node.timers.start, event.deadline, Timer(lambda: node.terminate(pid)))
    return True


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
