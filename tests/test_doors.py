"""The doors: what a user imports, and what that does not drag in."""

from __future__ import annotations

import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import greenrelay

ROOT = Path(greenrelay.__file__).parent
DOORS = [
    name
    for name in ("process", "web", "client", "testing", "gunicorn")
    if (ROOT / f"{name}.py").exists()
]
HEAVY = ("flask", "yaml", "werkzeug", "geventwebsocket")


def door(name: str) -> ModuleType:
    return import_module(f"greenrelay.{name}" if name else "greenrelay")


@pytest.mark.parametrize("name", ["", *DOORS])
def test_every_public_name_exists_and_is_documented(name: str) -> None:
    module = door(name)

    for public in module.__all__:
        value = getattr(module, public)
        # A type alias such as Event is neither: the union of its members says what it is.
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), f"{module.__name__}.{public} has no docstring"


@pytest.mark.parametrize("name", ["", *DOORS])
def test_all_is_without_duplicates(name: str) -> None:
    names = door(name).__all__

    assert len(names) == len(set(names))


def test_what_a_process_calls_is_at_the_top_too() -> None:
    assert set(greenrelay.process.__all__) <= set(greenrelay.__all__)
    for name in greenrelay.process.__all__:
        assert getattr(greenrelay, name) is getattr(greenrelay.process, name)


def test_importing_greenrelay_loads_no_framework_and_patches_nothing() -> None:
    check = f"""
import sys
import greenrelay
from gevent import monkey
loaded = [name for name in {HEAVY!r} if name in sys.modules]
assert not loaded, loaded
assert not monkey.is_anything_patched() if hasattr(monkey, "is_anything_patched") else True
assert not monkey.is_module_patched("socket")
assert not monkey.is_module_patched("threading")
assert not monkey.is_module_patched("time")
"""
    subprocess.run([sys.executable, "-W", "error", "-c", check], check=True, timeout=60)
