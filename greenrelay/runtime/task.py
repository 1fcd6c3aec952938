"""What the run queue runs, and the states it can be in.

Source: ``docs/architecture.md``, "The run queue".
"""

from __future__ import annotations

from typing import Any, Protocol

from greenlet import greenlet

NEW, RUNNING, WAITING, BLOCKED, READY, EXITING, DEAD = range(7)
STATE_NAMES = ("new", "running", "waiting", "waiting for a reply", "ready", "exiting", "dead")
NO_SIGNAL, WAKE, THROW, START = range(4)


class Task(Protocol):
    """What the run queue runs."""

    state: int
    signal: int
    greenlet: greenlet | None
    resume: Any

    @property
    def exit_reason(self) -> str:
        """Why it has to end."""

    def start(self) -> None:
        """Start the task in a greenlet of its own; called in the hub."""

    def run(self) -> None:
        """Do the work, in the greenlet; raises nothing."""
