"""The bench of processes measures what it says: real runs, of tiny size, and never a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.child import Miscounted, run
from bench.contender import CONTENDERS, Contender
from bench.harness import ROOT
from bench.processes import main
from bench.workload import WORKLOADS, Run, Sample, Size, Workload

INSTALLED = [each for each in CONTENDERS if each.is_there()]
HERE = [each for each in INSTALLED if not each.command]


def workload(name: str) -> Workload:
    return next(each for each in WORKLOADS if each.name == name)


def test_a_run_counts_every_message_of_every_contender(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.processes", "--quick"]
    command += ["--only", "ping_pong,fan_in", "--divide", "10", "--output", str(tmp_path)]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    counted = json.loads((tmp_path / "processes.json").read_text())["counted"]
    for name, size in (("ping_pong", 6_000), ("fan_in", 10_000)):
        assert counted[name] == {each.name: [size // each.divisor] for each in INSTALLED}
    assert "ping-pong" in done.stdout


@pytest.mark.parametrize(
    ("contender", "name"),
    [
        (each, name)
        for each in HERE
        if each.name in ("gevent", "function", "server", "asyncio")
        for name in each.workloads()
        if name != "busy_pairs"
    ],
    ids=lambda value: value.name if isinstance(value, Contender) else value,
)
def test_what_was_to_be_done_is_seen_done(contender: Contender, name: str) -> None:
    size = Size(2_000, 10)
    if name in ("star", "chain", "memory"):
        size = Size(10, 10)

    report = run(contender, workload(name), size)

    assert report.counted == size.count


def test_beside_the_busy_pairs_every_timer_is_waited_for() -> None:
    contender = next(each for each in CONTENDERS if each.name == "function")

    report = run(contender, workload("busy_pairs"), Size(3, 2))

    assert report.counted > 0
    assert report.figures.keys() == {"lateness_p50", "lateness_p99"}


class Short(Contender):
    """Says it has done less than it was told."""

    def workloads(self) -> dict[str, Run]:
        return {"ping_pong": lambda size: Sample(size.count - 1, 1.0)}


def test_a_lost_message_is_no_figure() -> None:
    with pytest.raises(Miscounted, match="19 operations were counted, 20 were to be done"):
        run(Short("short", "short", ()), workload("ping_pong"), Size(20, 2))


@pytest.mark.parametrize("contender", HERE, ids=lambda contender: contender.name)
def test_every_workload_of_a_contender_is_known(contender: Contender) -> None:
    assert contender.workloads().keys() <= {each.name for each in WORKLOADS}


def test_a_workload_nobody_knows_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--only", "ping-pong"])

    assert "'ping-pong' is no workload; known: spawn_end," in capsys.readouterr().err
