"""Fixtures of every test: the leak check, a node, a probe."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from greenrelay.runtime.node import Node
from tests.leaks import LeakCheck, settled_node_leaks, warm_up
from tests.probe import Probe

HAS_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session", autouse=True)
def _warm_hub() -> None:
    warm_up()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed:
        item.stash[HAS_FAILED] = True
    return report


@pytest.fixture(autouse=True)
def _no_leaks(_warm_hub: None, request: pytest.FixtureRequest) -> Iterator[None]:
    check = LeakCheck()
    try:
        yield
        # What a failed test left says nothing new, and its traceback holds on to everything.
        found = [] if request.node.stash.get(HAS_FAILED, False) else check.settle()
    finally:
        check.close()
    if found:
        pytest.fail("leaked:\n" + "\n".join(found), pytrace=False)


@pytest.fixture
def node(_no_leaks: None, request: pytest.FixtureRequest) -> Iterator[Node]:
    """A node of its own for one test; every process must have ended when the test is over."""
    fresh = Node("test", grace=0.5)
    yield fresh
    found = [] if request.node.stash.get(HAS_FAILED, False) else settled_node_leaks(fresh)
    fresh.shutdown(0.5)
    if found:
        pytest.fail("leaked:\n" + "\n".join(found), pytrace=False)


@pytest.fixture
def probe(node: Node) -> Iterator[Probe]:
    """A process that traps links and records what it gets; ended when the test is over."""
    with Probe(node) as fresh:
        yield fresh
