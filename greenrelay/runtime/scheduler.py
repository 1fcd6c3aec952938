"""The run queue of a node: which process runs next.

Source: ``docs/architecture.md``, "The run queue".

Theory. A greenlet of a process gets the CPU in one of three ways only: from the hub's callback
``drain``, from another process that blocks and hands over (``block``), or from gevent, when the
process waits for something of gevent's (a socket, a lock, ``sleep``). The first two take
processes from ``ready`` and look at their state when they do, so an entry that has become stale
(its process was woken otherwise, or has ended) does nothing. What can be found there:

* NEW: the process has never run. Only the hub starts greenlets: a greenlet started from another
  one inherits its depth of recursion.
* READY: it waits in ``block`` and something has arrived. Switch to it.
* READY without a greenlet: a server that has got something to do; it is given a worker.
* EXITING with ``signal``: it was told to end. If it waits in ``block`` it is switched to and
  raises by itself, which is three times cheaper than a throw; else ProcessExit is thrown into
  whatever it waits for. One that leaves ``block`` by another exception first (gevent.Timeout)
  may wait elsewhere by the time the signal comes, so it is thrown from then on.

A run queue that never returns to the loop starves sockets and timers, so ``drain`` runs for a
slice of 1 ms at most and comes back through a timer of 0 s, between which the loop polls.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from greenrelay.errors import ProcessExit
from greenrelay.runtime import native
from greenrelay.runtime.run_queue import RunQueue
from greenrelay.runtime.task import (
    EXITING,
    NEW,
    NO_SIGNAL,
    READY,
    RUNNING,
    START,
    THROW,
    WAKE,
    Task,
)
from greenrelay.runtime.timers import Timers
from greenrelay.runtime.worker import Crew

SLICE = 0.001
HAND_OFFS = 16

log = logging.getLogger("greenrelay.runtime")


class Scheduler(RunQueue):
    """The run queue of one node on one hub, and who runs what is in it."""

    __slots__ = ("_timer", "crew", "timers")

    def __init__(self, timers: Timers, *, recycle_workers: bool = True) -> None:
        super().__init__()
        self.timers = timers
        self._timer = self.loop.timer(0)
        self.crew = Crew(self, recycle_workers)

    @property
    def is_busy(self) -> bool:
        """Whether anything is to run that has not run yet."""
        return self.is_pending

    def block(self, task: Task, state: int) -> None:
        """Give the CPU away in ``state`` until ``task`` is resumed; called in its own greenlet.

        It may be resumed for no reason, so the caller looks again at what it waits for. On return
        the state is RUNNING, or EXITING, whereupon the caller raises.
        """
        task.state = state
        try:
            # This frame stays until the task runs again: it must hold nothing of another task.
            if self.budget and self.ready:
                self.budget -= 1
                self._way_to(self.ready.popleft())()
            else:
                self.hub_switch()
        finally:
            if task.state != RUNNING:
                if task.state < EXITING:
                    task.state = RUNNING
                elif task.signal == WAKE:
                    task.signal = THROW

    def _way_to(self, other: Task) -> Callable[[], object]:
        state = other.state
        if state == READY and other.greenlet is not None:
            other.state = RUNNING
            return other.resume  # type: ignore[no-any-return]
        if state == EXITING and other.signal in (WAKE, THROW):
            return self._interruption(other) or self.hub_switch
        if state in (NEW, READY) or (state == EXITING and other.signal == START):
            if self.crew.lend(other):
                return other.resume  # type: ignore[no-any-return]
            self.ready.appendleft(other)
        return self.hub_switch

    def drain(self) -> None:
        """Run what is ready, for one slice; called in the hub."""
        ready = self.ready
        end = native.monotonic() + SLICE
        try:
            while ready:
                self.budget = HAND_OFFS
                try:
                    self._resume(ready.popleft())
                except Exception:
                    log.exception("the run queue met an error that no process caught")
                if native.monotonic() >= end:
                    break
        finally:
            # Also when Ctrl-C strikes here: what is left has to run during the shutdown.
            self.budget = 0
            if ready:
                self._timer.start(self.drain)
            else:
                self.is_pending = False

    def _resume(self, task: Task) -> None:
        state = task.state
        if state == READY and task.greenlet is not None:
            task.state = RUNNING
            task.resume()
        elif state in (NEW, READY) or (state == EXITING and task.signal == START):
            self.crew.start(task)
        elif state == EXITING and task.signal:
            interrupt = self._interruption(task)
            if interrupt is not None:
                interrupt()

    def _interruption(self, task: Task) -> Callable[[], object] | None:
        is_ours = task.signal == WAKE
        task.signal = NO_SIGNAL
        if task.greenlet is None or task.greenlet.dead:
            return None
        if is_ours:
            return task.resume  # type: ignore[no-any-return]
        return partial(task.greenlet.throw, ProcessExit(task.exit_reason))

    def close(self) -> None:
        """Give the timer back to the loop; nothing is resumed any more."""
        self.ready.clear()
        self.crew.close()
        self._timer.stop()
        self._timer.close()
