"""The tasks of a node that are ready to run, in order.

Source: ``docs/architecture.md``, "The run queue".
"""

from __future__ import annotations

import gevent

from greenrelay.core.fifo import Fifo
from greenrelay.runtime.task import EXITING, NEW, READY, Task


class RunQueue:
    """The ready tasks of one node, and the hub that is told to look at them."""

    __slots__ = ("budget", "hub", "hub_switch", "is_pending", "loop", "ready")

    def __init__(self) -> None:
        self.hub = gevent.get_hub()
        self.loop = self.hub.loop
        self.hub_switch = self.hub.switch
        self.ready = Fifo()
        # Whether the hub knows that something is to run.
        self.is_pending = False
        # How often tasks may still hand over to each other before the hub looks at the time.
        self.budget = 0

    def enqueue(self, task: Task) -> None:
        """Let ``task`` run soon."""
        self.ready.append(task)
        if not self.is_pending:
            self.arm()

    def arm(self) -> None:
        """Have the hub look at the run queue soon."""
        self.is_pending = True
        self.loop.run_callback(self.drain)

    def drain(self) -> None:
        """Run what is ready; called in the hub."""
        raise AssertionError("a scheduler says how it drains")

    def take_new(self) -> Task | None:
        """Return the task to run next, if it needs a worker and its turn has come."""
        ready = self.ready
        while self.budget and ready:
            first: Task = ready[0]
            state = first.state
            is_live = state in (NEW, READY) or (state == EXITING and first.signal)
            if is_live and first.greenlet is not None:
                return None
            ready.popleft()
            if is_live:
                self.budget -= 1
                return first
        return None
