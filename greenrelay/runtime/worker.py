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
from typing import TYPE_CHECKING, Any
from weakref import getweakrefcount

from greenlet import getcurrent, greenlet

from greenrelay.runtime.task import Task

if TYPE_CHECKING:
    from greenrelay.runtime.scheduler import Scheduler

MAX_PARKED = 256


class Worker(greenlet):
    """A greenlet that runs a process; ``greenrelay_process`` leads from one to the other."""

    __slots__ = ("greenrelay_process", "resume")
    greenrelay_process: Task | None
    resume: Any


class Crew:
    """The workers of one scheduler; ``recycles`` False starts a greenlet for each process."""

    __slots__ = ("_parked", "_recycles", "_scheduler")

    def __init__(self, scheduler: Scheduler, *, recycles: bool = True) -> None:
        self._scheduler = scheduler
        self._parked: list[Worker] = []
        self._recycles = recycles

    def __len__(self) -> int:
        return len(self._parked)

    def start(self, process: Task) -> None:
        """Run ``process`` in a worker; called in the hub."""
        worker = self._take_parked()
        if worker is None:
            worker = Worker(self._work, self._scheduler.hub)
            worker.resume = worker.switch
        self._give(worker, process)
        # No reference to the worker may stay in this frame: see the module.
        del worker
        process.resume()

    def hand_over(self, process: Task) -> bool:
        """Switch to ``process``, in a worker that has been started; False when there is none."""
        worker = self._take_parked()
        if worker is None:
            return False
        self._give(worker, process)
        del worker
        process.resume()
        return True

    def _take_parked(self) -> Worker | None:
        parked = self._parked
        while parked:
            worker = parked.pop()
            # Somebody may have found it, in the garbage collector's lists say, and killed it.
            if not worker.dead:
                return worker
        return None

    @staticmethod
    def _give(worker: Worker, process: Task) -> None:
        worker.greenrelay_process = process
        process.greenlet = worker
        process.resume = worker.resume

    def _work(self) -> None:
        worker = getcurrent()
        assert isinstance(worker, Worker)
        scheduler = self._scheduler
        # Without the reference of its process, which is gone when it is counted again.
        alone = getrefcount(worker) - 1
        while True:
            process = worker.greenrelay_process
            assert process is not None
            process.run()
            worker.greenrelay_process = process = None
            if (
                getrefcount(worker) > alone
                or getweakrefcount(worker)
                or not self._recycles
                or worker.gr_context is not None
            ):
                break
            process = scheduler.take_new()
            if process is not None:
                self._give(worker, process)
                continue
            if len(self._parked) >= MAX_PARKED:
                break
            self._parked.append(worker)
            scheduler.hub_switch()
            if worker.greenrelay_process is None:
                break
        worker.resume = None

    def close(self) -> None:
        """End the parked workers."""
        for worker in self._parked:
            worker.resume = None
            worker.parent = getcurrent()
            worker.switch()
        self._parked.clear()
