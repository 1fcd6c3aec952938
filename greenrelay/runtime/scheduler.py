"""The run queue of a node: which process runs next.

Source: ``docs/architecture.md``, "The run queue".

Theory. A greenlet of a process gets the CPU in one of three ways only: from the hub's callback
``_drain``, from another process that blocks and hands over (``block``), or from gevent, when the
process waits for something of gevent's (a socket, a lock, ``sleep``). The first two take
processes from ``_ready`` and look at their state when they do, so an entry that has become stale
(its process was woken otherwise, or has ended) does nothing. What can be found there:

* NEW: the process has never run. Only the hub starts greenlets: a greenlet started from another
  one inherits its depth of recursion.
* READY: it waits in ``block`` and something has arrived. Switch to it.
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
from typing import Protocol

import gevent
from greenlet import greenlet

from greenrelay.errors import ProcessExit

NEW, RUNNING, WAITING, BLOCKED, READY, EXITING, DEAD = range(7)
STATE_NAMES = ("new", "running", "waiting", "waiting for a reply", "ready", "exiting", "dead")
NO_SIGNAL, WAKE, THROW = range(3)

SLICE = 0.001
HAND_OFFS = 16

log = logging.getLogger("greenrelay.runtime")


class Task(Protocol):
    """What the run queue runs."""

    state: int
    signal: int
    greenlet: greenlet | None
    exit_reason: str

    def start(self) -> None:
        """Start the task in a greenlet of its own; called in the hub."""


class Scheduler:
    """The run queue of one node on one hub."""

    __slots__ = ("_budget", "_hub_switch", "_is_pending", "_loop", "_ready", "_timer", "hub")

    def __init__(self) -> None:
        self.hub = gevent.get_hub()
        self._loop = self.hub.loop
        self._hub_switch = self.hub.switch
        self._timer = self._loop.timer(0)
        self._ready: deque[Task] = deque()
        self._is_pending = False
        self._budget = 0

    @property
    def is_busy(self) -> bool:
        """Whether anything is to run that has not run yet."""
        return self._is_pending

    def enqueue(self, task: Task) -> None:
        """Let ``task`` run soon."""
        self._ready.append(task)
        if not self._is_pending:
            self._is_pending = True
            self._loop.run_callback(self._drain)

    def block(self, task: Task, state: int = WAITING) -> None:
        """Give the CPU away until ``task`` is resumed; called in its own greenlet.

        It may be resumed for no reason, so the caller looks again at what it waits for. On return
        the state is RUNNING, or EXITING, whereupon the caller raises.
        """
        task.state = state
        try:
            self._hand_over(task)
        finally:
            if task.state < EXITING:
                task.state = RUNNING
            elif task.signal == WAKE:
                task.signal = THROW

    def _hand_over(self, task: Task) -> None:
        ready = self._ready
        while ready and self._budget > 0:
            other = ready.popleft()
            state = other.state
            if state == READY:
                self._budget -= 1
                other.state = RUNNING
                assert other.greenlet is not None
                other.greenlet.switch()
                return
            if state == EXITING and other.signal:
                self._budget -= 1
                self._interrupt(other)
                return
            if state == NEW:
                ready.appendleft(other)
                break
        self._hub_switch()

    def _drain(self) -> None:
        ready = self._ready
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
                self._is_pending = False

    def _resume(self, task: Task) -> None:
        state = task.state
        if state == READY:
            task.state = RUNNING
            assert task.greenlet is not None
            task.greenlet.switch()
        elif state == NEW:
            task.start()
        elif state == EXITING and task.signal:
            self._interrupt(task)

    @staticmethod
    def _interrupt(task: Task) -> None:
        is_ours = task.signal == WAKE
        task.signal = NO_SIGNAL
        target = task.greenlet
        if target is None or target.dead:
            return
        if is_ours:
            target.switch()
        else:
            target.throw(ProcessExit(task.exit_reason))

    def close(self) -> None:
        """Give the timer back to the loop; nothing is resumed any more."""
        self._ready.clear()
        self._timer.stop()
        self._timer.close()
