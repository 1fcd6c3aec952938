"""Source: Operations, "Command line": ``new NAME`` (a working project)."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay
from tests.program import BIN, Program
from tests.servers.running import ROOT
from tests.serving import connected, http

# The package as it is here; compiling it would only take time.
HERE = {"GREENRELAY": str(ROOT), "GREENRELAY_PURE_PYTHON": "1"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project as the command makes it."""
    folder = tmp_path_factory.mktemp("new")

    done = greenrelay("new", "parlour", cwd=folder)

    assert done.status == 0
    assert "cd parlour\n  make run\n  make test" in done.out
    return folder / "parlour"


@pytest.mark.timeout(300)
def test_what_it_makes_passes_its_own_tests_and_runs(project: Path) -> None:
    done = subprocess.run(
        ["make", "test"],
        cwd=project,
        env={**os.environ, **HERE},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout

    with Program(["make", "run"], project, {**HERE, "ADDR": "127.0.0.1:0"}) as program:
        address = program.address()
        assert "<title>parlour</title>" in http(address, "/")[2]
        with connected(address, "/ws/den") as ann, connected(address, "/ws/den") as bob:
            assert [ann.recv(), ann.recv(), bob.recv()] == ["1 in den", "2 in den", "2 in den"]
            bob.send("hello")
            assert ann.recv() == bob.recv() == "hello"


def test_its_configuration_has_nothing_wrong(project: Path) -> None:
    done = greenrelay("check", cwd=project)

    assert done.status == 0, done.err


def test_its_dockerfile_has_no_fault_that_a_linter_knows(project: Path) -> None:
    hadolint = BIN / "hadolint"
    assert hadolint.exists(), "there is no hadolint: it comes with the extra `dev`"

    done = subprocess.run(
        [hadolint, "--no-color", "--failure-threshold", "style", project / "Dockerfile"],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_its_image_stops_like_a_worker_and_is_not_root(project: Path) -> None:
    lines = (project / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    found = dict(line.split(maxsplit=1) for line in lines if line[:1].isupper())

    # A shell in between would keep SIGTERM to itself.
    assert json.loads(found["CMD"])[0] == "gunicorn"
    assert found["USER"].isdecimal()
    assert f"greenrelay[gunicorn]=={version('greenrelay')}" in found["RUN"]
    assert "urlopen('http://127.0.0.1:8080/'" in json.loads(found["HEALTHCHECK"].split("CMD")[1])[2]
    assert found["ENV"].startswith("ADDR=0.0.0.0:8080")


def test_nothing_of_its_name_is_a_placeholder(project: Path) -> None:
    made = [path for path in project.rglob("*") if path.is_file() and ".venv" not in path.parts]

    assert made
    placeholders = (b"PROJECT", b"GREENRELAY-VERSION")
    assert not [path for path in made if any(each in path.read_bytes() for each in placeholders)]


def test_it_stops_when_it_is_told_to_and_nobody_has_to_be_killed(project: Path) -> None:
    with Program(["greenrelay", "run", "config.yaml"], project, {"ADDR": "127.0.0.1:0"}) as program:
        program.wait_for("app:rooms started")
        program.wait_for("greenrelay serves")

        assert program.stop() == 0

    assert not [line for line in program.output if "still there" in line]
    assert [line for line in program.output if "app:rooms stopped (shutdown)" in line]


def test_where_nothing_can_be_made_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for name in ("/proc/foo", "file/foo"):
        done = greenrelay("new", name, cwd=tmp_path)

        assert done.status == 1
        assert f"NAME: {name} cannot be made: " in done.err


@pytest.mark.parametrize(
    ("name", "problem"),
    [("9lives", "must be letters, digits"), ("a b", "must be letters, digits"), ("", "must be")],
)
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str, problem: str) -> None:
    done = greenrelay("new", name, cwd=tmp_path)

    assert done.status == 2
    assert problem in done.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "work").write_text("years of it")

    done = greenrelay("new", "mine", cwd=tmp_path)

    assert done.status == 2
    assert "mine is there already; nothing was written" in done.err
    assert os.listdir(tmp_path / "mine") == ["work"]
