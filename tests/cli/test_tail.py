"""Source: Operations, "Command line": ``tail PID`` of processes without a socket, in a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

import greenrelay as gr
from tests.cli.commands import greenrelay, terminal
from tests.program import Program
from tests.servers.running import ROOT

SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: pair, kind: process.service, process: "tests.cli.test_tail:teller"}
"""


def counter() -> None:
    """Count what is told until told to end; the name is the one to look at."""
    gr.register("counter")
    gr.receive("end")


def teller() -> None:
    """Hand on what is sent to it."""
    gr.register("teller")
    gr.spawn_linked(counter)
    for message in gr.inbox():
        gr.send("counter", message.topic, message.payload)


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as started:
        started.wait_for("greenrelay serves")
        yield started


def tell(tail: pexpect.spawn[str], payload: object, wanted: str) -> None:
    """Let the teller speak until the terminal shows it: it may not look yet at first."""
    while tail.expect([pexpect.TIMEOUT, wanted], timeout=0.5) == 0:
        assert greenrelay("send", "teller", "tick", json.dumps(payload)).status == 0


def pid_of(name: str) -> str:
    return str(json.loads(greenrelay("info", name, "--json").out)["pid"])


def test_what_one_process_sends_another_is_shown_as_it_comes(program: Program) -> None:
    sender = pid_of("teller")
    with terminal("tail", "counter") as tail:
        tell(tail, {"n": 7, "token": "hush"}, r"-> tick from (\S+)  \{'n': 7, 'token': '\*\*\*'\}")
        assert isinstance(tail.match, re.Match)
        assert tail.match[1] == sender
        # By hand, so from nobody.
        assert greenrelay("send", "counter", "tock", '"\\u001b[2J"').status == 0
        tail.expect(r"-> tock from nobody  \\x1b\[2J")
        tail.sendintr()
        tail.expect(pexpect.EOF)

    assert tail.exitstatus == 0


def test_what_a_process_sends_is_shown_as_well(program: Program) -> None:
    with terminal("tail", "teller") as tail:
        tell(tail, 7, r"<- tick to counter  7\r\n")
        tail.sendintr()
        tail.expect(pexpect.EOF)


def test_it_ends_with_the_process(program: Program) -> None:
    with terminal("tail", "counter", "--json") as tail:
        tell(tail, 1, r'"topic": "tick", .*"peer": "\{')
        assert greenrelay("send", "counter", "end").status == 0
        tail.expect(pexpect.EOF)

    assert tail.exitstatus == 0


def test_who_is_looked_at_no_more_has_its_messages_still(program: Program) -> None:
    with terminal("tail", "counter") as tail:
        tell(tail, 1, "-> tick")
        tail.sendintr()
        tail.expect(pexpect.EOF)

    before = json.loads(greenrelay("info", "counter", "--json").out)["depth"]
    greenrelay("send", "counter", "tock")
    after = json.loads(greenrelay("info", "counter", "--json").out)["depth"]

    assert before >= 1
    assert after == before + 1


@pytest.mark.parametrize("arguments", [(), ("counter", "--user", "ada")])
def test_one_of_process_and_user_has_to_be_said(
    program: Program, arguments: tuple[str, ...]
) -> None:
    done = greenrelay("tail", *arguments)

    assert (done.status, done.err) == (2, "one of PID and --user must be given\n")


def test_the_tree_stands_in_a_terminal_as_it_is(program: Program) -> None:
    with terminal("tree") as tree:
        tree.expect(rf"program {program.pid}, \d+ processes\r\n")
        tree.expect(r"  \{\S+\}  tests\.cli\.test_tail:teller  waiting  \d+s  named teller")
        tree.expect(r"\r\n\{\S+\}  tests\.cli\.test_tail:counter  .* named counter  linked to \{")
        tree.expect(pexpect.EOF)
    assert tree.exitstatus == 0
