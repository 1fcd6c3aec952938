"""A nats-server for all tests of the session, engines that join one system each test, and nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count

import pytest

from greenrelay.cluster.address import parse_address
from greenrelay.cluster.engine import Engine, Member
from greenrelay.cluster.local import Bus, LocalEngine
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.server import DevelopmentServer
from tests.cluster.joined import here, joined, one, there, two
from tests.cluster.recorder import Join, Node, Recorder

__all__ = ["here", "joined", "one", "there", "two"]

_apps = count(1)


# Before the leak check of the first test, which would take the server for a leak.
@pytest.fixture(scope="session", autouse=True)
def nats_server() -> Iterator[DevelopmentServer]:
    """A server that no test harms; each has an application of its own on it."""
    with DevelopmentServer() as server:
        yield server


@pytest.fixture
def app() -> str:
    """The name of an application that no other test has."""
    return f"app {next(_apps)}.a"


@pytest.fixture
def join_nats(nats_server: DevelopmentServer, app: str) -> Iterator[Join]:
    """Start an engine on the server, for a node of this test's application."""
    address = parse_address(nats_server.url)
    yield from joining(lambda: NatsEngine(address, app))


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def join_local(bus: Bus) -> Iterator[Join]:
    """Start an engine on this test's bus."""
    yield from joining(lambda: LocalEngine(bus))


@pytest.fixture(params=["local", "nats"])
def join(request: pytest.FixtureRequest) -> Join:
    """Start an engine of each kind in turn."""
    found: Join = request.getfixturevalue(f"join_{request.param}")
    return found


def joining(make: Callable[[], Engine]) -> Iterator[Join]:
    """Yield what starts engines, and stop them all afterwards."""
    engines: list[Engine] = []

    def join(node: str, incarnation: str = "i1") -> Node:
        joined = Node(make(), Recorder())
        engines.append(joined.engine)
        joined.engine.watch(joined.sink.on_name)
        joined.engine.start(Member(node, incarnation), joined.sink)
        return joined

    yield join
    for engine in engines:
        engine.stop()
