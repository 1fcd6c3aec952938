"""The pytest plug-in: fixtures, markers and options. The door is ``greenrelay.testing``.

Source: ``docs/testing.md``. Nothing here starts a node, a hub or a greenlet for a test that asks
for none of it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from greenrelay.proving.clock import VirtualClock
from greenrelay.proving.interleaving import note_of, shuffle
from greenrelay.proving.leaks import LeakCheck, report, warm_up
from greenrelay.proving.probe import Probe
from greenrelay.runtime.node import Node

HAS_FAILED = pytest.StashKey[bool]()
SEED = "interleaving_seed"
DEFAULT_SEEDS = 20
NODE_OPTIONS: dict[str, Any] = {"name": "test", "grace": 0.5}
SHUTDOWN_SECONDS = 0.5
MARKERS = (
    "node_options(**options): make the node of the test with these options of greenrelay.Node",
    "no_leaks(wanted=True): fail the test if it leaves anything behind",
    "interleavings(seeds=20): run the test once for each of so many orders of processes",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, all of them about tests that use greenrelay."""
    group = parser.getgroup("greenrelay")
    group.addoption(
        "--interleavings",
        type=int,
        metavar="N",
        help="run tests marked interleavings under N orders, whatever the marker says",
    )
    group.addoption(
        "--interleaving-seed",
        type=int,
        metavar="SEED",
        help="run tests marked interleavings under the order of this seed only",
    )
    parser.addini("greenrelay_no_leaks", "check every test for leaks", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for line in MARKERS:
        config.addinivalue_line("markers", line)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test with the marker interleavings once for each seed."""
    mark = metafunc.definition.get_closest_marker("interleavings")
    if mark is None:
        return
    if SEED not in metafunc.fixturenames:
        raise pytest.UsageError(
            f"{metafunc.definition.nodeid}: marked interleavings, but it uses neither the fixture "
            f"'node' nor {SEED!r}: there is no run queue to shuffle"
        )
    seeds = _seeds(metafunc.config, metafunc.definition.nodeid, *mark.args, **mark.kwargs)
    metafunc.parametrize(SEED, seeds, ids=[f"seed{seed}" for seed in seeds])


def _seeds(config: pytest.Config, where: str, seeds: object = DEFAULT_SEEDS) -> list[int]:
    one: int | None = config.getoption("--interleaving-seed")
    if one is not None:
        return [one]
    count = config.getoption("--interleavings")
    wanted = seeds if count is None else count
    if not isinstance(wanted, int) or wanted < 1:
        source = f"{where}: marker interleavings" if count is None else "--interleavings"
        raise pytest.UsageError(f"{source} is {wanted!r}; it must be a number of seeds above 0")
    return list(range(wanted))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember that a test has failed, and show under which order of processes."""
    outcome = yield
    if outcome.failed:
        item.stash[HAS_FAILED] = True
        seed = getattr(item, "funcargs", {}).get(SEED)
        if seed is not None:
            again = f"pytest --interleaving-seed {seed} {item.nodeid.partition('[')[0]}"
            outcome.sections.append(("interleaving", f"{note_of(seed)}\n{again}"))
    return outcome


@pytest.fixture(scope="session")
def _warm_hub() -> None:
    warm_up()


@pytest.fixture
def no_leaks(_warm_hub: None, request: pytest.FixtureRequest) -> Iterator[LeakCheck]:
    """Fails the test if it leaves processes, relations, timers, files or greenlets behind."""
    check = LeakCheck()
    try:
        yield check
        # What a failed test left says nothing new, and its traceback holds on to everything.
        found = [] if request.node.stash.get(HAS_FAILED, False) else check.settle()
    finally:
        check.close()
    if found:
        pytest.fail(report(found), pytrace=False)


@pytest.fixture(autouse=True)
def _no_leaks_where_wanted(request: pytest.FixtureRequest) -> None:
    mark = request.node.get_closest_marker("no_leaks")
    wanted = request.config.getini("greenrelay_no_leaks")
    if mark is not None:
        wanted = mark.args[0] if mark.args else mark.kwargs.get("wanted", True)
    if wanted:
        request.getfixturevalue("no_leaks")


@pytest.fixture
def interleaving_seed() -> int | None:
    """The seed of the order in which processes run; None where the order is the usual one."""
    return None


@pytest.fixture
def node_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The options of the node, as the marker of that name says; override it for a whole file."""
    mark = request.node.get_closest_marker("node_options")
    return dict(mark.kwargs) if mark is not None else {}


@pytest.fixture
def node(
    request: pytest.FixtureRequest, node_options: dict[str, Any], interleaving_seed: int | None
) -> Iterator[Node]:
    """A node of its own for one test, shut down afterwards.

    Where leaks are checked every process must have ended by itself when the test is over.
    """
    check: LeakCheck | None = None
    if "no_leaks" in request.fixturenames:
        check = request.getfixturevalue("no_leaks")
    fresh = Node(**{**NODE_OPTIONS, **node_options})
    if interleaving_seed is not None:
        shuffle(fresh, interleaving_seed)
    yield fresh
    has_failed = request.node.stash.get(HAS_FAILED, False)
    found = [] if check is None or has_failed else check.left_in(fresh)
    fresh.shutdown(SHUTDOWN_SECONDS)
    if found:
        pytest.fail(report(found), pytrace=False)


@pytest.fixture
def process_probe(node: Node) -> Iterator[Probe]:
    """A process of ``node`` that records what it gets; it traps links. Ended afterwards."""
    with Probe(node) as probe:
        yield probe


@pytest.fixture
def virtual_clock(node: Node) -> Iterator[VirtualClock]:
    """The time of ``node``, which stands still until it is advanced."""
    with VirtualClock(node) as clock:
        yield clock
