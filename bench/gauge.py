"""What the contenders count and gauge with: seconds, endings, resident bytes, lateness."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from bench.workload import TICK

STATM = Path("/proc/self/statm")
SCHEDSTAT = Path("/proc/self/schedstat")


class Tally:
    """Counts up to a goal and then tells somebody."""

    __slots__ = ("_goal", "_tell", "count")

    def __init__(self, goal: int, tell: Callable[[], object]) -> None:
        self.count = 0
        self._goal = goal
        self._tell = tell

    def add(self) -> None:
        """Count one more; the one that makes the goal full tells."""
        self.count += 1
        if self.count == self._goal:
            self._tell()

    def restart(self) -> None:
        """Count from 0 again."""
        self.count = 0


def core_clock() -> float:
    """Return seconds of the wall, less those in which this thread waited for its core.

    So a neighbour on the core costs a run nothing but warm caches, while time in which a contender
    sleeps of its own accord counts. Where the system does not tell, it is the wall's time.
    """
    try:
        waited_ns = int(SCHEDSTAT.read_text().split()[1])
    except OSError:
        waited_ns = 0
    return perf_counter() - waited_ns / 1e9


def resident_bytes() -> int:
    """Return the resident memory of this OS process, after a collection of garbage; on Linux."""
    gc.collect()
    pages = STATM.read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def late_figures(slept: Sequence[float]) -> dict[str, float]:
    """Return how late, in ms, timers of TICK seconds were that took ``slept`` seconds."""
    late = sorted((seconds - TICK) * 1000 for seconds in slept)
    return {"lateness_p50": _percentile(late, 50), "lateness_p99": _percentile(late, 99)}


def _percentile(ordered: Sequence[float], percent: int) -> float:
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]
