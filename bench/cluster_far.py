"""Another node in an OS process of its own, and how a program measures or is that node.

A program ``bench.cluster_…`` is run as ``WORKLOAD COUNT CROWD CONTENDER URL`` and prints a Report
as JSON, or as ``far ROLE NUMBER COUNT URL``: then it prints one line when it is ready, and does
what its role says until it is killed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from statistics import median, quantiles

from bench.child import Report
from bench.harness import ROOT
from bench.workload import Sample, Size

Work = Callable[[Size, str], Sample]
Role = Callable[[str, int, str], object]


class Far:
    """Another node; ``word`` is what it has said when it was ready. A context manager kills it."""

    def __init__(self, program: str, role: str, url: str, *, number: int = 0, count: int = 0):
        # A name of its own each time: one that has died under it is dead for the others.
        name = f"{role}{number}x{time.time_ns()}"
        command = [sys.executable, "-m", program, "far", role, name, str(count), url]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        self.word = self._process.stdout.readline().strip()

    def __enter__(self) -> Far:
        return self

    def __exit__(self, *exc: object) -> None:
        self.signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def signal(self, number: int) -> float:
        """Send it a signal; return when."""
        now = time.perf_counter()
        os.kill(self._process.pid, number)
        return now


def serve(arguments: list[str], works: Mapping[str, Work], roles: Mapping[str, Role]) -> None:
    """Do what the command line says."""
    if arguments[0] == "far":
        _, role, name, count, url = arguments
        roles[role](name, int(count), url)
        return
    workload, count, crowd, url = arguments
    sample = works[workload](Size(int(count), int(crowd)), url)
    print(json.dumps(asdict(Report(sample.counted, sample.seconds, sample.figures, 1.0))))


def times(name: str, seconds: list[float]) -> Sample:
    """Return the middle and the slow end of round trips, in microseconds."""
    parts = quantiles(seconds, n=100)
    figures = {f"{name}_p50": 1e6 * parts[49], f"{name}_p99": 1e6 * parts[98]}
    return Sample(len(seconds), 0.0, figures)


def middle(name: str, seconds: list[float]) -> Sample:
    """Return the median of some times, in milliseconds."""
    return Sample(len(seconds), 0.0, {name: 1e3 * median(seconds)})
