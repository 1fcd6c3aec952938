from __future__ import annotations

from types import SimpleNamespace

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

        def note(seconds: float = 0) -> None:
            slept.append(seconds)
            gevent.sleep(0)

        # A clock that only the closes move, however busy the machine is.
        monkeypatch.setattr(module, "monotonic", lambda: sum(slept))
        monkeypatch.setattr(module, "gevent", SimpleNamespace(sleep=note))
        readers = [gevent.spawn(client.wait_closed) for client in clients]

        state_of(bench.app).drain()

        # Of 20 over 0.2 s; some may share a moment by the jitter, but not the first.
        assert len(slept) >= 7
        assert 0.9 * 0.19 - 0.001 <= sum(slept) <= 0.19 + 1e-6
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
