"""Source: Operations, "Command line": commands against a running program."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from greenrelay.admin.client import AdminError, running
from greenrelay.admin.place import folder, make_folder
from greenrelay.admin.wire import MAX_REQUEST_BYTES, encode
from tests.cli.commands import Done, greenrelay
from tests.program import Program
from tests.servers.running import GREENRELAY, ROOT
from tests.serving import Refused, connected

SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: ws, kind: http.router, meta.server: gateway, post_middleware: [websocket_relay]}
- {name: echo, kind: http.endpoint, meta.router: ws, path: /echo, func: "tests.cli.reloaded:echo"}
- {name: keeper, kind: process.service, process: "tests.cli.reloaded:service", args: [kept]}
"""
Ask = Callable[..., Done]


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Program]:
    """Serve SITE, in a place of its own."""
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as started:
        started.wait_for("greenrelay serves")
        yield started


def test_ps_lists_processes_with_what_is_to_be_seen_of_them(program: Program) -> None:
    with connected(program.address(), "/echo") as client:
        client.send("hello")
        assert client.recv() == "hello"

        done = greenrelay("ps", "--entry", "websocket")
        found = json.loads(greenrelay("ps", "--json").out)

    head, line = done.out.splitlines()
    assert head.split() == ["PID", "ENTRY", "HOST", "STATE", "AGE", "INBOX", "IN", "OUT", "NAMES"]
    assert "websocket  app:gateway" in line
    entries = [each["entry"] for each in found]
    assert {"websocket", "tests.cli.reloaded:service"} <= set(entries)
    socket_info = found[entries.index("websocket")]
    assert socket_info["messages_out"] >= 1
    assert socket_info["monitors"]


def test_tree_shows_services_under_their_supervisor(program: Program) -> None:
    out = greenrelay("tree").out

    lines = out.splitlines()
    assert lines[0].startswith(f"program {program.pid}, ")
    (kept,) = [line for line in lines if "reloaded:service" in line]
    assert kept.startswith("  {")


def test_info_shows_one_process_and_where_it_stands(program: Program) -> None:
    (kept,) = [each for each in ps() if each["entry"].endswith(":service")]

    done = greenrelay("info", kept["pid"])
    found = json.loads(greenrelay("info", kept["pid"], "--json").out)

    assert done.status == 0
    assert "in service" in done.out
    assert found["state"] == "waiting"
    assert found["child"]["id"] == "app:keeper"


def test_a_process_that_is_not_there_is_named(program: Program) -> None:
    done = greenrelay("info", "{nobody@here|1}")

    assert done.status == 1
    assert "{nobody@here|1}" in done.err


def test_send_reaches_a_process(program: Program) -> None:
    with connected(program.address(), "/echo") as client:
        (pid,) = [each["pid"] for each in ps() if each["entry"] == "websocket"]

        done = greenrelay("send", pid, "ws.send", '{"type": "text", "data": "from outside"}')

        assert (done.status, done.out) == (0, "sent\n")
        assert client.recv() == "from outside"


def test_a_payload_that_is_no_json_is_an_error(program: Program) -> None:
    done = greenrelay("send", "somebody", "topic", "{")

    assert done.status == 2
    assert "JSON: '{' cannot be read: " in done.err


@pytest.mark.parametrize("payload", ['"\\ud800"', '{"text": "\\udfff"}', "[" * 100_000])
def test_a_payload_that_is_no_text_or_too_deep_is_an_error(program: Program, payload: str) -> None:
    done = greenrelay("send", "somebody", "topic", payload)

    assert done.status == 2
    assert "JSON: " in done.err


def test_kill_ends_a_process_and_its_supervisor_brings_it_back(program: Program) -> None:
    (kept,) = [each for each in ps() if each["entry"].endswith(":service")]

    done = greenrelay("kill", kept["pid"])

    assert (done.status, done.out) == (0, "killed\n")
    assert kept["pid"] not in [each["pid"] for each in ps()]
    assert greenrelay("kill", kept["pid"]).status == 1


def test_kill_can_ask_first(program: Program) -> None:
    with connected(program.address(), "/echo") as client:
        (pid,) = [each["pid"] for each in ps() if each["entry"] == "websocket"]

        done = greenrelay("kill", pid, "--cancel", "5s")

        assert (done.status, done.out) == (0, "asked to end\n")
        assert client.wait_closed()[0] == 1001


def test_drain_moves_everybody_off_and_refuses_new_ones(program: Program) -> None:
    with connected(program.address(), "/echo") as client:
        done = greenrelay("drain")

        assert done.out == f"closing 1 connections of program {program.pid}\nclosed 1 connections\n"
        assert client.wait_closed()[0] == 1012
    with pytest.raises(Refused, match="503"), connected(program.address(), "/echo"):
        pass


def test_reload_prints_what_changed(program: Program, tmp_path: Path) -> None:
    more = SITE.replace("path: /echo", "path: /other")
    (tmp_path / "config.yaml").write_text(more)

    done = greenrelay("reload")

    assert done.status == 0
    assert 'http.endpoint "app:echo": path: "/echo" -> "/other"' in done.out
    assert f"program {program.pid}: 1 changes" in done.out


def test_a_reload_of_a_wrong_file_changes_nothing_and_says_what_is_wrong(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(SITE.replace("path: /echo", "pth: /echo"))

    done = greenrelay("reload")

    assert done.status == 2
    assert 'pth: unknown key; did you mean "path"?' in done.err
    assert f"program {program.pid}: nothing was changed" in done.err
    with connected(program.address(), "/echo") as client:
        client.send("still here")
        assert client.recv() == "still here"


def test_without_a_program_it_says_how_to_have_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path))

    done = greenrelay("ps")

    assert done.status == 1
    assert "GREENRELAY_ADMIN=1" in done.err


def test_which_of_several_programs_is_meant_has_to_be_said(
    program: Program, tmp_path: Path
) -> None:
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as second:
        second.wait_for("greenrelay serves")

        unclear = greenrelay("drain")
        clear = greenrelay("drain", "--pid", str(second.pid))

    assert unclear.status == 1
    assert re.search(rf"{program.pid} \(node \S+, {tmp_path / 'config.yaml'}\)", unclear.err)
    assert clear.status == 0


@pytest.mark.parametrize("command", [("sockets",), ("ps", "--json"), ("top", "--count", "2")])
def test_a_reader_that_has_seen_enough_ends_it_quietly(
    program: Program, command: tuple[str, ...]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            [GREENRELAY, *command], stdout=out, stderr=subprocess.PIPE, text=True, timeout=60
        )

    assert (done.returncode, done.stderr) == (1, "")


@pytest.mark.parametrize("command", [("ps",), ("top",), ("doctor",), ("info", "a name")])
def test_a_folder_that_cannot_be_looked_into_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    # What the kernel refuses to root as well.
    monkeypatch.setenv("GREENRELAY_RUN_DIR", "/tmp/" + "x" * 300)

    done = greenrelay(*command)

    assert done.status == 1
    assert "xxx: cannot be looked into: File name too long" in done.out + done.err


def test_a_program_that_was_killed_is_forgotten(program: Program) -> None:
    program.signal(signal.SIGKILL)
    program.wait()
    assert os.listdir(folder())

    assert greenrelay("ps").status == 1

    assert os.listdir(folder()) == []


def test_a_program_that_stops_takes_its_socket_with_it(program: Program) -> None:
    assert program.stop() == 0

    assert os.listdir(folder()) == []


def test_nobody_else_may_enter(program: Program) -> None:
    assert stat.S_IMODE(folder().stat().st_mode) == 0o700


def test_a_folder_that_others_may_enter_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "open"))
    (tmp_path / "open").mkdir(mode=0o755)

    with pytest.raises(PermissionError, match="others may enter it"):
        make_folder()


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        (b"nonsense\n", "Expecting value"),
        (b"[1]\n", "it must be a map"),
        (encode({"command": "format"}), "command: 'format' must be one of hello, facts, ps, info"),
        (encode({"command": "info"}), "dest: None must be text"),
        (encode({"command": "info", "arguments": 3}), "arguments: 3 must be a map"),
        (b"x" * (MAX_REQUEST_BYTES + 1), f"a line is longer than {MAX_REQUEST_BYTES} bytes"),
    ],
)
def test_a_request_that_makes_no_sense_gets_an_error(
    program: Program, line: bytes, answer: str
) -> None:
    (endpoint,) = running()
    with closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(10)
        client.connect(str(endpoint.path))
        client.sendall(line)

        answered = client.makefile("rb").readline()

    assert answer in json.loads(answered)["error"]
    assert endpoint.ask("hello")["pid"] == program.pid


def test_what_a_program_refuses_is_an_error_of_the_client(program: Program) -> None:
    (endpoint,) = running()

    with pytest.raises(AdminError, match="command: 'format' must be one of"):
        endpoint.ask("format")


def ps() -> list[dict[str, str]]:
    """Return what ps tells."""
    found: list[dict[str, str]] = json.loads(greenrelay("ps", "--json").out)
    return found
