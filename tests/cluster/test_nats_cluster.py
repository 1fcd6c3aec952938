"""Several servers, one of which dies: what a node notices of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle

import gevent
import pytest

from greenrelay.cluster.address import parse_address
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.errors import EngineError
from tests.cluster.conftest import joining
from tests.cluster.recorder import Join, owning
from tests.probe import wait_for

CONFIGURATION = """
server_name: "SERVER"
listen: "127.0.0.1:{port}"
ports_file_dir: "{folder}"
log_file: "{folder}/log"
jetstream: {{ store_dir: "{folder}/jetstream" }}
accounts: {{ SYS: {{ users: [{{ user: sys, password: sys }}] }} }}
system_account: SYS
cluster: {{ name: three, listen: "127.0.0.1:ROUTE", routes: [ROUTES] }}
"""


def configurations(number: int) -> list[str]:
    """Return what the servers of a cluster are told, of each other too."""
    free_ports = free(number)
    routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in free_ports)
    return [
        CONFIGURATION.replace("SERVER", f"s{index}")
        .replace("ROUTES", routes)
        .replace("ROUTE", str(port))
        for index, port in enumerate(free_ports)
    ]


@pytest.fixture
def servers(request: pytest.FixtureRequest) -> Iterator[list[DevelopmentServer]]:
    """Servers that are one cluster, three unless the test says how many."""
    with ExitStack() as stack:
        yield [
            stack.enter_context(DevelopmentServer(configuration=text))
            for text in configurations(getattr(request, "param", 3))
        ]


@pytest.fixture
def join_three(servers: list[DevelopmentServer], app: str) -> Iterator[Join]:
    """Start an engine that knows one of the servers; it learns of the others."""
    numbers = cycle(range(len(servers)))

    def make() -> NatsEngine:
        port = servers[next(numbers)].port
        return NatsEngine(parse_address(f"nats://127.0.0.1:{port}"), app)

    yield from joining(make)


def test_a_node_waits_for_the_servers_that_are_not_there_yet(
    app: str, caplog: pytest.LogCaptureFixture
) -> None:
    texts = configurations(3)
    with ExitStack() as stack:
        first = stack.enter_context(DevelopmentServer(configuration=texts[0]))
        address = parse_address(f"nats://127.0.0.1:{first.port}")
        for join in joining(lambda: NatsEngine(address, app)):
            starting = gevent.spawn(join, "a")
            wait_for(lambda: any("it is tried again" in each for each in caplog.messages))

            for text in texts[1:]:
                stack.enter_context(DevelopmentServer(configuration=text))

            assert starting.get(timeout=60).engine.claim("n", "pa") == "pa"


def test_the_death_of_a_server_takes_no_node_and_no_name_away(
    servers: list[DevelopmentServer], join_three: Join
) -> None:
    a, b = owning(join_three)

    servers[0].kill()

    a.sink.wait_told("engine", False)
    a.sink.wait_told("engine", True)
    b.sink.wait_told("gap", "a")
    wait_for(lambda: a.engine.send("b", b"by another server") and b.sink.frames)
    wait_for(lambda: is_claimed(b.engine.claim, "m"), timeout=20)
    assert a.engine.holds("n", "pa")
    assert b.engine.lookup("n") == "pa"
    assert [told for told in (*a.sink.told, *b.sink.told) if told[0] == "down"] == []
    assert ("n", None) not in b.sink.names


@pytest.mark.parametrize("servers", [2], indirect=True)
def test_two_servers_are_waited_for_and_then_taken_as_they_are(
    servers: list[DevelopmentServer], join_three: Join, caplog: pytest.LogCaptureFixture
) -> None:
    a = join_three("a")

    assert a.engine.claim("n", "pa") == "pa"
    assert len(servers) == 2
    assert "no suitable peers for placement; it is tried again" in caplog.text


def is_claimed(claim: Callable[[str, str], str], name: str) -> bool:
    """Claim a name, if the servers have a leader."""
    try:
        return claim(name, "owner") == "owner"
    except EngineError:
        return False


def free(count: int) -> list[int]:
    """Return ports that nobody listens on."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
