"""The unit of systemd in docs/operations/files is one that systemd takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.running import ROOT

UNIT = ROOT / "docs" / "operations" / "files" / "greenrelay.service"
SYSTEMD = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(SYSTEMD is None, reason="systemd is not installed here")


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that is there, as gunicorn is on the machine it is meant for."""
    path = tmp_path / "greenrelay.service"
    path.write_text(UNIT.read_text().replace("/srv/app/.venv/bin/gunicorn", sys.executable))
    return path


@needs_systemd
def test_systemd_finds_nothing_wrong_in_the_unit(unit: Path) -> None:
    done = analyze("verify", unit)

    assert (done.returncode, done.stderr) == (0, "")


@needs_systemd
def test_systemd_would_find_what_is_wrong(unit: Path) -> None:
    unit.write_text(unit.read_text().replace("KillMode=mixed", "KillMod=mixed"))

    assert "'KillMod'" in analyze("verify", unit).stderr


@needs_systemd
def test_the_unit_is_shut_in_as_far_as_a_web_server_can_be(unit: Path) -> None:
    done = analyze("security", "--offline=true", "--threshold=25", unit)

    # An exposure of 2.5 of 10 at most; a unit that says nothing has 9.6.
    assert done.returncode == 0, done.stdout


def analyze(*arguments: object) -> subprocess.CompletedProcess[str]:
    assert SYSTEMD is not None
    return subprocess.run(
        [SYSTEMD, *map(str, arguments)], capture_output=True, text=True, timeout=60
    )
