"""Source: Operations, "Command line": several programs, or workers, of one user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay
from tests.cli.crew import configured, processes
from tests.servers.running import GREENRELAY, Running, running

KEEPER = """
- {name: keeper, kind: process.service, process: "tests.cli.reloaded:service", args: [kept]}
"""


@pytest.fixture
def crew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Running, list[int]]]:
    """Two workers that know nothing of each other, and their process ids."""
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    command = [GREENRELAY, "run", configured(tmp_path, KEEPER), "--workers", "2"]
    with running(command) as server:
        yield server, processes(server, 2)


@pytest.mark.timeout(120)
def test_a_pid_says_which_worker_is_meant(crew: tuple[Running, list[int]]) -> None:
    found = json.loads(greenrelay("ps", "--entry", "reloaded:service", "--json").out)
    told = {
        each["program"]: json.loads(greenrelay("info", each["pid"], "--json").out) for each in found
    }
    sent = greenrelay("send", found[0]["pid"], "a.topic")
    killed = greenrelay("kill", found[1]["pid"])

    assert sorted(told) == sorted(crew[1])
    assert [each["pid"] for each in told.values()] == [each["pid"] for each in found]
    assert (sent.status, sent.out) == (0, "sent\n")
    assert (killed.status, killed.out) == (0, "killed\n")


@pytest.mark.timeout(120)
def test_a_name_does_not_say_it_and_the_nodes_are_told(crew: tuple[Running, list[int]]) -> None:
    found = json.loads(greenrelay("ps", "--json").out)
    nodes = {each["program"]: each["pid"][1:].partition("@")[0] for each in found}

    done = greenrelay("info", "{nobody@here|1}")

    assert done.status == 1
    for process, node in nodes.items():
        assert f"{process} (node {node}, " in done.err


@pytest.mark.timeout(120)
def test_each_row_says_whose_it_is(crew: tuple[Running, list[int]]) -> None:
    head, *rows = greenrelay("ps").out.splitlines()
    _, first, *_ = greenrelay("ps", "--pid", str(crew[1][0])).out.splitlines()

    assert head.startswith("PROGRAM  PID ")
    assert {int(row.split()[0]) for row in rows} == set(crew[1])
    assert first.startswith("{")
    for command in ("sockets", "closes"):
        assert greenrelay(command).out.startswith("PROGRAM  ")
