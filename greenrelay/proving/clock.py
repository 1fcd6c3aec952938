"""A clock for tests: the time of a node stands still until the test moves it.

Source: ``docs/testing.md``, "Time". Every timer of a node takes its time from ``Timers.now``; here
that is a number. Moving it goes from one due time to the next, and lets the processes run at
each, so what they do about it happens at the time it would have happened.
"""

from __future__ import annotations

from time import monotonic
from typing import Self

from greenrelay.durations import format_duration, parse_duration
from greenrelay.proving.probe import settle
from greenrelay.runtime.node import Node

# Sums of floats differ in their last digits: what is due that close is due.
TOLERANCE = 1e-6
# Steps without a step of time: a process that sets a timer of 0 s each time one fires.
MAX_STEPS_AT_ONCE = 1000


class VirtualClock:
    """The time of ``node``, which moves by ``advance`` only; a context manager.

    Closing it lets the node's time run on from where it is.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self._now = self._started_at = monotonic()
        self._timers = node.timers
        self._timers.drive(self.now)

    def __repr__(self) -> str:
        return f"<VirtualClock of {self.node.id} at {format_duration(self.elapsed)}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def elapsed(self) -> float:
        """How far it has been advanced, in seconds."""
        return self._now - self._started_at

    def now(self) -> float:
        """Return the time, in seconds; it begins with that of ``time.monotonic``."""
        return self._now

    def advance(self, duration: float | str) -> None:
        """Let ``duration`` pass: fire each timer at its time, and let processes run after each.

        Call it in the test and not in a process. Raises AssertionError when timers of 0 s follow
        each other for ever.
        """
        settle(self.node)
        target = self._now + parse_duration(duration)
        steps = 0
        due = self._timers.next_due()
        while due is not None and due <= target + TOLERANCE:
            steps = 0 if due > self._now else steps + 1
            if steps > MAX_STEPS_AT_ONCE:
                raise AssertionError(
                    f"time stands still at {format_duration(self.elapsed)}: more than "
                    f"{MAX_STEPS_AT_ONCE} timers of 0 s followed each other"
                )
            self._move_to(due)
            due = self._timers.next_due()
        self._move_to(target)

    def close(self) -> None:
        """Let time run again, from where it is."""
        ahead = self._now - monotonic()
        self._timers.run_on(lambda: monotonic() + ahead)

    def _move_to(self, when: float) -> None:
        self._now = max(self._now, when)
        self._timers.fire_due()
        settle(self.node)
