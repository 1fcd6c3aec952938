"""Source: Operations, "Command line": a program that does not answer is in nobody's way."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from greenrelay.admin import client
from greenrelay.admin.client import Unanswered, running
from tests.cli.commands import greenrelay
from tests.program import Program
from tests.servers.running import ROOT

SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: keeper, kind: process.service, process: "tests.cli.reloaded:service", args: [kept]}
"""


@contextmanager
def serving(config: Path) -> Iterator[Program]:
    with Program(["greenrelay", "run", str(config)], ROOT) as started:
        started.wait_for("greenrelay serves")
        yield started


@contextmanager
def stopped(program: Program) -> Iterator[None]:
    program.signal(signal.SIGSTOP)
    try:
        yield
    finally:
        program.signal(signal.SIGCONT)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    path = tmp_path / "config.yaml"
    path.write_text(SITE)
    return path


@pytest.mark.timeout(120)
def test_the_others_are_shown_beside_one_that_is_stopped(config: Path) -> None:
    with serving(config) as healthy, serving(config) as stuck, stopped(stuck):
        ps = greenrelay("ps", "--json")
        top = greenrelay("top", "--count", "1", "--json")
        doctor = greenrelay("doctor", "--json")
        reload = greenrelay("reload")

    text = f"program {stuck.pid} does not answer within 5 s: its hub is busy, or it is stopped\n"
    assert (ps.status, ps.err) == (1, text)
    assert {each["program"] for each in json.loads(ps.out)} == {healthy.pid}
    assert (top.status, top.err) == (1, text)
    assert {each["program"] for each in json.loads(top.out)} == {healthy.pid}
    told = {each["what"]: each["found"] for each in json.loads(doctor.out)}
    assert told[f"program {stuck.pid}"].startswith("does not answer within 5 s")
    assert f"program {healthy.pid}: patched" in told
    assert (reload.status, reload.err) == (1, text)
    assert f"program {healthy.pid}: 0 changes" in reload.out


@pytest.mark.timeout(120)
def test_a_pid_finds_its_program_beside_one_that_is_stopped(config: Path) -> None:
    with serving(config) as healthy, serving(config) as stuck:
        found = json.loads(greenrelay("ps", "--json", "--pid", str(healthy.pid)).out)
        (kept,) = [each for each in found if each["entry"].endswith(":service")]
        with stopped(stuck):
            info = greenrelay("info", kept["pid"])
            unclear = greenrelay("info", "a name")
            killed = greenrelay("kill", "a name", "--pid", str(stuck.pid))

    assert (info.status, info.err) == (0, "")
    assert unclear.status == 1
    assert f"{stuck.pid} (does not answer)" in unclear.err
    # It may take long to end a process, but not to say anything.
    assert killed.status == 1
    assert f"program {stuck.pid} does not answer within 5 s" in killed.err


def test_one_whose_queue_is_full_is_waited_for_no_longer(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.2)
    with serving(config) as stuck, stopped(stuck):
        for _ in range(40):
            (endpoint,) = running()

        with pytest.raises(Unanswered, match=f"program {stuck.pid} does not answer within 0.2 s"):
            endpoint.ask("hello")
