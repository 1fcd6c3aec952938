"""Source: Cluster, "The engine"; Operations, "Command line": ``greenrelay cluster nodes``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import greenrelay as gr
from greenrelay.cluster.server import DevelopmentServer
from tests.cli.commands import greenrelay, seen
from tests.dashboard.program import Dashboard
from tests.probe import wait_for
from tests.program import Program
from tests.servers.running import ROOT

# A node without a page: all that is known of it is that it is there.
BARE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: system, kind: cluster, engine: "${env:GREENRELAY_CLUSTER}", app: demo}
- {name: one, kind: process.service, process: "tests.cli.test_cluster_nodes:named"}
"""


def named() -> None:
    """Have a name that no process of another node has."""
    gr.register("the one", scope="cluster")
    gr.receive()


@pytest.fixture(scope="module")
def engine() -> Iterator[str]:
    with DevelopmentServer() as server:
        yield server.url


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    with Dashboard(str(tmp_path / "run")) as program:
        assert isinstance(program, Dashboard)
        yield program


@pytest.fixture
def three(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> Iterator[Dashboard]:
    """Three nodes, of which the last has no dashboard; the first is asked."""
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "bare.yaml").write_text(BARE)
    command, elsewhere = ["greenrelay", "run", str(tmp_path / "bare.yaml")], tmp_path / "elsewhere"
    given = {"GREENRELAY_RUN_DIR": str(elsewhere), "GREENRELAY_CLUSTER": engine}
    with (
        Dashboard(str(tmp_path / "run"), engine=engine) as first,
        Dashboard(str(elsewhere), engine=engine) as second,
        Program(command, ROOT, given) as third,
    ):
        assert isinstance(first, Dashboard)
        for each in (second, third):
            each.wait_for("greenrelay serves")
        yield first


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: str) -> Iterator[Program]:
    """Two workers of one program."""
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "bare.yaml").write_text(BARE.replace("- {name: one", "#"))
    command = ["greenrelay", "run", str(tmp_path / "bare.yaml"), "--workers", "2"]
    with Program(command, ROOT, {"GREENRELAY_CLUSTER": engine}) as program:
        for number in (1, 2):
            program.wait_for(f"worker {number} (process ")
        yield program


def test_a_program_without_an_engine_is_one_node(alone: Dashboard) -> None:
    done = seen("cluster", "nodes")

    head, line, *rest = done.out.splitlines()
    wanted = "NODE STATE PROCESSES SOCKETS GROUPS NAMES FRAMES PROGRAM INCARNATION"
    assert head.split() == wanted.split()
    assert " (asked)  here " in line
    assert rest == ["", "there is one node: no engine connects it with others"]


def test_nodes_are_listed_with_what_their_dashboards_tell(three: Dashboard) -> None:
    def found() -> list[dict[str, object]]:
        done = greenrelay("cluster", "nodes", "--json")
        assert done.status == 0, done.err
        told: list[dict[str, object]] = json.loads(done.out)["nodes"]
        return told

    wait_for(lambda: sum("worker" in each for each in found()) == 2, timeout="20s")
    wait_for(lambda: len(found()) == 3, timeout="20s")
    wait_for(lambda: "the one" in greenrelay("cluster", "nodes").out, timeout="20s")
    done = seen("cluster", "nodes")

    assert done.status == 0
    asked, *others = done.out.partition("\n\n")[0].splitlines()[1:]
    assert f" {three.pid} " in asked
    assert all(" connected " in each for each in others)
    # Of the one without a page nobody tells what it does.
    assert sorted(each.split()[2] == "-" for each in others) == [False, True]


def test_workers_of_one_system_are_asked_once(workers: Program) -> None:
    def found() -> list[dict[str, object]]:
        done = greenrelay("cluster", "nodes", "--json")
        assert done.status == 0, done.err
        told: list[dict[str, object]] = json.loads(done.out)["nodes"]
        return told

    wait_for(lambda: len(found()) == 2, timeout="20s")
    done = seen("cluster", "nodes")

    assert done.status == 0
    assert done.out.count("NODE") == 1
    assert done.out.count(" (asked)  here ") == 1


def test_each_of_several_systems_is_listed(workers: Program, tmp_path: Path) -> None:
    wait_for(lambda: greenrelay("cluster", "nodes").out.count("NODE") == 1, timeout="20s")
    with Dashboard(str(tmp_path / "run")) as other:
        done = seen("cluster", "nodes")
        as_json = greenrelay("cluster", "nodes", "--json")
        one = greenrelay("cluster", "nodes", "--json", "--pid", str(other.pid))

    assert done.status == 0
    assert done.out.count("NODE") == 2
    assert done.out.count("\nthere is one node: no engine connects it with others") == 1
    assert as_json.status == 1
    assert "2 systems run; say which with --pid, a program of each: " in as_json.err
    assert json.loads(one.out)["is_alone"] is True
