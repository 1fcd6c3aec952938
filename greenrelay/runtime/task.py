"""What the run queue runs, and the states it can be in.

Source: ``docs/architecture.md``, "The run queue".
"""

from __future__ import annotations

from typing import Any

from greenlet import greenlet

NEW, RUNNING, WAITING, BLOCKED, READY, EXITING, DEAD = range(7)
STATE_NAMES = ("new", "running", "waiting", "waiting for a reply", "ready", "exiting", "dead")
NO_SIGNAL, WAKE, THROW, START = range(4)


class Task:
    """What the run queue runs; ``resume`` is the switch of its greenlet, while it has one."""

    __slots__ = ("greenlet", "resume", "signal", "state")

    def __init__(self, state: int) -> None:
        self.state = state
        self.signal = NO_SIGNAL
        self.greenlet: greenlet | None = None
        self.resume: Any = None

    @property
    def exit_reason(self) -> str:
        """Why it has to end; "" as long as nobody told it to."""
        return ""

    def run(self) -> None:
        """Do the work, in the greenlet; raises nothing."""
        raise AssertionError("a kind of task says what it does")
