"""The one greenlet that tells a node's processes of endings.

Source: Processes, "Endings". A process that has ended is reported here and nothing more; this
greenlet then does, for one ending after the other: names and groups release, EXIT to each watcher,
then, if the ending was abnormal, LINK_DOWN to each linked process. So all processes see endings in
one order, a watcher that got EXIT finds the name free, and however long a chain of links is,
nothing recurses: whoever a LINK_DOWN ends comes back as a report of its own.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from greenlet import getcurrent

from greenrelay.core.events import Exit, LinkDown, Result
from greenrelay.core.fifo import Fifo
from greenrelay.core.topology import Topology
from greenrelay.runtime.process import Process
from greenrelay.runtime.scheduler import Scheduler
from greenrelay.runtime.task import NEW, READY, RUNNING, WAITING, Task

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

log = logging.getLogger("greenrelay.runtime")


class Supervisor(Task):
    """The supervisor greenlet of one node; it is a task of the run queue like any process."""

    __slots__ = ("_endings", "_node", "_scheduler")

    def __init__(self, node: Node) -> None:
        super().__init__(NEW)
        self._node = node
        # Once it runs.
        self._scheduler: Scheduler | None = None
        self._endings = Fifo()

    def __len__(self) -> int:
        return len(self._endings)

    def report(self, process: Process, result: Result, error: BaseException | None) -> None:
        """Have the ending of ``process`` told to whom it concerns."""
        self._endings.append((process, result, error))
        if self.state == WAITING and self._scheduler is not None:
            self.state = READY
            self._scheduler.enqueue(self)
        elif self.state == NEW and len(self._endings) == 1:
            self._node.scheduler.enqueue(self)

    def stop(self) -> None:
        """End the greenlet; it must have nothing left to do."""
        target, self.greenlet = self.greenlet, None
        if target is not None and not target.dead:
            # It comes back to the caller, not to the hub.
            target.parent = getcurrent()
            target.throw()

    def run(self) -> None:
        """Tell of endings for as long as the node lives."""
        self.state = RUNNING
        try:
            self._work()
        finally:
            # Only stop() or Ctrl-C ends the loop; after the latter the next ending starts another.
            self.state = NEW
            if self.greenlet is not None and self._endings:
                self._node.scheduler.enqueue(self)

    def _work(self) -> None:
        endings = self._endings
        scheduler = self._scheduler = self._node.scheduler
        while True:
            while endings:
                process, result, error = endings.popleft()
                try:
                    self._tell(process, result, error)
                except Exception:
                    log.exception("%s: telling its ending failed", process.pid)
                process = result = error = None
            scheduler.block(self, WAITING)

    def _tell(self, process: Process, result: Result, error: BaseException | None) -> None:
        pid = process.pid
        table = process.table
        topology: Topology = self._node.topology
        cluster = self._node.cluster
        fired, linked = topology.ended(pid)
        if process.waiters is not None:
            self._tell_waiters(process, result, error)
        for ref in fired:
            watcher = table.get(ref.watcher)
            if watcher is None and cluster is not None:
                watcher = cluster.find(ref.watcher)
            if watcher is not None:
                _deliver(watcher, Exit(pid, result, ref))
        if linked and not result.is_normal:
            down = LinkDown(pid, result)
            for other in linked:
                peer = table.get(other)
                if peer is None and cluster is not None:
                    peer = cluster.find(other)
                if peer is not None:
                    _deliver(peer, down)
        elif linked and cluster is not None:
            cluster.parted(pid, linked)

    @staticmethod
    def _tell_waiters(process: Process, result: Result, error: BaseException | None) -> None:
        waiters, process.waiters = process.waiters, None
        for waiter in waiters or ():
            try:
                waiter.down(result, error)
            except Exception:
                log.exception("%s: telling who waited for it failed", process.pid)


def _deliver(process: Process, event: Exit | LinkDown) -> None:
    try:
        process.deliver_event(event)
    except Exception:
        log.exception("%s: taking %s failed", process.pid, event.kind)
