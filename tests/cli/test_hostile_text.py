"""Source: Operations, "Command line": what clients and programs choose moves no cursor."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

import greenrelay as gr
from tests.cli.commands import greenrelay, seen
from tests.cli.shown import client, program
from tests.program import Program
from tests.servers.running import ROOT
from tests.serving import WebSocketClient

__all__ = ["client", "program"]

# The title of a terminal, in both ways that there are to begin such a command.
EVIL = "\x1b]0;owned\x07\x9d0;owned\x9c"
SHOWN = r"\x1b]0;owned\x07\x9d0;owned\x9c"
CONTROLS = ("\x07", "\x9c", "\x9d")
SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: keeper, kind: process.service, process: "tests.cli.test_hostile_text:named"}
"""


def named() -> None:
    """Be known by a name that would change a terminal's title, and warn with it."""
    gr.register(EVIL)
    logging.getLogger("greenrelay.tests").warning("this is %s\nin two lines", EVIL)
    for _ in gr.inbox():
        pass


@pytest.fixture
def evil(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as started:
        started.wait_for("greenrelay serves")
        started.wait_for("in two lines")
        yield started


@pytest.mark.parametrize("command", [("ps",), ("tree",), ("info", EVIL), ("reports",)])
def test_a_program_moves_no_cursor(evil: Program, command: tuple[str, ...]) -> None:
    done = seen(*command)

    assert done.status == 0
    assert SHOWN in done.out
    assert not [each for each in CONTROLS if each in done.out]


def test_lines_of_a_report_stay_lines(evil: Program) -> None:
    assert f": this is {SHOWN}\nin two lines\n" in greenrelay("reports").out


def test_an_error_moves_no_cursor(evil: Program) -> None:
    done = seen("info", f"nobody {EVIL}")

    assert (done.status, "nobody" in done.out) == (1, True)
    assert not [each for each in CONTROLS if each in done.out]


@pytest.mark.parametrize("command", [("ps", "--json"), ("top", "--json", "--count", "1")])
def test_json_has_the_text_as_it_is_and_moves_no_cursor(
    evil: Program, command: tuple[str, ...]
) -> None:
    done = seen(*command)

    assert not [each for each in CONTROLS if each in done.out]
    assert [EVIL] in [each["names"] for each in json.loads(done.out)]


def test_the_reason_of_a_close_moves_no_cursor(client: WebSocketClient) -> None:
    client.close(4005, EVIL)

    done = seen("closes", "--code", "4005")

    assert SHOWN in done.out
    assert not [each for each in CONTROLS if each in done.out]
