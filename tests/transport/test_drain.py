from __future__ import annotations

import gevent
import pytest
from flask import Flask

from greenrelay.http.state import state_of
from greenrelay.transport import drain as module
from greenrelay.transport.drain import Connections
from greenrelay.transport.upgrade import Upgrade
from greenrelay.web import GreenRelay
from tests.relaying import relaying
from tests.serving import WebSocketClient


def make_upgrade() -> Upgrade:
    return Upgrade("GET", "HTTP/1.1", "13", "key", None, "", "/ws", "127.0.0.1", True)


def test_places_are_reserved_up_to_the_limit_and_given_back_once() -> None:
    connections = Connections()
    first, second, third = make_upgrade(), make_upgrade(), make_upgrade()

    assert connections.reserve(first, 2)
    assert connections.reserve(first, 2)
    assert connections.reserve(second, 2)
    assert not connections.reserve(third, 2)
    connections.give_back(first)
    connections.give_back(first)
    connections.give_back(third)
    assert connections.reserve(third, 2)
    assert not connections.reserve(first, 2)
    assert connections.reserve(first, 0)


def test_an_empty_drain_returns_at_once_and_refuses_from_then_on() -> None:
    connections = Connections()

    connections.drain(period=60)

    assert connections.is_draining


def test_many_closes_are_spread_over_the_period(monkeypatch: pytest.MonkeyPatch) -> None:
    """``wsrelay.drain.period``: spread over the period with jitter"""
    monkeypatch.setattr(module, "CLOSES_PER_SECOND", 100)
    with relaying(drain_period=0.5) as bench:
        clients = [WebSocketClient(bench.address, "/ws") for _ in range(20)]
        pids = [bench.joined() for _ in clients]
        slept: list[float] = []
        sleep = gevent.sleep

        def note(seconds: float = 0) -> None:
            slept.append(seconds)
            sleep(seconds)

        monkeypatch.setattr(gevent, "sleep", note)
        readers = [gevent.spawn(client.wait_closed) for client in clients]

        state_of(bench.app).drain()

        assert len(slept) > 10
        assert sum(slept) <= 0.4
        assert not set(pids) & set(bench.node.processes)
        gevent.joinall(readers, timeout=30)


def test_the_longest_period_of_the_connections_counts() -> None:
    app = Flask(__name__)
    GreenRelay(app)
    with relaying(app=app, drain_period=0.01) as bench, bench.connect() as client:
        connection = bench.connection(bench.joined())
        assert connection.drain_period == 0.01

        state_of(app).drain(at_most=60)

        assert connection.pid not in bench.node.processes
        client.drop()
