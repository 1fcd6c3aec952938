"""Everything a node does later: deadlines, delayed calls.

Source: Processes, "Functions". One heap and one loop timer serve the whole node, so a timer costs
a tuple and no watcher. Waiting processes use ``wake_at``: it keeps one entry per process however
often the process waits, since nearly every deadline is overtaken by what was waited for.

Theory. An entry that is cancelled stays in the heap, where only time finds it. The heap counts
them, and when they are more than half of it they are swept out: each pays for two entries of one
sweep, so cancelling costs O(1) amortised. All of the node takes its time from ``Timers.now``, so
there is one place where a test can put another clock: see ``drive``.
"""

from __future__ import annotations

import heapq
import logging
import math
import weakref
from collections.abc import Callable
from time import monotonic
from typing import Any, Protocol

import gevent
from gevent.monkey import get_original

log = logging.getLogger("greenrelay.runtime")
# A smaller heap is not worth a sweep.
SWEPT_FROM = 64
_get_thread = get_original("_thread", "get_ident")

# Those of every node that runs, for whoever looks for timers that were left behind.
open_timers: weakref.WeakSet[Timers] = weakref.WeakSet()


class Sleeper(Protocol):
    """Something with a deadline of its own that moves."""

    deadline: float | None
    alarm: Alarm | None

    def deadline_passed(self) -> None:
        """Do what is due at the deadline."""


class Timer:
    """One call in the future; ``cancel()`` takes it back.

    ``what`` says what it is to a reader, where somebody has asked for it: see Timers.pending.
    """

    __slots__ = ("_function", "timers", "what")

    def __init__(self, function: Callable[[], object], what: str = "") -> None:
        self._function: Callable[[], object] | None = function
        self.what = what
        # Those whose heap it is in; None as long as it has not been started.
        self.timers: Timers | None = None

    @property
    def is_dead(self) -> bool:
        """Whether the call has happened or was taken back."""
        return self._function is None

    def cancel(self) -> bool:
        """Take the call back; False when it has happened or was taken back before."""
        function, self._function = self._function, None
        if function is None:
            return False
        if self.timers is not None:
            self.timers.lose_one()
        return True

    def fire(self, now: float) -> None:
        """Make the call, once."""
        function, self._function = self._function, None
        if function is not None:
            function()


class Alarm:
    """The heap entry of a sleeper; without one once it is overtaken by an earlier entry."""

    __slots__ = ("sleeper", "timers", "when")
    what = ""

    def __init__(self, timers: Timers, sleeper: Sleeper, when: float) -> None:
        self.timers = timers
        self.sleeper: Sleeper | None = sleeper
        self.when = when

    @property
    def is_dead(self) -> bool:
        """Whether nobody sleeps by this entry."""
        return self.sleeper is None

    def cancel(self) -> None:
        """Let go of the sleeper; the entry does nothing from now on."""
        if self.sleeper is not None:
            self.sleeper = None
            self.timers.lose_one()

    def fire(self, now: float) -> None:
        """Tell the sleeper if its deadline has passed, else stand for the deadline it has now."""
        sleeper, self.sleeper = self.sleeper, None
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
    """The timers of one node; times are seconds on ``now()``, the node's only source of time.

    ``now`` is ``time.monotonic`` unless a test drives the node by a clock of its own.
    """

    __slots__ = (
        "__weakref__",
        "_armed_for",
        "_dead",
        "_heap",
        "_is_closed",
        "_is_driven",
        "_loop",
        "_number",
        "_resolution",
        "_thread",
        "_timer",
        "now",
    )

    def __init__(self) -> None:
        self.now: Callable[[], float] = monotonic
        self._heap: list[tuple[float, int, Timer | Alarm]] = []
        self._number = 0
        # How many entries of the heap will do nothing.
        self._dead = 0
        self._loop = gevent.get_hub().loop
        # libuv counts milliseconds and warns of less.
        self._resolution = 0.001 if "libuv" in type(self._loop).__module__ else 0.0
        self._timer: Any = self._loop.timer(0)
        self._thread = _get_thread()
        # What is due before this has to arm the loop's timer.
        self._armed_for = math.inf
        self._is_driven = False
        self._is_closed = False
        open_timers.add(self)

    def __len__(self) -> int:
        return len(self._heap)

    def call_after(self, delay: float, function: Callable[[], object]) -> Timer:
        """Call ``function`` in the hub after ``delay`` seconds; it must not wait."""
        timer = Timer(function)
        self.start(delay, timer)
        return timer

    def start(self, delay: float, timer: Timer) -> None:
        """Fire ``timer`` in the hub after ``delay`` seconds; not if it is cancelled already."""
        timer.timers = self
        if not timer.is_dead:
            self._push(self.now() + delay, timer)

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

    def lose_one(self) -> None:
        """Note that one more entry of the heap will do nothing; sweep if that makes too many."""
        self._dead += 1
        if self._has_too_many_dead():
            if _get_thread() == self._thread:
                self._sweep()
            elif not self._is_closed:
                # Timers are cancelled from any thread; the heap belongs to one.
                self._loop.run_callback_threadsafe(self._sweep)

    def pending(self) -> tuple[str, ...]:
        """Return ``what`` of each timer that is still to fire and says so, the next first."""
        return tuple(
            entry.what for _, _, entry in sorted(self._heap) if entry.what and not entry.is_dead
        )

    def close(self) -> None:
        """Forget every timer."""
        self._is_closed = True
        open_timers.discard(self)
        self._heap.clear()
        self._dead = 0
        self._timer.stop()
        self._timer.close()

    # the clock of a test

    def drive(self, now: Callable[[], float]) -> None:
        """Take the time from ``now``, which stands still: only fire_due sees that it has moved.

        What is due at once, such as a delay of 0, still fires by itself.
        """
        self.now = now
        self._is_driven = True
        self._timer.stop()
        self._rearm()

    def run_on(self, now: Callable[[], float]) -> None:
        """Take the time from ``now``, which runs as fast as ``time.monotonic``."""
        self.now = now
        self._is_driven = False
        if not self._is_closed:
            self._timer.stop()
            self._rearm()

    def next_due(self) -> float | None:
        """Return when the next timer is due that will do something, or None."""
        heap = self._heap
        while heap and heap[0][2].is_dead:
            heapq.heappop(heap)
            self._dead -= 1
        return heap[0][0] if heap else None

    def fire_due(self) -> None:
        """Fire what is due by now, in order."""
        self._tick()

    # the heap

    def _push(self, when: float, entry: Timer | Alarm) -> None:
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, entry))
        if when < self._armed_for:
            self._arm(when)

    def _arm(self, when: float) -> None:
        self._armed_for = when
        self._timer.stop()
        self._timer.close()
        self._loop.update_now()
        delay = max(0.0, when - self.now())
        if 0.0 < delay < self._resolution:
            delay = self._resolution
        self._timer = self._loop.timer(delay)
        self._timer.start(self._tick)

    def _rearm(self) -> None:
        """Arm the loop's timer for the first entry; by a clock that stands still, if it is due."""
        heap = self._heap
        self._armed_for = math.nextafter(self.now(), math.inf) if self._is_driven else math.inf
        if heap and heap[0][0] < self._armed_for:
            self._arm(heap[0][0])

    def _tick(self) -> None:
        heap = self._heap
        self._armed_for = -math.inf
        now = self.now()
        # What these start comes next time, also by a clock that stands still.
        last = self._number
        try:
            while heap and heap[0][0] <= now and heap[0][1] <= last:
                entry = heapq.heappop(heap)[2]
                if entry.is_dead:
                    self._dead -= 1
                    continue
                try:
                    entry.fire(now)
                except Exception:
                    log.exception("a timer's call raised")
        finally:
            # Also when Ctrl-C strikes here: the shutdown needs its timers.
            if not self._is_closed:
                self._rearm()

    def _has_too_many_dead(self) -> bool:
        size = len(self._heap)
        return size > SWEPT_FROM and self._dead * 2 > size

    def _sweep(self) -> None:
        # Asked for once more, from another thread, when it has been done.
        if self._has_too_many_dead():
            # In place: _tick may be at it.
            self._heap[:] = [each for each in self._heap if not each[2].is_dead]
            heapq.heapify(self._heap)
            self._dead = 0
