"""Which children of a supervisor start and stop when, and how many restarts are too many.

Source: Processes, "Supervision". Pure: ids and times go in, ids come out. What runs the children
is ``runtime/supervision.py``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from graphlib import CycleError, TopologicalSorter

from greenrelay.core.pid import Pid
from greenrelay.core.restart import POLICIES, RestartPolicy
from greenrelay.durations import parse_duration

STRATEGIES = ("one_for_one", "one_for_all", "rest_for_one", "dynamic")
# The first delay is short, so that a crash loop meets the supervisor's limit and not its patience.
FIRST_DELAY = 0.1


class ChildState(StrEnum):
    """Where a child is; ``exited`` and ``failed`` ended by themselves, ``stopped`` was asked to."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    STOPPED = "stopped"
    EXITED = "exited"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Child:
    """What a supervisor keeps alive: ``Child("cache", run_cache, args=(100,))``.

    ``restart`` is ``permanent`` (always), ``transient`` (after an abnormal ending), ``temporary``
    (never), or a RestartPolicy with delays of its own. ``shutdown`` is how long it may take to
    end when asked, a duration; 0 kills it at once, None waits for ever. ``requires`` are ids of
    children that have started before it. It has started when it waits for its first message or
    has ended normally; after ``start_timeout`` it counts as started. Raises ValueError, and
    TypeError for an ``id`` that is no text, and ``args`` or ``requires`` that are no tuple.
    """

    id: str
    entry: object
    args: tuple[object, ...] = ()
    restart: str | RestartPolicy = "permanent"
    shutdown: float | str | None = "10s"
    requires: tuple[str, ...] = ()
    name: str | None = None
    host: str | None = None
    start_timeout: float | str = "10s"

    def __post_init__(self) -> None:
        if not isinstance(self.id, str):
            raise TypeError(f"child {self.id!r}: its id must be text")
        if not isinstance(self.args, tuple):
            raise TypeError(f"child {self.id!r}: args is {self.args!r}; it must be a tuple")
        if not isinstance(self.requires, tuple):
            raise TypeError(
                f"child {self.id!r}: requires is {self.requires!r}; it must be a tuple of ids"
            )
        if not isinstance(self.restart, RestartPolicy) and self.restart not in POLICIES:
            raise ValueError(
                f"child {self.id!r}: restart is {self.restart!r}; it must be a RestartPolicy or "
                f"one of {', '.join(POLICIES)}"
            )
        parse_duration(self.start_timeout)
        if self.shutdown is not None:
            parse_duration(self.shutdown)

    @property
    def policy(self) -> RestartPolicy:
        """When and how fast it comes back."""
        if isinstance(self.restart, RestartPolicy):
            return self.restart
        return RestartPolicy(self.restart, initial_delay=FIRST_DELAY)


@dataclass(frozen=True, slots=True)
class ChildInfo:
    """One child at one moment: ``pid`` while it has a process, ``reason`` of its last ending.

    ``restarts`` counts its starts after the first.
    """

    id: str
    state: ChildState
    pid: Pid | None = None
    restarts: int = 0
    reason: str | None = None


@dataclass(slots=True)
class Intensity:
    """The restarts of one supervisor; ``max_restarts`` None is no limit, ``window`` in seconds."""

    max_restarts: int | None
    window: float
    _times: deque[float] = field(default_factory=deque, init=False)

    def is_exceeded_by(self, now: float) -> bool:
        """Count a restart at ``now``; True when that is one too many within the window."""
        if self.max_restarts is None:
            return False
        times = self._times
        times.append(now)
        while times[0] < now - self.window:
            times.popleft()
        return len(times) > self.max_restarts


def affected(strategy: str, ids: Sequence[str], failed: str) -> tuple[str, ...]:
    """Return the children that restart with ``failed``, itself among them, in start order."""
    if strategy == "one_for_all":
        return tuple(ids)
    if strategy == "rest_for_one":
        return tuple(ids[ids.index(failed) :])
    return (failed,)


def in_start_order(children: Iterable[Child]) -> list[Child]:
    """Return the children so that each comes after those it requires, else as they were given.

    Raises ValueError for an id that is there twice, a requirement that is not there and a cycle,
    and TypeError for what is no Child.
    """
    by_id: dict[str, Child] = {}
    for child in children:
        if not isinstance(child, Child):
            raise TypeError(f"children has {child!r} in it; each must be a Child")
        if child.id in by_id:
            raise ValueError(f"child id {child.id!r} is there twice")
        by_id[child.id] = child
    for child in by_id.values():
        for required in child.requires:
            if required not in by_id:
                raise ValueError(f"child {child.id!r} requires {required!r}, which is not there")
    try:
        TopologicalSorter({each.id: each.requires for each in by_id.values()}).prepare()
    except CycleError as error:
        raise ValueError(f"children require each other: {' <- '.join(error.args[1])}") from None
    ordered: dict[str, Child] = {}
    # Depth first with a stack: what is required goes in front of who requires it.
    stack = list(reversed(by_id.values()))
    while stack:
        child = stack[-1]
        missing = [by_id[required] for required in child.requires if required not in ordered]
        if missing:
            stack += reversed(missing)
            continue
        ordered[child.id] = stack.pop()
    return list(ordered.values())


def may_stop(requires: Mapping[str, Collection[str]]) -> list[str]:
    """Return which of the children that are to stop may be stopping now, where many may.

    ``requires`` has the requirements of each of them. Those come first that were last.
    """
    needed = {required for each in requires.values() for required in each}
    return [child for child in reversed(list(requires)) if child not in needed]
