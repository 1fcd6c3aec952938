"""The run queue of a node: which process runs next.

Source: ``docs/architecture.md``, "The run queue".

Theory. A greenlet of a process gets the CPU in one of three ways only: from the hub's callback
``_drain``, from another process that blocks and hands over (``block``), or from gevent, when the
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

A run queue that never returns to the loop starves sockets and timers, so ``_drain`` runs for a
slice of 1 ms at most and comes back through a timer of 0 s, between which the loop polls.
"""

from __future__ import annotations

import logging
from collections import deque
from time import monotonic

import gevent

from greenrelay.errors import ProcessExit
from greenrelay.runtime.task import (
    EXITING,
    NEW,
    NO_SIGNAL,
    READY,
    RUNNING,
    START,
    THROW,
    WAITING,
    WAKE,
    Task,
)
from greenrelay.runtime.worker import Crew

SLICE = 0.001
HAND_OFFS = 16

log = logging.getLogger("greenrelay.runtime")


class Scheduler:
    """The run queue of one node on one hub."""

    __slots__ = ("_budget", "_loop", "_timer", "crew", "hub", "hub_switch", "is_pending", "ready")

    def __init__(self, *, recycle_workers: bool = True) -> None:
        self.hub = gevent.get_hub()
        self._loop = self.hub.loop
        self.hub_switch = self.hub.switch
        self._timer = self._loop.timer(0)
        self.ready: deque[Task] = deque()
        self.is_pending = False
        self._budget = 0
        self.crew = Crew(self, recycles=recycle_workers)

    @property
    def is_busy(self) -> bool:
        """Whether anything is to run that has not run yet."""
        return self.is_pending

    def enqueue(self, task: Task) -> None:
        """Let ``task`` run soon."""
        self.ready.append(task)
        if not self.is_pending:
            self.arm()

    def arm(self) -> None:
        """Have the hub look at the run queue soon."""
        self.is_pending = True
        self._loop.run_callback(self._drain)

    def block(self, task: Task, state: int = WAITING) -> None:
        """Give the CPU away until ``task`` is resumed; called in its own greenlet.

        It may be resumed for no reason, so the caller looks again at what it waits for. On return
        the state is RUNNING, or EXITING, whereupon the caller raises.
        """
        task.state = state
        ready = self.ready
        try:
            if ready and self._budget:
                self._budget -= 1
                other = ready.popleft()
                if other.state == READY and other.greenlet is not None:
                    other.state = RUNNING
                    other.resume()
                else:
                    self._hand_over(other)
            else:
                self.hub_switch()
        finally:
            if task.state != RUNNING:
                if task.state < EXITING:
                    task.state = RUNNING
                elif task.signal == WAKE:
                    task.signal = THROW

    def _hand_over(self, other: Task) -> None:
        state = other.state
        if state == EXITING and other.signal in (WAKE, THROW):
            self._interrupt(other)
            return
        if state in (NEW, READY) or (state == EXITING and other.signal == START):
            if self.crew.hand_over(other):
                return
            self.ready.appendleft(other)
        self.hub_switch()

    def take_new(self) -> Task | None:
        """Return the process to run next, if it is a new one and its turn has come."""
        ready = self.ready
        while ready and self._budget:
            first = ready[0]
            state = first.state
            is_live = state in (NEW, READY) or (state == EXITING and first.signal)
            if is_live and first.greenlet is not None:
                return None
            if is_live:
                self._budget -= 1
                return ready.popleft()
            ready.popleft()
        return None

    def _drain(self) -> None:
        ready = self.ready
        end = monotonic() + SLICE
        try:
            while ready:
                self._budget = HAND_OFFS
                try:
                    self._resume(ready.popleft())
                except Exception:
                    log.exception("the run queue met an error that no process caught")
                if monotonic() >= end:
                    break
        finally:
            # Also when Ctrl-C strikes here: what is left has to run during the shutdown.
            self._budget = 0
            if ready:
                self._timer.start(self._drain)
            else:
                self.is_pending = False

    def _resume(self, task: Task) -> None:
        state = task.state
        if state == READY and task.greenlet is not None:
            task.state = RUNNING
            task.resume()
        elif state in (NEW, READY) or (state == EXITING and task.signal == START):
            task.start()
        elif state == EXITING and task.signal:
            self._interrupt(task)

    @staticmethod
    def _interrupt(task: Task) -> None:
        is_ours = task.signal == WAKE
        task.signal = NO_SIGNAL
        if task.greenlet is None or task.greenlet.dead:
            return
        if is_ours:
            task.resume()
        else:
            task.greenlet.throw(ProcessExit(task.exit_reason))

    def close(self) -> None:
        """Give the timer back to the loop; nothing is resumed any more."""
        self.ready.clear()
        self.crew.close()
        self._timer.stop()
        self._timer.close()
