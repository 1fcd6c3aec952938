"""Servers that are slow, and machines that lack something."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gevent import socket as gevent_socket

from greenrelay.cluster.address import parse_address
from greenrelay.cluster.engine import Member
from greenrelay.cluster.nats import keeper
from greenrelay.cluster.nats.connector import Patience
from greenrelay.cluster.nats.dial import open_line
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.server import DevelopmentServer
from tests.cluster.proxy import Proxy
from tests.cluster.recorder import Recorder

# X.25, which no machine of today has.
NO_FAMILY = 9


@pytest.fixture
def slow_server(nats_server: DevelopmentServer) -> Iterator[Proxy]:
    """What stands before a server each of whose answers takes more than a third of a second."""
    with Proxy(nats_server.port) as proxy:
        proxy.delay = 0.18
        yield proxy
        proxy.delay = 0.0


def test_a_server_that_is_slow_to_answer_each_renewal_keeps_no_node_from_its_names(
    monkeypatch: pytest.MonkeyPatch, nats_server: DevelopmentServer, slow_server: Proxy, app: str
) -> None:
    """at most one live owner among nodes that see the quorum"""
    # As a server that takes longer than a second is to a program.
    monkeypatch.setattr(keeper, "_QUICK", 0.3)
    engine = NatsEngine(
        parse_address(slow_server.url(nats_server.url)), app, patience=Patience(connect=10.0)
    )
    try:
        engine.start(Member("a", "i1"), Recorder())

        assert engine.claim("n", "pa") == "pa"
        assert engine.holds("n", "pa")
        assert engine.counters["names: failures"] == 0
    finally:
        slow_server.delay = 0.0
        engine.stop()


def test_an_address_of_a_family_that_the_machine_has_not_hides_no_other(
    nats_server: DevelopmentServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    where, kind = ("127.0.0.1", nats_server.port), gevent_socket.SOCK_STREAM
    # As IPv6 is where the kernel was started without it.
    found = [(NO_FAMILY, kind, 6, "", where), (gevent_socket.AF_INET, kind, 6, "", where)]
    monkeypatch.setattr(gevent_socket, "getaddrinfo", lambda *_, **__: found)
    address = parse_address(nats_server.url)

    lines = [open_line(where, address, "n", lambda info: b"", 5.0) for _ in range(8)]

    assert {line.peer for line in lines} == {where}
    for line in lines:
        line.sock.close()
