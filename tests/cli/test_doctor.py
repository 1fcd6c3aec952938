"""Source: Operations, "Command line": ``doctor`` (worker class, ulimit, worker_connections, …)."""

from __future__ import annotations

import json
import resource
import subprocess
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay
from tests.program import BIN, Program
from tests.servers.kinds import address_of, gunicorn
from tests.servers.running import ROOT, running

SITE = "- {name: gateway, kind: http.service, addr: '127.0.0.1:0'}\n"


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))


def test_it_says_what_is_wrong_in_gunicorns_file_and_what_to_write(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text('worker_class = "sync"\ngraceful_timeout = 5\n')

    done = greenrelay("doctor", cwd=tmp_path)

    assert done.status == 1
    assert (
        "wrong  gunicorn.conf.py: worker_class: sync\n"
        '       -> set worker_class = "greenrelay.gunicorn.Worker"\n'
    ) in done.out
    assert "note   gunicorn.conf.py: graceful_timeout: 5 s\n" in done.out


def test_a_file_that_is_right_is_right(tmp_path: Path) -> None:
    path = tmp_path / "other.py"
    path.write_text('worker_class = "greenrelay.gunicorn.Worker"\nworker_connections = 10000\n')

    done = greenrelay("doctor", "--gunicorn", str(path))

    assert done.status == 0
    assert f"ok     {path}: worker_class: greenrelay.gunicorn.Worker\n" in done.out


def test_a_file_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text("1 / 0\n")

    done = greenrelay("doctor", cwd=tmp_path)

    assert done.status == 1
    assert "cannot be run: ZeroDivisionError: division by zero" in done.out


def test_few_files_are_wrong(tmp_path: Path) -> None:
    def lower() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (512, 2048))

    done = subprocess.run(
        [str(BIN / "greenrelay"), "doctor"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lower,
        timeout=30,
    )

    assert done.returncode == 1
    assert " open of 512\n       -> raise it (ulimit -n 2048): each socket is a file" in done.stdout


def test_programs_that_run_are_asked(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as program:
        program.wait_for("greenrelay serves")

        found = json.loads(greenrelay("doctor", "--json").out)

    of_it = {each["what"]: each for each in found}
    assert of_it[f"program {program.pid}: patched"]["state"] == "ok"
    assert of_it[f"program {program.pid}: proxy"]["state"] == "note"


def test_workers_of_gunicorn_are_asked() -> None:
    command = gunicorn("-k", "greenrelay.gunicorn.Worker")
    with running(command, {"GREENRELAY_ADMIN": "1"}) as server:
        address_of(server)
        server.wait_for("clock runs in")

        found = json.loads(greenrelay("doctor", "--json").out)

        assert server.stop() == 0
    (patched,) = [each for each in found if each["what"].endswith(": patched")]
    assert patched["state"] == "ok"
