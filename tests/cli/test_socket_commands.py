"""Source: Operations, "Command line": ``sockets``, ``closes`` and ``tail``."""

from __future__ import annotations

import json
import re

import pytest

from tests.cli.commands import greenrelay
from tests.cli.shown import client, program
from tests.dashboard.program import Dashboard
from tests.program import Program
from tests.servers.running import ROOT
from tests.serving import WebSocketClient

__all__ = ["client", "program"]


def test_sockets_are_listed_with_filters(client: WebSocketClient) -> None:
    done = greenrelay("sockets", "--target", "room:tea")
    found = json.loads(greenrelay("sockets", "--json", "--user", "ADA").out)
    none = greenrelay("sockets", "--path", "/elsewhere", "--order", "queue")

    head, line, *_ = done.out.splitlines()
    assert head.split() == (
        [
            "PID",
            "USER",
            "PATH",
            "ADDRESS",
            "TARGET",
            "STATE",
            "QUEUE",
            "IN",
            "OUT",
            "LAST",
            "RTT",
            "AGE",
        ]
    )
    assert "room:tea" in line
    assert [each["user"] for each in found] == ["<i>ada</i>"]
    assert none.out.endswith("0 sockets\n")


def test_sockets_say_when_their_last_message_was(client: WebSocketClient) -> None:
    before = greenrelay("sockets", "--user", "ada").out.splitlines()[1]
    client.send("hello")
    assert client.recv() == "hello"

    after = greenrelay("sockets", "--user", "ada", "--order", "last").out.splitlines()[1]

    # IN, OUT, LAST
    assert before.split()[-5:-2] == ["0", "0", "-"]
    assert re.fullmatch(r"1 1 \d+s", " ".join(after.split()[-5:-2]))


def test_a_filter_that_is_none_is_refused(client: WebSocketClient) -> None:
    assert greenrelay("sockets", "--state", "asleep").status == 2


def test_closes_say_why(client: WebSocketClient) -> None:
    client.close(4005, "enough")

    done = greenrelay("closes", "--code", "4005")
    found = json.loads(greenrelay("closes", "--json").out)

    assert "4005  enough  client  yes" in done.out
    assert [(each["code"], each["path"]) for each in found] == [(4005, "/chat")]
    assert len(greenrelay("closes", "--user", "eve").out.splitlines()) == 1


@pytest.mark.parametrize("dest", ["room:tea", "socket"])
def test_tail_shows_what_goes_over_a_socket(client: WebSocketClient, dest: str) -> None:
    (socket,) = json.loads(greenrelay("sockets", "--json").out)
    name = socket["pid"] if dest == "socket" else dest
    with Program(["greenrelay", "tail", name], ROOT) as tail:
        said = 0
        # It may not look yet when the first ones go by.
        while not any("ws.send" in line for line in tail.output):
            said += 1
            client.send(f"number {said}\x1b[2J")
            assert client.recv()
        client.send("the last")
        tail.wait_for("the last")

        # The room goes on when its client has gone.
        if dest == "socket":
            client.close()
            assert tail.wait() == 0

    words = [line.split() for line in tail.output if "went by too fast" not in line]
    # A room hears more than what goes over a socket: a heartbeat, or that somebody has come.
    lines = [line for line in words if line[3] in ("ws.message", "ws.send")]
    assert {line[2] for line in lines} == {"->", "<-"}
    assert {line[1] for line in lines} == {socket["pid"]}
    assert not any("\x1b" in line for line in tail.output)


def test_tail_of_nobody_is_told_so(program: Dashboard) -> None:
    done = greenrelay("tail", "nobody")

    assert (done.status, done.err) == (1, "name 'nobody' is not known\n")
    assert not [line for line in program.output if "failed" in line or "Traceback" in line]
