"""Everything a node does later: deadlines, delayed calls.

Source: Processes, "Functions". One heap and one loop timer serve the whole node, so a timer costs
a tuple and no watcher. Waiting processes use ``wake_at``: it keeps one entry per process however
often the process waits, since nearly every deadline is overtaken by what was waited for.
"""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

import gevent

log = logging.getLogger("greenrelay.runtime")


class Sleeper(Protocol):
    """Something with a deadline of its own that moves."""

    deadline: float | None
    alarm: Alarm | None

    def deadline_passed(self) -> None:
        """Do what is due at the deadline."""


class Timer:
    """One call in the future; ``cancel()`` takes it back."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[], object]) -> None:
        self._function: Callable[[], object] | None = function

    def cancel(self) -> bool:
        """Take the call back; False when it has happened or was taken back before."""
        function, self._function = self._function, None
        return function is not None

    def fire(self, now: float) -> None:
        """Make the call, once."""
        function, self._function = self._function, None
        if function is not None:
            function()


class Alarm:
    """The heap entry of a sleeper; without one once it is overtaken by an earlier entry."""

    __slots__ = ("sleeper", "timers", "when")

    def __init__(self, timers: Timers, sleeper: Sleeper, when: float) -> None:
        self.timers = timers
        self.sleeper: Sleeper | None = sleeper
        self.when = when

    def cancel(self) -> None:
        """Let go of the sleeper: the entry stays in the heap until its time has come."""
        self.sleeper = None

    def fire(self, now: float) -> None:
        """Tell the sleeper if its deadline has passed, else stand for the deadline it has now."""
        sleeper = self.sleeper
        if sleeper is None:
            return
        sleeper.alarm = None
        deadline = sleeper.deadline
        if deadline is None:
            return
        if deadline <= now:
            sleeper.deadline_passed()
        else:
            self.timers.wake_at(sleeper, deadline)


class Timers:
    """The timers of one node; times are seconds on ``time.monotonic``."""

    __slots__ = ("_armed_for", "_heap", "_number", "_timer")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer | Alarm]] = []
        self._number = 0
        self._timer: Any = gevent.get_hub().loop.timer(0)
        self._armed_for: float | None = None

    def call_after(self, delay: float, function: Callable[[], object]) -> Timer:
        """Call ``function`` in the hub after ``delay`` seconds; it must not wait."""
        timer = Timer(function)
        self.start(delay, timer)
        return timer

    def start(self, delay: float, timer: Timer) -> None:
        """Fire ``timer`` in the hub after ``delay`` seconds."""
        self._push(monotonic() + delay, timer)

    def wake_at(self, sleeper: Sleeper, deadline: float) -> None:
        """Call ``sleeper.deadline_passed`` at ``deadline``, unless it is moved or unset by then."""
        sleeper.deadline = deadline
        alarm = sleeper.alarm
        if alarm is not None:
            if deadline >= alarm.when:
                return
            alarm.cancel()
        sleeper.alarm = Alarm(self, sleeper, deadline)
        self._push(deadline, sleeper.alarm)

    def close(self) -> None:
        """Forget every timer."""
        self._heap.clear()
        self._timer.stop()
        self._timer.close()

    def _push(self, when: float, entry: Timer | Alarm) -> None:
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, entry))
        if self._armed_for is None or when < self._armed_for:
            self._arm(when)

    def _arm(self, when: float) -> None:
        self._armed_for = when
        self._timer.stop()
        self._timer.close()
        loop = gevent.get_hub().loop
        loop.update_now()
        self._timer = loop.timer(max(0.0, when - monotonic()))
        self._timer.start(self._tick)

    def _tick(self) -> None:
        heap = self._heap
        self._armed_for = None
        now = monotonic()
        try:
            while heap and heap[0][0] <= now:
                entry = heapq.heappop(heap)[2]
                try:
                    entry.fire(now)
                except Exception:
                    log.exception("a timer's call raised")
        finally:
            # Also when Ctrl-C strikes here: the shutdown needs its timers.
            if heap and (self._armed_for is None or heap[0][0] < self._armed_for):
                self._arm(heap[0][0])
