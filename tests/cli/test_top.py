"""Source: Operations, "Command line": "live views", tested through a real terminal."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from tests.cli.commands import greenrelay
from tests.program import BIN, Program
from tests.servers.running import ROOT

SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: keeper, kind: process.service, process: "tests.cli.reloaded:service", args: [kept]}
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as started:
        started.wait_for("greenrelay serves")
        yield started


def test_in_a_terminal_each_picture_replaces_the_last_until_ctrl_c(program: Program) -> None:
    size = (12, 60)
    # What a shell says of its own terminal would go before what this one is.
    environ = {
        name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")
    }
    command = [str(BIN / "greenrelay"), "top", "--every", "50ms"]
    top = pexpect.spawn(command[0], command[1:], dimensions=size, encoding="utf-8", env=environ)
    try:
        for _ in range(3):
            top.expect("\x1b\\[H\x1b\\[J")
            top.expect(r"\d+ processes, 0 messages wait")
            top.expect("reloaded:serv")
        picture = top.before or ""
        top.sendintr()
        top.expect(pexpect.EOF)
    finally:
        top.close()

    assert top.exitstatus == 0
    assert max(map(len, picture.splitlines())) <= size[1], picture


def test_into_a_pipe_it_writes_one_picture_below_the_other(program: Program) -> None:
    done = greenrelay("top", "--every", "10ms", "--count", "2")

    assert done.status == 0
    assert "\x1b" not in done.out
    assert done.out.count("PID") == 2


def test_json_has_the_messages_in_a_second(program: Program) -> None:
    (info,) = [each for each in json.loads(greenrelay("ps", "--json").out) if each["child"]]
    greenrelay("send", info["pid"], "a.topic", "1")

    found = json.loads(greenrelay("top", "--count", "1", "--json").out)

    (kept,) = [each for each in found if each["pid"] == info["pid"]]
    assert kept["messages_in"] == 1
    assert kept["in_rate"] == 0


def test_json_is_a_line_for_each_picture(program: Program) -> None:
    done = greenrelay("top", "--count", "3", "--every", "10ms", "--json")

    assert [len(json.loads(line)) for line in done.out.splitlines()] == [2, 2, 2]


@pytest.mark.parametrize("count", ["0", "-1"])
def test_a_number_of_pictures_that_is_none_is_refused(program: Program, count: str) -> None:
    done = greenrelay("top", "--count", count)

    assert done.status == 2
    assert f"{count} is not in the range x>=1" in done.err


def test_a_time_that_is_none_is_refused(program: Program) -> None:
    done = greenrelay("top", "--every", "soon")

    assert done.status == 2
    assert "--every: " in done.err


def test_it_ends_when_nothing_runs_any_more(program: Program) -> None:
    program.stop()

    assert greenrelay("top").status == 1
