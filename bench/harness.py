"""Runs the contenders in turn, and keeps what each round gave.

Within a round a workload is done by one contender after the other, so that what the machine does
besides hits all of them; ratios are taken within a round, and the middle one of them counts. A run
timed by the wall whose core was taken by something else is repeated.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from bench.child import Report
from bench.contender import BASELINE, Contender
from bench.workload import Size, Workload

ROOT = Path(__file__).parent.parent
CHILD_SECONDS = 180.0
# Below this share of the core's time a run says more about what else ran.
FAIR_SHARE = 0.9
ATTEMPTS = 2

Run = Callable[[Contender, Workload, Size], Report]
# By round.
Series = list[float]


class ChildFailed(Exception):
    """A contender that did not get through a workload."""


@dataclass(slots=True)
class Results:
    """Figures by metric and contender, and counts by workload and contender, round by round."""

    figures: dict[str, dict[str, Series]] = field(default_factory=dict)
    counted: dict[str, dict[str, list[int]]] = field(default_factory=dict)
    repeated: int = 0

    def add(self, workload: Workload, contender: Contender, report: Report) -> None:
        """Keep what one run gave."""
        counts = self.counted.setdefault(workload.name, {})
        counts.setdefault(contender.name, []).append(report.counted)
        found = dict(report.figures)
        if report.seconds and workload.title:
            found[workload.name] = report.counted / report.seconds
        for metric, figure in found.items():
            of_all = self.figures.setdefault(metric, {})
            of_all.setdefault(contender.name, []).append(figure)

    def median(self, metric: str, contender: str) -> float | None:
        """Return the middle one of the rounds' figures, or None."""
        series = self.figures.get(metric, {}).get(contender)
        return median(series) if series else None

    def ratio(
        self, metric: str, contender: str, *, of: str = BASELINE, of_metric: str = ""
    ) -> float | None:
        """Return how many times ``of``'s figure a contender's is: the middle one of the rounds."""
        mine = self.figures.get(metric, {}).get(contender, ())
        theirs = self.figures.get(of_metric or metric, {}).get(of, ())
        ratios = [one / other for one, other in zip(mine, theirs, strict=False) if other]
        return median(ratios) if ratios else None


def measure(
    contenders: Sequence[Contender],
    workloads: Iterable[tuple[Workload, Size]],
    rounds: int,
    *,
    run: Run,
    tell: Callable[[str], object],
) -> Results:
    """Return what ``rounds`` rounds give; ``tell`` hears what is being done."""
    results = Results()
    plan = tuple(workloads)
    able = {each.name: each.workloads() for each in contenders}
    for number in range(rounds):
        for workload, size in plan:
            if number and workload.is_once:
                continue
            tell(f"round {number + 1} of {rounds}: {workload.name}")
            for contender in contenders:
                if workload.name in able[contender.name]:
                    report = _run_fairly(run, contender, workload, size, results)
                    results.add(workload, contender, report)
    return results


def _run_fairly(
    run: Run, contender: Contender, workload: Workload, size: Size, results: Results
) -> Report:
    own_size = size.part(contender.divisor)
    best = run(contender, workload, own_size)
    for _ in range(ATTEMPTS - 1):
        if best.share >= FAIR_SHARE or not contender.has_threads or workload.is_once:
            break
        results.repeated += 1
        best = max(best, run(contender, workload, own_size), key=lambda report: report.share)
    return best


def run_child(contender: Contender, workload: Workload, size: Size) -> Report:
    """Run one workload in an OS process of its own; raises ChildFailed."""
    where = f"{contender.title}, {workload.name}"
    command = [sys.executable, "-m", "bench.child", contender.name, workload.name]
    command += [str(size.count), str(size.crowd)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=CHILD_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"{where}: not done after {CHILD_SECONDS:g} s") from None
    if done.returncode:
        raise ChildFailed(f"{where}: exit status {done.returncode}\n{done.stderr}")
    return Report(**json.loads(done.stdout))
