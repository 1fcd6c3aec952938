"""What the documentation says is so: its examples run and its reference is complete."""

from __future__ import annotations

import ast
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest
from flask import Flask
from flask.sessions import SecureCookieSessionInterface

from greenrelay.config.entries import KINDS
from greenrelay.config.options import option_names
from greenrelay.config.resolve import load
from greenrelay.http.middleware.websocket_relay import RelayOptions
from greenrelay.http.registry import SPECS
from greenrelay.http.state import state_of
from tests.docs import DOCS, ROOT, Block, blocks, pages
from tests.probe import wait_for
from tests.serving import Refused, connected, serving

FILES = [block for block in blocks() if block.title is not None]
PROGRAMS = [block for block in blocks("python") if block.title is None]
FRAGMENTS = [block for block in blocks("yaml") if block.title is None]
PAGES_WITH_FILES = sorted({block.page for block in FILES})
_CONFIGURATION_PAGES = ("configuration.md", "supervision.md")
COMMANDS = {"make", "pip", "gunicorn", "greenrelay"}
_DIRECTIVE = re.compile(r"^::: (greenrelay[\w.]*)$", re.MULTILINE)
# Views and services are looked up when the file is read, so this tests them too.
_USE = """
import sys
from gevent import monkey
monkey.patch_all()
from importlib import import_module
from greenrelay.web import create_app
sys.path.insert(0, ".")
for name in sys.argv[1:]:
    create_app(name) if name.endswith(".yaml") else import_module(name.removesuffix(".py"))
"""


@pytest.mark.parametrize("block", PROGRAMS, ids=lambda block: block.place)
def test_a_program_prints_what_the_page_says(
    block: Block, capsys: pytest.CaptureFixture[str]
) -> None:
    code = compile(block.text, block.place, "exec")

    exec(code, {"__name__": "__main__"})

    assert capsys.readouterr().out == (block.output or "")


@pytest.mark.parametrize("page", PAGES_WITH_FILES)
def test_the_files_of_a_page_load_together(page: str, folder: Callable[[str], Path]) -> None:
    names = [block.title for block in FILES if block.page == page and block.title]

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _USE, *names],
        cwd=folder(page),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("block", FRAGMENTS, ids=lambda block: block.place)
def test_a_fragment_of_a_configuration_is_a_valid_one(block: Block) -> None:
    configuration = load(block.text, middleware=SPECS, environ={})

    assert configuration.file == "<text>"


def test_every_command_exists() -> None:
    lines = [line for block in blocks("sh") for line in block.text.splitlines() if line]
    words = [shlex.split(line) for line in lines]

    assert {first for first, *_ in words} <= COMMANDS
    for command in words:
        if command[0] == "make":
            subprocess.run([*command, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
        elif command[0] == "greenrelay":
            # In a process of its own: the command line patches the one it runs in.
            program = [sys.executable, "-m", "greenrelay.cli.main", command[1], "--help"]
            subprocess.run(program, check=True, capture_output=True)


def test_two_browsers_meet_in_the_room_of_the_first_page(folder: Callable[[str], Path]) -> None:
    app = _app_of(folder("getting-started.md") / "rooms.py")

    with (
        serving(app) as address,
        connected(address, "/rooms/tea") as one,
        connected(address, "/rooms/tea") as other,
    ):
        one.send("milk?")

        assert (one.recv(), other.recv()) == ("milk?", "milk?")


def test_the_ten_lines_of_the_first_page_answer(folder: Callable[[str], Path]) -> None:
    app = _app_of(folder("getting-started.md") / "app.py")

    with serving(app) as address, connected(address, "/ws") as client:
        client.send("hello")

        assert client.recv() == "hello"


def test_the_parrot_of_the_relay_talks_to_a_user_only(folder: Callable[[str], Path]) -> None:
    app = _app_of(folder("websocket-relay.md") / "live.py")
    cookie = {"Cookie": f"session={_session_of(app)}"}

    with serving(app) as address:
        with pytest.raises(Refused, match="401"), connected(address, "/parrot"):
            pass
        with connected(address, "/parrot", headers=cookie) as client:
            assert client.recv() == "hello ada"
            client.send("cracker")
            assert client.recv_json() == {"said": "cracker"}
            client.send("bye")
            assert client.wait_closed() == (4001, "as you wish")


def test_the_desk_of_the_relay_hands_its_client_on(folder: Callable[[str], Path]) -> None:
    app = _app_of(folder("websocket-relay.md") / "desk.py")

    with serving(app) as address:
        with connected(address, "/desk") as client:
            client.send("tea")
            assert client.recv() == "transfer: ask me about tea"

        # And nobody is left when the client has gone.
        wait_for(lambda: not state_of(app).node.processes)


def test_a_target_that_is_spawned_for_each_client_ends_when_he_leaves() -> None:
    spawning = [block for block in blocks("python") if "relay(spawn(" in block.text]

    assert spawning
    assert [block.place for block in spawning if "leave" not in block.text] == []


def test_every_option_of_the_relay_is_on_its_page() -> None:
    page = (DOCS / "websocket-relay.md").read_text()

    assert [name for name in option_names(RelayOptions) if f"`{name}`" not in page] == []


def test_every_entry_and_its_fields_are_on_the_page_of_the_configuration() -> None:
    text = "".join((DOCS / "guide" / name).read_text() for name in _CONFIGURATION_PAGES)

    missing = [
        f"{kind}: {name}"
        for kind, cls in KINDS.items()
        for name in (kind, *option_names(cls))
        if f"`{name}`" not in text and f"`{name.removeprefix('lifecycle.')}`" not in text
    ]

    assert missing == []


def test_every_public_name_has_its_place_in_the_reference() -> None:
    described = _described()
    errors = {f"greenrelay.errors.{name}" for name in _error_classes()}
    public = {f"{door}.{name}" for door in _doors() for name in import_module(door).__all__}

    missing = {name for name in public | errors if not _is_described(name, described)}

    assert missing == set()


def test_nothing_is_described_twice() -> None:
    found = [name for page in pages() for name in _DIRECTIVE.findall(page.read_text())]

    assert sorted(found) == sorted(set(found))


def test_what_the_package_itself_hands_on_is_of_a_described_module() -> None:
    package = import_module("greenrelay")
    homes = [import_module("greenrelay.process"), import_module("greenrelay.errors")]

    strangers = [
        name
        for name in package.__all__
        if not any(getattr(home, name, None) is getattr(package, name) for home in homes)
    ]

    assert strangers == []


def test_the_tree_of_errors_is_that_of_the_source() -> None:
    docstring = ast.get_docstring(ast.parse((ROOT / "greenrelay/errors.py").read_text())) or ""
    tree = [line.strip() for line in docstring.splitlines() if line.startswith("    ")]

    page = (DOCS / "reference/errors.md").read_text()

    assert [line.strip() for line in page.split("```")[1].splitlines()[1:]] == tree


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """Write the files of a page and return their folder."""

    def write(page: str) -> Path:
        for block in FILES:
            if block.page == page and block.title:
                (tmp_path / block.title).write_text(block.text)
        return tmp_path

    return write


def _app_of(file: Path) -> Flask:
    app = runpy.run_path(str(file))["app"]
    assert isinstance(app, Flask)
    return app


def _session_of(app: Flask) -> str:
    signer = SecureCookieSessionInterface().get_signing_serializer(app)
    assert signer is not None
    return str(signer.dumps({"user": "ada"}))


def _doors() -> list[str]:
    """Return the modules right under the package that say what is public, save the package."""
    files = sorted((ROOT / "greenrelay").glob("*.py"))
    trees = {file.stem: ast.parse(file.read_text()) for file in files if file.stem != "__init__"}
    return [f"greenrelay.{stem}" for stem, tree in trees.items() if _says_all(tree)]


def _says_all(tree: ast.Module) -> bool:
    assigned = [node.targets[0] for node in tree.body if isinstance(node, ast.Assign)]
    return any(isinstance(target, ast.Name) and target.id == "__all__" for target in assigned)


def _error_classes() -> list[str]:
    tree = ast.parse((ROOT / "greenrelay/errors.py").read_text())
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    return [name for name in classes if not name.startswith("_")]


def _described() -> set[str]:
    return {name for page in pages() for name in _DIRECTIVE.findall(page.read_text())}


def _is_described(name: str, described: set[str]) -> bool:
    return name in described or name.rpartition(".")[0] in described
