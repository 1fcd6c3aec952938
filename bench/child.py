"""One workload of one contender, in an OS process of its own on one core.

``python -m bench.child CONTENDER WORKLOAD COUNT CROWD`` prints a Report as JSON.
"""

from __future__ import annotations

import gc
import json
import sys
from dataclasses import asdict, dataclass
from time import perf_counter

from bench.contender import CONTENDERS, Contender
from bench.machine import cpu_seconds, pin
from bench.workload import WORKLOADS, Sample, Size, Workload

WARM_UP = 10


@dataclass(frozen=True, slots=True)
class Report:
    """What one child measured; ``share`` is how much of the time it had its core to itself."""

    counted: int
    seconds: float
    figures: dict[str, float]
    share: float


class Miscounted(Exception):
    """A workload that has not seen done what was to be done."""


def run(contender: Contender, workload: Workload, size: Size) -> Report:
    """Warm up, run, and check the count; raises Miscounted."""
    function = contender.workloads()[workload.name]
    if workload.is_warmed and not contender.warms_itself:
        function(size.part(WARM_UP))
        gc.collect()
    start, start_cpu = perf_counter(), cpu_seconds()
    sample: Sample = function(size)
    share = (cpu_seconds() - start_cpu) / (perf_counter() - start)
    if not workload.with_timers and sample.counted != size.count:
        raise Miscounted(f"{sample.counted} operations were counted, {size.count} were to be done")
    return Report(sample.counted, sample.seconds, sample.figures, share)


def main(contender_name: str, workload_name: str, count: str, crowd: str) -> None:
    """Run what the command line says."""
    pin()
    contender = next(each for each in CONTENDERS if each.name == contender_name)
    workload = next(each for each in WORKLOADS if each.name == workload_name)
    report = run(contender, workload, Size(int(count), int(crowd)))
    print(json.dumps(asdict(report)))


if __name__ == "__main__":
    main(*sys.argv[1:])
