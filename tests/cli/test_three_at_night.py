"""The questions of three in the morning, each answered by one command.

Source: Operations, "Command line"; how the page answers them is in
``tests/dashboard/test_in_browser.py``. The program is a real one, and so is the terminal.
"""

from __future__ import annotations

import json

import pexpect

from tests.cli.commands import greenrelay, seen, terminal
from tests.cli.shown import client, program
from tests.dashboard.program import PASSWORD, Dashboard
from tests.serving import WebSocketClient, http

__all__ = ["client", "program"]


def test_who_is_connected_to_this_room(client: WebSocketClient) -> None:
    done = seen("sockets", "--target", "room:tea")

    (line,) = [line for line in done.out.splitlines() if "room:tea" in line]
    assert "<i>ada</i>" in line
    assert "/chat" in line
    assert "1 sockets" in done.out


def test_why_did_this_socket_close(client: WebSocketClient) -> None:
    client.close(4321, "bored")

    done = seen("closes", "--user", "ada")

    assert "4321  bored   client  yes    <i>ada</i>  /chat" in done.out


def test_which_process_has_a_growing_inbox(program: Dashboard) -> None:
    with terminal("top", "--sort", "growth", "--every", "200ms") as top:
        top.expect("GROWS/S")
        stuck = http(program.address(), "/fill")[2]

        # The first line below the head.
        top.expect(rf"DROPPED\r\n{_escaped(stuck)} .* 25/25 +\+\d+ ")
        top.sendintr()
        top.expect(pexpect.EOF)


def test_which_view_blocks_the_hub(program: Dashboard) -> None:
    assert http(program.address(), "/block")[0] == 200

    done = seen("reports", "--hub")

    assert "has kept the hub busy for 0." in done.out
    assert "in block" in done.out


def test_what_is_this_users_last_traffic(client: WebSocketClient) -> None:
    with terminal("tail", "--user", "ada") as tail:
        said = 0
        # It may not look yet when the first ones go by.
        while not tail.expect(
            [pexpect.TIMEOUT, r"-> ws\.message \d+ B  number \d+\r\n"], timeout=0.5
        ):
            said += 1
            client.send(f"number {said}")
            assert client.recv()
        tail.expect(r"<- ws\.send \d+ B  number \d+\r\n")
        tail.sendintr()
        tail.expect(pexpect.EOF)

    assert tail.exitstatus == 0


def test_move_everybody_off_this_worker(program: Dashboard, client: WebSocketClient) -> None:
    done = seen("drain", "--pid", str(program.pid))

    assert (done.status, "closed 1 connections" in done.out) == (0, True)
    assert client.wait_closed()[0] == 1012


def test_kick_this_one(client: WebSocketClient) -> None:
    (socket,) = json.loads(greenrelay("sockets", "--user", "ada", "--json").out)

    done = seen("send", socket["pid"], "ws.close", '{"code": 4003, "reason": "enough"}')

    assert (done.status, done.out) == (0, "sent\n")
    assert client.wait_closed() == (4003, "enough")


def test_where_does_this_setting_come_from(program: Dashboard) -> None:
    done = seen("config", "--running")

    (line,) = [each for each in done.out.splitlines() if "***" in each]
    place = "tests/dashboard/demo.yaml:7, environment DASHBOARD_PASSWORD"
    assert " ".join(line.split()) == f"password *** {place}"
    assert PASSWORD not in done.out


def _escaped(text: str) -> str:
    return "".join(f"\\{each}" if each in "{}|.@" else each for each in text)
