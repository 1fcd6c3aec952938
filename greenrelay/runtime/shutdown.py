"""How a node ends.

Source: Processes, "Functions", last paragraphs: every process is asked to end (CANCEL), has the
timeout to do so, and is killed then; what refuses even that is reported and left behind. Who keeps
the end waiting is logged: else nobody would know why each stop takes as long as it may.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event as Flag
from greenlet import getcurrent

from greenrelay.core.events import Cancel
from greenrelay.runtime.task import DEAD

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

log = logging.getLogger("greenrelay.runtime")
# The part of the timeout after which they are named: supervisors kill at its very end.
LATE = 0.9
NAMED = 5


def shut_down(node: Node, timeout: float) -> None:
    """End every process of ``node`` and close it; waits up to ``timeout`` and the grace period.

    Raises RuntimeError in a process of the node: it would have to wait for its own ending.
    """
    process = getattr(getcurrent(), "greenrelay_process", None)
    if process is not None and process.node is node and process.state != DEAD:
        raise RuntimeError(
            f"process {process.pid} cannot shut down its own node: it would wait for its own "
            "ending; call node.shutdown() outside the node's processes"
        )
    node.is_stopped = True
    node.idle = Flag()
    try:
        for each in tuple(node.processes.values()):
            # A supervisor ends its children itself, in reverse order.
            if each.pid not in node.supervised:
                each.deliver_event(Cancel(None, "shutdown", timeout))
        if node.processes and not node.idle.wait(timeout * LATE):
            _tell_of_the_late(node, timeout)
            if not node.idle.wait(timeout * (1 - LATE)):
                _kill_all(node)
        while len(node.supervisor):
            gevent.sleep(0)
    finally:
        node.close()


def _tell_of_the_late(node: Node, timeout: float) -> None:
    # A supervisor is there as long as its children are.
    late = [each for pid, each in node.processes.items() if pid not in node.supervisors]
    late = late or list(node.processes.values())
    named = ", ".join(f"{each.pid} ({each.entry})" for each in late[:NAMED])
    more = f" and {len(late) - NAMED} more" if len(late) > NAMED else ""
    log.warning(
        "asked to end and still there after %g s, to be killed after %g s: %s%s",
        timeout * LATE,
        timeout,
        named,
        more,
    )


def _kill_all(node: Node) -> None:
    assert node.idle is not None
    for pid in tuple(node.processes):
        node.terminate(pid)
    # One second for the reaper to say who stayed.
    node.idle.wait(node.grace + 1)
