from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from app import lobby
from greenrelay import Node
from tests.app.client import Scenario
from tests.app.demo import Demo


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Scenario], object]]:
    """Runs a function as a process that plays the browsers' connections."""
    monkeypatch.setattr(lobby, "HOST", None)
    with Node() as node:
        yield node.run


@pytest.fixture(scope="session")
def demo() -> Iterator[Demo]:
    """The whole demo, started once for all tests."""
    demo = Demo()
    yield demo
    assert demo.stop() == 0
