"""The greenlets that run processes, used again and again.

Source: ``docs/architecture.md``, "Workers". Most of what a greenlet costs is one chunk of stack
that Python maps when the greenlet starts and unmaps when it ends, so a worker runs one process
after the other.

Theory. A worker may run another process only if nobody else can reach it: a leaked Timeout, a
kill that is under way or a ``gevent.local`` that outlived its process would strike the next one.
Who can reach it holds a reference to it, so a worker that is referenced more often after a process
than before, or weakly at all, ends and is not used again. Ours are not among the references: the
run queue resumes a worker by ``resume``, its bound ``switch``, which is one object made once.
"""

from __future__ import annotations

from sys import getrefcount
from typing import Any
from weakref import getweakrefcount

from greenlet import getcurrent, greenlet

from greenrelay.runtime.run_queue import RunQueue
from greenrelay.runtime.task import Task

MAX_PARKED = 256


class Worker(greenlet):
    """A greenlet that runs a process; ``greenrelay_process`` leads from one to the other."""

    __slots__ = ("greenrelay_process", "resume")
    greenrelay_process: Task | None
    resume: Any


class Crew:
    """The workers of one run queue; ``recycles`` False starts a greenlet for each process."""

    __slots__ = ("_parked", "_queue", "_recycles")

    def __init__(self, queue: RunQueue, recycles: bool) -> None:
        self._queue = queue
        self._parked: list[Worker] = []
        self._recycles = recycles

    def __len__(self) -> int:
        return len(self._parked)

    def start(self, process: Task) -> None:
        """Run ``process`` in a worker; called in the hub."""
        if self.lend(process):
            process.resume()
            return
        worker = Worker(self._work, self._queue.hub)
        worker.resume = worker.switch
        _give(worker, process)
        # No reference to the worker may stay in this frame: see the module.
        del worker
        process.resume()

    def lend(self, process: Task) -> bool:
        """Give ``process`` a worker that has been started; False when there is none."""
        parked = self._parked
        while parked:
            worker = parked.pop()
            # Somebody may have found it, in the garbage collector's lists say, and killed it.
            if not worker.dead:
                _give(worker, process)
                return True
        return False

    def _work(self) -> None:
        worker: Any = getcurrent()
        queue = self._queue
        # Without the reference of its process, which is gone when it is counted again.
        alone = getrefcount(worker) - 1
        while True:
            process: Task = worker.greenrelay_process
            process.run()
            worker.greenrelay_process = None
            del process
            is_held = getrefcount(worker) > alone
            if is_held or not self._may_go_on(worker):
                break
            new = queue.take_new()
            if new is not None:
                _give(worker, new)
                del new
                continue
            if len(self._parked) >= MAX_PARKED:
                break
            self._parked.append(worker)
            queue.hub_switch()
            if worker.greenrelay_process is None:
                break
        worker.resume = None

    def _may_go_on(self, worker: greenlet) -> bool:
        if not self._recycles or getweakrefcount(worker):
            return False
        return worker.gr_context is None

    def close(self) -> None:
        """End the parked workers."""
        for worker in self._parked:
            worker.resume = None
            worker.parent = getcurrent()
            worker.switch()
        self._parked.clear()


def _give(worker: Any, process: Task) -> None:
    worker.greenrelay_process = process
    process.greenlet = worker
    process.resume = worker.resume
