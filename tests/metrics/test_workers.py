"""Metrics of several workers of one gunicorn, whichever of them is asked."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
from flask import Flask

import greenrelay as gr
from greenrelay.web import GreenRelay, metrics, operations, relay, websocket_relay
from tests.metrics.scraped import Scrape, scrape
from tests.probe import wait_for
from tests.servers.kinds import address_of, gunicorn
from tests.servers.running import running
from tests.serving import WebSocketClient, connected, http

WORKERS = 4
SOCKETS = 12
# Workers take a while to begin, one after the other on a busy machine.
PATIENCE = 25.0
WS = {"kind": "websocket", "endpoint": "/ws"}


def answer() -> None:
    for message in gr.inbox():
        payload: Any = message.payload
        if message.topic == "ws.join":
            gr.send(payload["client_pid"], "ws.send", gr.pid())
        elif message.topic == "ws.message" and payload["data"] == "end":
            return


def app() -> Flask:
    """Return the app that gunicorn serves."""
    made = Flask("workers")
    GreenRelay(made)
    made.register_blueprint(operations)
    made.get("/plain", endpoint="plain")(metrics()(lambda: "plain"))
    made.get("/ws", endpoint="ws")(metrics()(websocket_relay()(begin)))
    return made


def begin() -> Any:
    """Work so long that other workers take the next clients."""
    sum(range(1_000_000))
    return relay(gr.spawn(answer))


def test_any_of_four_workers_shows_the_metrics_of_all(tmp_path: Path) -> None:
    command = gunicorn(
        *("-k", "greenrelay.gunicorn.Worker", "-w", str(WORKERS)),
        app="tests.metrics.test_workers:app()",
    )
    with (
        running(command, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}) as server,
        ExitStack() as stack,
    ):
        address = address_of(server)
        server.wait_for(r"Booting worker", WORKERS)
        calls = [
            gevent.spawn(WebSocketClient, address, "/ws", timeout=PATIENCE) for _ in range(SOCKETS)
        ]
        clients = [call.get() for call in calls]
        for client in clients:
            stack.callback(client.drop)
        nodes = {_node_of(client) for client in clients}
        for _ in range(SOCKETS):
            assert http(address, "/plain")[2] == "plain"

        _wait_until(address, "greenrelay_open", SOCKETS, **WS)
        found = scrape(address)
        counted = {"method": "GET", "endpoint": "/plain", "status": "200"}
        assert found.value("greenrelay_http_requests_total", **counted) == SOCKETS
        upgraded = {"method": "GET", "endpoint": "/ws", "status": "101"}
        assert found.value("greenrelay_http_requests_total", **upgraded) == SOCKETS
        # Otherwise this would have shown nothing of several workers.
        assert len(nodes) > 1

        for client in clients:
            client.send("end")
            assert client.wait_closed()[0] == 1000
        closed = {**WS, "code": "1000", "side": "server"}
        _wait_until(address, "greenrelay_closes_total", SOCKETS, **closed)
        assert scrape(address).value("greenrelay_open", **WS) == 0
        assert server.stop() == 0
        assert server.trouble == []


def test_what_a_worker_that_has_ended_had_open_is_open_no_more(tmp_path: Path) -> None:
    command = gunicorn("-k", "greenrelay.gunicorn.Worker", app="tests.metrics.test_workers:app()")
    with running(command, {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}) as server:
        address = address_of(server)
        with connected(address, "/ws", timeout=PATIENCE) as client:
            _node_of(client)
            _wait_until(address, "greenrelay_open", 1, **WS)
            server.signal(1)
            assert client.wait_closed()[0] == 1012
        server.wait_for("Booting worker", 2)

        _wait_until(address, "greenrelay_open", 0, **WS)
        closed = {**WS, "code": "1012", "side": "server"}
        # The old worker has written its last figures before it ended.
        _wait_until(address, "greenrelay_closes_total", 1, **closed)
        _wait_until(address, "greenrelay_drains_total", 1)


def _node_of(client: WebSocketClient) -> str:
    pid = client.recv()
    assert isinstance(pid, str)
    return pid.partition("@")[0]


def _wait_until(address: str, name: str, value: float, **labels: str) -> None:
    found: list[Scrape] = []

    def is_so() -> bool:
        found[:] = [scrape(address)]
        return found[0].value(name, **labels) == value

    wait_for(is_so, timeout=PATIENCE)
