"""Source: Operations, "Command line": which changes ``--reload`` sees."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from greenrelay.cli import watch
from greenrelay.cli.watch import Watch, folders_of


@pytest.fixture(autouse=True)
def _short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "INTERVAL", 0.01)


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[], object]], str]:
    """Returns what a watch reports once something was done, relative to its folder."""

    def report(do: Callable[[], object]) -> str:
        watching = Watch([tmp_path])
        do()
        with gevent.Timeout(30):
            return os.path.relpath(watching.wait(), tmp_path)

    return report


@pytest.mark.parametrize("name", ["a.py", "config.yaml", "more.yml"])
def test_a_file_that_comes_is_a_change(
    tmp_path: Path, changed: Callable[[Callable[[], object]], str], name: str
) -> None:
    assert changed((tmp_path / name).touch) == name


def test_a_file_that_goes_is_a_change(
    tmp_path: Path, changed: Callable[[Callable[[], object]], str]
) -> None:
    (tmp_path / "a.py").touch()

    assert changed((tmp_path / "a.py").unlink) == "a.py"


def test_a_file_below_that_is_written_is_a_change(
    tmp_path: Path, changed: Callable[[Callable[[], object]], str]
) -> None:
    path = tmp_path / "package" / "a.py"
    path.parent.mkdir()
    path.touch()

    assert changed(lambda: path.write_text("new")) == "package/a.py"


def test_a_link_to_itself_is_no_file_and_does_not_end_the_watch(
    tmp_path: Path, changed: Callable[[Callable[[], object]], str]
) -> None:
    (tmp_path / "a.py").symlink_to("a.py")

    assert changed((tmp_path / "z.py").touch) == "z.py"


@pytest.mark.parametrize(
    "name", ["notes.txt", ".git/a.py", "__pycache__/a.py", "node_modules/a.py", "venv/lib/a.py"]
)
def test_what_is_no_code_of_the_project_is_no_change(
    tmp_path: Path, changed: Callable[[Callable[[], object]], str], name: str
) -> None:
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "pyvenv.cfg").touch()
    other = tmp_path / name

    def write_both() -> None:
        other.parent.mkdir(exist_ok=True, parents=True)
        other.touch()
        (tmp_path / "z.py").touch()

    assert changed(write_both) == "z.py"


def test_folders_below_others_are_watched_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    found = folders_of(["config.yaml", "conf/more.yaml", "/elsewhere/far/config.yaml"])

    assert found == [tmp_path, Path("/elsewhere/far")]
