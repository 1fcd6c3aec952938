"""Gates, which must hold, and goals, to be reached for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bench.harness import Results


@dataclass(frozen=True, slots=True)
class Bound:
    """What a metric of ``peer`` has to reach.

    Gate and goal are multiples of what ``of``, another peer, has in the same round, or absolute
    without one. ``is_most`` says that less is better.
    """

    peer: str
    metric: str
    gate: float
    goal: float
    of: str = ""
    is_most: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """A bound and the value that was compared with it."""

    bound: Bound
    value: float

    def reaches(self, limit: float) -> bool:
        """Whether the value is as good as ``limit``."""
        return self.value <= limit if self.bound.is_most else self.value >= limit

    @property
    def word(self) -> str:
        """What the table says: goal, gate or MISSED."""
        if self.reaches(self.bound.goal):
            return "goal"
        return "gate" if self.reaches(self.bound.gate) else "MISSED"


def judge(results: Results, bounds: Iterable[Bound]) -> list[Verdict]:
    """Return a verdict for each bound whose figures are there."""
    verdicts = []
    for bound in bounds:
        if bound.of:
            value = results.ratio(bound.metric, bound.peer, of=bound.of)
        else:
            value = results.median(bound.metric, bound.peer)
        if value is not None:
            verdicts.append(Verdict(bound, value))
    return verdicts
