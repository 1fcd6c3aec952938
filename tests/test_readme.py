"""Every block of the README does what the README says."""

import json
import shlex
import subprocess
import sys
from collections.abc import Callable
from configparser import RawConfigParser
from pathlib import Path

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.program import Program
from tests.readme import blocks

ROOT = Path(__file__).parents[1]
README = blocks(ROOT / "README.md")
FILES = [name for kind, name in README if kind == "file"]
# A worker that is told to stop while it boots does not hear it (gunicorn's handlers come later), so
# the master waits for its graceful timeout: let that be short.
QUIET = ["--no-control-socket", "--graceful-timeout", "5"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        text = README["file", name].replace("127.0.0.1:8080", "127.0.0.1:0")
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def command() -> Callable[[str], list[str]]:
    def read(name: str) -> list[str]:
        return shlex.split(README["shell", name].strip())

    return read


def test_gunicorn_comes_with_what_its_gevent_worker_imports() -> None:
    setup = RawConfigParser()
    setup.read(ROOT / "setup.cfg")

    assert "gunicorn[gevent]" in setup["options.extras_require"]["gunicorn"]


def test_the_two_commands_exist() -> None:
    commands = [line.split("#")[0].strip() for line in README["shell", "make"].splitlines()]

    assert commands == ["make run", "make test"]
    for line in commands:
        subprocess.run([*line.split(), "--dry-run"], cwd=ROOT, check=True, capture_output=True)


def test_the_ten_lines_are_a_working_echo(
    folder: Path, command: Callable[[str], list[str]]
) -> None:
    line = [*command("echo.py"), *QUIET, "-b", "127.0.0.1:0"]

    with (
        Program(line, folder) as server,
        connect(f"ws://{server.address()}/ws", origin=None) as client,
    ):
        client.send("hello")
        assert client.recv(timeout=30) == "hello"
        client.send(b"\x01\x02")
        assert client.recv(timeout=30) == b"\x01\x02"


def test_the_yaml_example_is_a_room_for_two(
    folder: Path, command: Callable[[str], list[str]]
) -> None:
    with Program(command("config.yaml"), folder) as server:
        url = f"ws://{server.address()}/ws/rooms/tea"
        with connect(url + "?user_id=1") as one, connect(url + "?user_id=2") as other:
            one.send("milk?")
            assert other.recv(timeout=30) == "milk?"
            assert one.recv(timeout=30) == "milk?"
        with connect(url, origin=Origin("https://app.example.com")):
            pass
        with (
            pytest.raises(InvalidStatus, match="403"),
            connect(url, origin=Origin("https://evil.example.com")),
        ):
            pass


def test_the_same_file_serves_in_an_existing_application(folder: Path) -> None:
    line = ["gunicorn", "-k", "greenrelay.gunicorn.Worker", "existing:create_app()", *QUIET]

    with (
        Program([*line, "-b", "127.0.0.1:0"], folder) as server,
        connect(f"ws://{server.address()}/ws/rooms/tea") as client,
    ):
        client.send("alone")
        assert client.recv(timeout=30) == "alone"


def test_the_blueprint_by_hand_counts_down_for_a_user_only(folder: Path) -> None:
    line = ["gunicorn", "-k", "greenrelay.gunicorn.Worker", "blueprint:app", *QUIET]

    with Program([*line, "-b", "127.0.0.1:0"], folder) as server:
        url = f"ws://{server.address()}/live/countdown"
        with pytest.raises(InvalidStatus, match="401"), connect(url):
            pass
        with connect(url, additional_headers={"Cookie": f"session={_session()}"}) as client:
            left = [json.loads(client.recv(timeout=30))["left"] for _ in range(3)]
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(timeout=30)

    assert left == [3, 2, 1]
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "lift-off")


def test_the_production_line_serves_the_yaml_file(
    folder: Path, command: Callable[[str], list[str]]
) -> None:
    line = [word if word != ":8080" else "127.0.0.1:0" for word in command("production")]

    with (
        Program([*line, *QUIET], folder) as server,
        connect(f"ws://{server.address()}/ws/rooms/tea") as client,
    ):
        client.send("four workers")
        assert client.recv(timeout=30) == "four workers"


def test_the_processes_example_runs(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "processes.py"], cwd=folder, capture_output=True, text=True, timeout=30
    )

    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] == "6"
    assert "ended normally" in done.stdout


def test_every_document_the_readme_names_exists() -> None:
    text = (ROOT / "README.md").read_text()
    targets = [part.partition(")")[0] for part in text.split("](")[1:]]

    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def _session() -> str:
    app = Flask(__name__)
    app.secret_key = "change me"
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return str(signer.dumps({"user": "ada"}))
