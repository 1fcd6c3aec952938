"""The house keeps its rules: who imports whom, sizes, names, docstrings."""

from __future__ import annotations

from pathlib import Path

import pytest

import greenrelay
from tests.architecture import problems, room_of

ROOT = Path(greenrelay.__file__).parent
MODULES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", MODULES)
def test_the_module_keeps_the_rules_of_the_house(path: str) -> None:
    found = problems(path, (ROOT / path).read_text())

    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("core/pid.py", "import greenrelay.errors"),
        ("core/pid.py", "from greenrelay.durations import parse_duration"),
        ("durations.py", "from greenrelay.errors import InvalidSize"),
        ("runtime/node.py", "from greenrelay.core.pid import Pid"),
        ("runtime/node.py", "import gevent.event"),
        ("transport/server.py", "from greenrelay.relay.session import Session"),
        ("http/request.py", "from greenrelay.config.loader import load"),
        ("boot.py", "from greenrelay.http.router import Router"),
        ("cli/run.py", "def run():\n    'Run.'\n    from gevent import monkey"),
        ("process.py", "from greenrelay.runtime.node import Node"),
        ("__init__.py", "from greenrelay.process import spawn"),
        ("config/loader.py", "import yaml"),
        ("proving/plugin.py", "import pytest"),
        ("websocket/frames.py", "from websockets.speedups import apply_mask"),
        ("core/a.py", "if TYPE_CHECKING:\n    from greenrelay.core.b import B"),
    ],
)
def test_an_import_that_goes_down_is_fine(path: str, line: str) -> None:
    assert problems(path, f'"""Doc."""\n{line}\n') == []


@pytest.mark.parametrize(
    ("path", "line", "why"),
    [
        ("core/pid.py", "from greenrelay.runtime.node import Node", "down only"),
        ("core/pid.py", "from greenrelay import runtime", "down only"),
        ("core/pid.py", "def f():\n    'Do.'\n    import greenrelay.runtime.node", "down only"),
        ("core/pid.py", "import time", "pure"),
        ("relay/session.py", "from os import path", "pure"),
        ("websocket/frames.py", "import gevent.socket", "pure"),
        ("errors.py", "from greenrelay.durations import format_duration", "down only"),
        ("runtime/node.py", "from greenrelay.relay.session import Session", "down only"),
        ("config/loader.py", "from greenrelay.runtime.node import Node", "down only"),
        ("config/loader.py", "import gevent", "only admin, boot, cli, cluster"),
        ("http/request.py", "import gevent", "only admin, boot, cli, cluster"),
        ("runtime/node.py", "import flask", "only admin, boot, cli"),
        ("runtime/node.py", "import pytest", "only proving may"),
        ("http/request.py", "from greenrelay.boot import boot", "down only"),
        ("runtime/node.py", "from greenrelay.process import spawn", "nobody imports a door"),
        ("runtime/node.py", "import greenrelay", "nobody imports a door"),
        ("web.py", "from greenrelay.process import spawn", "nobody imports a door"),
        ("runtime/node.py", "from .scheduler import Scheduler", "absolute"),
        (
            "core/a.py",
            "if TYPE_CHECKING:\n    from greenrelay.runtime.node import Node",
            "stay inside their room",
        ),
        ("attic/a.py", "from greenrelay.core.pid import Pid", "no row for this room"),
    ],
)
def test_a_planted_import_is_found(path: str, line: str, why: str) -> None:
    found = problems(path, f'"""Doc."""\n{line}\n')

    assert len(found) == 1
    assert why in found[0]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("x = 1\n", "the module has no docstring"),
        ('"""Doc."""\n' + "x = 1\n" * 400, "the module has 401 lines"),
        ('"""Doc."""\ndef f():\n' + "    x = 1\n" * 61, "function _f has 62 lines"),
        ('"""Doc."""\ndef f(): ...\n', "function f has no docstring"),
        ('"""Doc."""\nif True:\n    def f(): ...\n', "function f has no docstring"),
        ('"""Doc."""\nclass A: ...\n', "class A has no docstring"),
        ('"""Doc."""\nclass A:\n    "A."\n    def f(self): ...\n', "function f has no docstring"),
        ('"""Doc."""\nclass _SocketManager: ...\n', "class _SocketManager: say what it is"),
        ('"""Doc."""\nclass _Base: ...\n', "class _Base: say what it is"),
    ],
)
def test_a_planted_fault_of_shape_is_found(source: str, why: str) -> None:
    if "62 lines" in why:
        source = source.replace("def f", "def _f")

    found = problems("core/a.py", source)

    assert len(found) == 1
    assert why in found[0]


@pytest.mark.parametrize(
    "source",
    [
        "",
        '"""Doc."""\n' + "x = 1\n" * 399,
        '"""Doc."""\ndef _f(): ...\nclass _A:\n    def f(self): ...\n',
        '"""Doc."""\ndef f():\n    "Do."\n    def g(): ...\n    class B: ...\n',
        '"""Doc."""\nclass Baseline:\n    "A word that begins so."\n    def __len__(self): ...\n',
        '"""Doc."""\n@overload\ndef f(a: int) -> int: ...\n',
    ],
)
def test_a_well_shaped_module_is_fine(source: str) -> None:
    assert problems("core/a.py", source) == []


def test_the_room_of_a_module_is_its_folder_or_its_own_name() -> None:
    assert room_of("core/pid.py") == "core"
    assert room_of("http/middleware/cors.py") == "http"
    assert room_of("errors.py") == "errors"
    assert room_of("__init__.py") == ""
