"""The bench of a cluster measures what it says: real runs, tiny, and never a time."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.child import Report
from bench.cluster import run_child
from bench.cluster_report import as_json, markdown
from bench.cluster_work import BOUNDS, CLIENTS, ENGINE, OURS, WORKLOADS, Client
from bench.harness import ROOT, ChildFailed, Results
from bench.workload import Size

BY_NAME = {each.name: each for each in WORKLOADS}


# It starts the programs of every client, one after the other.
@pytest.mark.timeout(300)
def test_a_quick_run_writes_figures_of_every_client(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.cluster", "--quick", "--output", str(tmp_path)]

    done = subprocess.run(
        [*command, "--only", "one_way", "broadcast", "kill", "local"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    found = json.loads((tmp_path / "cluster.json").read_text())
    streams = {"engine", "nats_py", "greenrelay"}
    assert set(found["counted"]["one_way"]) == set(found["counted"]["broadcast"]) == streams
    assert set(found["counted"]["kill"]) == {"engine", "greenrelay"}
    assert set(found["counted"]["local"]) == {"greenrelay"}
    assert len(found["targets"]) == 4
    assert (tmp_path / "cluster.md").read_text() in done.stdout


def test_a_client_that_does_not_get_through_is_told() -> None:
    with pytest.raises(ChildFailed, match="processes of greenrelay, one_way: exit status 1"):
        run_child(OURS, BY_NAME["one_way"], Size(10, 1), "nats://127.0.0.1:1")


def test_every_target_is_of_a_metric_its_client_has() -> None:
    metrics = {
        metric.name: workload.name
        for workload in WORKLOADS
        for metric in workload.metrics(workload.full)
    }

    for bound in BOUNDS:
        assert metrics[bound.metric] in OURS.workloads()


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_whatever_a_client_can_run_is_measured(client: Client) -> None:
    assert client.workloads()
    assert set(client.workloads()) <= set(BY_NAME)


def test_the_summary_says_what_is_met_and_compares_with_the_engine() -> None:
    found = Results()
    for client, count in ((ENGINE, 400_000), (OURS, 200_000)):
        found.add(BY_NAME["one_way"], client, Report(count, 1.0, {}, 1.0))
    found.add(BY_NAME["kill"], OURS, Report(1, 0.0, {"kill": 80.0}, 1.0))
    found.add(BY_NAME["local"], OURS, Report(100, 1.0, {"local_kept": 0.99}, 1.0))
    sized = [(BY_NAME[name], Size(1, 1)) for name in ("one_way", "kill", "local")]

    text = markdown(found, sized, {"python": "3"})

    words = [" ".join(line.replace("|", " ").split()) for line in text.splitlines()]
    assert "one way 200 k/s >= 150 k/s met" in words
    assert (
        "SIGKILL until it is known, with the server's news 80.00 ms <= 50.00 ms **missed**" in words
    )
    assert "the same, by that of a node without an engine 0.990 >= 0.980 met" in words
    assert "2 of 3 targets are met." in words
    assert "one way 400 k/s - 200 k/s (0.500)" in words
    targets = as_json(found, sized, {}, 1)["targets"]
    assert isinstance(targets, list)
    met = {each["metric"]: each["is_met"] for each in targets}
    assert met == {"one_way": True, "local_kept": True, "kill": False}
