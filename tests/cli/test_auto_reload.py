"""Source: Operations, "Command line": ``greenrelay run --reload``."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.probe import wait_for
from tests.servers.http import get
from tests.servers.kinds import address_of
from tests.servers.running import GREENRELAY, Running, running

CONFIG = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: pages, kind: http.router, meta.server: gateway}
- {name: word, kind: http.endpoint, meta.router: pages, path: /, func: "words:word"}
"""
VIEW = 'def word() -> str:\n    return "{}"\n'


@dataclass(frozen=True, slots=True)
class Project:
    """A folder with a program, and the program."""

    folder: Path
    server: Running

    def write(self, name: str, text: str) -> None:
        """Write one of its files."""
        (self.folder / name).write_text(text)

    def wait_for_word(self, word: str) -> None:
        """Wait until it answers with a word, at the address of its beginning."""
        address = address_of(self.server)
        wait_for(lambda: get(address, "/").body == word, timeout="20s")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A program that is started again when its files change."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "words.py").write_text(VIEW.format("one"))
    (folder / "config.yaml").write_text(CONFIG)
    command = [GREENRELAY, "run", "--reload", str(folder / "config.yaml")]
    with running(command) as server:
        project = Project(folder, server)
        project.wait_for_word("one")
        yield project
        server.signal(signal.SIGINT)
        assert server.wait() == 0
        assert "Traceback" not in server.output


def test_a_changed_python_file_starts_it_again_at_the_same_address(project: Project) -> None:
    """`--reload` restarts the program when a Python file of the project changes"""
    project.write("words.py", VIEW.format("another"))

    project.wait_for_word("another")
    assert "words.py has changed: starting again" in project.server.output


def test_a_syntax_error_does_not_end_the_watch(project: Project) -> None:
    """a syntax error in the changed file must not end the watcher"""
    project.write("words.py", "def word(:\n")
    project.server.wait_for("func: importing words:word failed: SyntaxError: ")
    project.server.wait_for("waiting for a file to change")

    project.write("words.py", VIEW.format("mended"))

    project.wait_for_word("mended")


def test_code_that_never_ends_at_import_does_not_end_the_watch(project: Project) -> None:
    """`--reload` restarts the program when a Python file of the project changes"""
    project.write("words.py", 'import time\nprint("hangs", flush=True)\ntime.sleep(3600)\n')
    project.server.wait_for("hangs")

    project.write("words.py", VIEW.format("mended"))

    project.wait_for_word("mended")


def test_a_changed_configuration_starts_it_again_and_a_bad_one_is_waited_out(
    project: Project,
) -> None:
    """or YAML file of the project changes"""
    count = project.server.output.count("waiting for a file to change")
    project.write("config.yaml", CONFIG.replace("meta.router: pages", "meta.router: page"))
    project.server.wait_for('meta.router: there is no http.router "app:page"')
    project.server.wait_for("waiting for a file to change", count + 1)

    project.write("config.yaml", CONFIG.replace("path: /,", 'path: "/", method: GET,'))

    project.wait_for_word("mended")
