"""How a node ends.

Source: Processes, "Functions", last paragraphs: every process is asked to end (CANCEL), has the
timeout to do so, and is killed then; what refuses even that is reported and left behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent
from gevent.event import Event as Flag
from greenlet import getcurrent

from greenrelay.core.events import Cancel
from greenrelay.runtime.task import DEAD

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node


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
        if node.processes and not node.idle.wait(timeout):
            _kill_all(node)
        while len(node.supervisor):
            gevent.sleep(0)
    finally:
        node.close()


def _kill_all(node: Node) -> None:
    assert node.idle is not None
    for pid in tuple(node.processes):
        node.terminate(pid)
    # One second for the reaper to say who stayed.
    node.idle.wait(node.grace + 1)
