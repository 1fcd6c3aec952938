"""What every test gets: the leak check, and the fixtures of ``greenrelay.testing``."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from gevent import monkey

# Also in a checkout that has been installed before the plug-in had an entry point. What is
# imported before pytest loads it as a plug-in has no assertions rewritten: import none of it here.
pytest_plugins = ["greenrelay.testing", "pytester"]


# Whether the whole suite runs patched, by ``-p tests.patched``.
_IS_PATCHED = monkey.is_module_patched("os")


@pytest.fixture(autouse=True)
def _no_leaks(no_leaks: object) -> None:
    """Check every test for leaks, whichever way it is run."""


@pytest.fixture(autouse=True, scope="session")
def _no_real_programs() -> Iterator[None]:
    """Let no test reach programs that somebody runs on this machine, nor the other way round."""
    with TemporaryDirectory(prefix="greenrelay-") as folder:
        os.environ["GREENRELAY_RUN_DIR"] = folder
        yield
        del os.environ["GREENRELAY_RUN_DIR"]


@pytest.fixture
def probe(process_probe: object) -> object:
    """A process that traps links and records what it gets; ended when the test is over."""
    return process_probe


def pytest_sessionstart() -> None:
    """Refuse to test what was compiled from source that has changed since."""
    root = Path(__file__).parents[1] / "greenrelay"
    # What was compiled for other Pythons lies beside it, and is theirs to check.
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    for compiled in root.rglob(f"*{suffix}"):
        source = compiled.with_name(compiled.name.partition(".")[0] + ".py")
        if not source.exists() or source.stat().st_mtime > compiled.stat().st_mtime:
            raise pytest.UsageError(f"{compiled} is older than its source: run make test")


def pytest_collection_finish() -> None:
    """Refuse tests whose imports patch this process, where those of others wait in threads."""
    if monkey.is_module_patched("os") != _IS_PATCHED:
        raise pytest.UsageError("a test module imports what patches, such as greenrelay.cli.main")
