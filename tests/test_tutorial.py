"""Every block of the tutorial does what the tutorial says, in its order."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import metadata
from pathlib import Path

import gevent
import pytest

from tests.docs import DOCS
from tests.probe import wait_for
from tests.program import BIN, Program
from tests.readme import blocks
from tests.serving import Refused, WebSocketClient, connected, http

TUTORIAL = blocks(DOCS / "tutorial.md")
# The commands of the environment in which the tests run, as after `activate`.
PATH = f"{BIN}:{os.environ['PATH']}"


def file(name: str) -> str:
    return TUTORIAL["file", name]


def with_presence() -> str:
    """Return chat.py with the methods of minute 6 in the place of those it had."""
    text = file("chat.py")
    for method in re.split(r"\n\n(?=    def )", file("presence.py").rstrip()):
        (name,) = re.findall(r"^    def (\w+)", method)
        old = re.search(rf"    def {name}\(.*?(?=\n\n)", text, re.DOTALL)
        if old is None:
            text = text.replace("\n    def tell(", f"\n{method}\n\n    def tell(")
        else:
            text = text.replace(old[0], method)
    return text


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files as they are in the end; the address is any free one."""
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    for name in ("config.yaml", "index.html", "test_chat.py", "gunicorn.conf.py"):
        (tmp_path / name).write_text(file(name))
    (tmp_path / "chat.py").write_text(with_presence())
    return tmp_path


def command(name: str) -> list[str]:
    (line,) = TUTORIAL["shell", name].splitlines()
    return shlex.split(line)


def run(folder: Path, words: list[str]) -> subprocess.CompletedProcess[str]:
    given = {**os.environ, "PATH": PATH, "ADDR": "127.0.0.1:0"}
    return subprocess.run(words, cwd=folder, env=given, capture_output=True, text=True, timeout=60)


@contextmanager
def served(folder: Path, name: str) -> Iterator[Program]:
    with Program(command(name), folder, {"ADDR": "127.0.0.1:0"}) as program:
        address = program.address()
        # gunicorn listens before its worker is there.
        wait_for(lambda: _is_served(address), timeout="30s")
        yield program


def _is_served(address: str) -> bool:
    with suppress(gevent.Timeout):
        return "<title>Chat</title>" in http(address, "/")[2]
    return False


def enter(program: Program, nick: str) -> WebSocketClient:
    return WebSocketClient(program.address(), f"/rooms/lobby?nick={nick}")


def test_what_is_installed_is_there() -> None:
    *_, install = TUTORIAL["shell", "install"].splitlines()
    extras = metadata("greenrelay").get_all("Provides-Extra") or []

    assert shlex.split(install) == ["pip", "install", "greenrelay[gunicorn]", "pytest"]
    assert "gunicorn" in extras
    assert sys.version_info >= (3, 11)


def test_the_first_chat_lets_two_talk(folder: Path) -> None:
    (folder / "chat.py").write_text(file("chat.py"))

    with served(folder, "run") as program:
        ann, bob = enter(program, "ann"), enter(program, "bob")
        bob.send("milk?")

        assert ann.recv_json() == bob.recv_json() == {"who": "bob", "says": "milk?"}
        with pytest.raises(Refused, match="503"), connected(program.address(), "/rooms/attic"):
            pass
        for client in (ann, bob):
            client.close()


def test_its_configuration_has_nothing_wrong(folder: Path) -> None:
    done = run(folder, command("check"))

    assert (done.returncode, done.stderr) == (0, "")


def test_its_test_passes(folder: Path) -> None:
    done = run(folder, command("test"))

    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_room_that_is_killed_comes_back_and_shows_who_is_here(folder: Path) -> None:
    with served(folder, "run") as program:
        ann, bob = enter(program, "ann"), enter(program, "bob")
        assert bob.recv_json() == {"here": ["ann", "bob"]}
        tree, kill = (run(folder, shlex.split(line)) for line in lines_of("crash"))

        assert "named room.lobby" in tree.stdout
        assert (kill.returncode, kill.stdout) == (0, "killed\n")
        assert ann.wait_closed()[0] == bob.wait_closed()[0] == 1011
        again = come_back(program, "ann")
        assert again.recv_json() == {"here": ["ann"]}
        again.close()


def test_gunicorn_serves_it_and_drains(folder: Path) -> None:
    with served(folder, "serve") as program:
        client = enter(program, "ann")
        assert client.recv_json() == {"here": ["ann"]}
        assert "named room.lobby" in run(folder, ["greenrelay", "tree"]).stdout

        assert program.stop() == 0

        assert client.wait_closed()[0] == 1012


def lines_of(name: str) -> list[str]:
    return TUTORIAL["shell", name].splitlines()


def come_back(program: Program, nick: str) -> WebSocketClient:
    """Try again until the room is there, as the page does."""
    found: list[WebSocketClient] = []

    def is_back() -> bool:
        with suppress(Refused):
            found.append(enter(program, nick))
        return bool(found)

    wait_for(is_back, timeout="20s")
    return found[0]
