"""The dashboard's program for tests of commands, and a client of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard.program import Dashboard
from tests.serving import WebSocketClient, connected


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Dashboard]:
    """The program, in a place of its own that the commands look at."""
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    with Dashboard(str(tmp_path / "run")) as started:
        assert isinstance(started, Dashboard)
        yield started


@pytest.fixture
def client(program: Dashboard) -> Iterator[WebSocketClient]:
    """A client of the room ``room:tea``, whose user is ``<i>ada</i>``."""
    with connected(program.address(), "/chat") as client:
        yield client
