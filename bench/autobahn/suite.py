"""Autobahn's test suite: found, set up where it is not, and run.

It needs Python 2.7, which comes from PATH or from pyenv. What is set up stays in the virtual
environment of the repository, so it is done once and goes with it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path

from bench.autobahn.cases import Case, Chunk

VERSION = "25.10.1"
# The last ones that can make an environment of Python 2.7.
_VIRTUALENV = "virtualenv<20.22"
AGENT = "greenrelay"
_SETUP_SECONDS = 600.0


class NoPython2(Exception):
    """There is no Python 2.7 on this machine."""

    def __str__(self) -> str:
        return (
            "Autobahn's test suite needs Python 2.7, and there is none: neither python2.7 on PATH "
            "nor a 2.7 of pyenv. Install one, for example: pyenv install 2.7.18"
        )


class SuiteFailed(Exception):
    """The suite could not be set up, or did not run to its end."""


def find_python2() -> str:
    """Return the path of a Python 2.7 that runs; raises NoPython2."""
    for path in _candidates():
        code = "import sys; sys.exit(sys.version_info[:2] != (2, 7))"
        if _succeeds([path, "-c", code]):
            return path
    raise NoPython2


def set_up(folder: Path) -> Path:
    """Return the ``wstest`` in ``folder``, installed if need be; raises SuiteFailed, NoPython2."""
    wstest = folder / "python2" / "bin" / "wstest"
    stamp = folder / f".{VERSION}"
    if stamp.exists() and _succeeds([str(wstest), "--help"]):
        return wstest
    python2 = find_python2()
    shutil.rmtree(folder, ignore_errors=True)
    venv.create(folder / "python3", with_pip=True)
    _pip(folder / "python3", _VIRTUALENV)
    maker = str(folder / "python3" / "bin" / "virtualenv")
    _run([maker, "--quiet", "-p", python2, str(folder / "python2")], _SETUP_SECONDS)
    _pip(folder / "python2", f"autobahntestsuite=={VERSION}")
    stamp.touch()
    return wstest


def run_chunk(wstest: Path, address: str, chunk: Chunk, folder: Path) -> dict[str, Case]:
    """Run the cases of ``chunk`` against ``address``; reports go to ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    server = {"agent": AGENT, "url": f"ws://{address}/", "options": {"version": 18}}
    spec = {
        "outdir": str(folder),
        "servers": [server],
        "cases": list(chunk.patterns),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    _run([str(wstest), "-m", "fuzzingclient", "-s", str(path)], chunk.timeout)
    return read_index(folder / "index.json")


def read_index(path: Path) -> dict[str, Case]:
    """Return the verdicts that the suite wrote to ``path``; raises SuiteFailed."""
    if not path.exists():
        raise SuiteFailed(f"{path}: the suite has written no results")
    found = json.loads(path.read_text())[AGENT]
    return {
        name: Case(case["behavior"], case["behaviorClose"], case["remoteCloseCode"])
        for name, case in found.items()
    }


def _candidates() -> Iterator[str]:
    on_path = shutil.which("python2.7")
    if on_path is not None:
        yield on_path
    for root in _pyenv_roots():
        # The newest first; 2.7.9 comes before 2.7.18 in the alphabet.
        versions = sorted(root.glob("versions/2.7*"), key=lambda path: (len(path.name), path.name))
        for version in reversed(versions):
            yield str(version / "bin" / "python2.7")


def _pyenv_roots() -> Iterator[Path]:
    if "PYENV_ROOT" in os.environ:
        yield Path(os.environ["PYENV_ROOT"])
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        answer = subprocess.run([pyenv, "root"], capture_output=True, text=True, timeout=10)
        if answer.returncode == 0:
            yield Path(answer.stdout.strip())
    yield Path.home() / ".pyenv"


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _pip(environment: Path, what: str) -> None:
    python = str(environment / "bin" / "python")
    options = ["--disable-pip-version-check", "--quiet"]
    _run([python, "-m", "pip", "install", *options, what], _SETUP_SECONDS)


def _run(command: list[str], timeout: float) -> None:
    try:
        subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=True)
    except subprocess.TimeoutExpired:
        raise SuiteFailed(f"{_shown(command)}: not done after {timeout:g} s") from None
    except subprocess.CalledProcessError as error:
        last = "\n".join((error.stdout + error.stderr).splitlines()[-10:])
        raise SuiteFailed(f"{_shown(command)}: ended with {error.returncode}:\n{last}") from None


def _shown(command: list[str]) -> str:
    return " ".join([Path(command[0]).name, *command[1:]])


def environment_folder() -> Path:
    """Return where the suite is set up: inside the environment that runs this."""
    return Path(sys.prefix) / "autobahn"
