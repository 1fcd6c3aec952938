"""Operations, "Metrics and health": "``/readyz`` (not draining, services up, cluster joined)"."""

from __future__ import annotations

import json

from flask import Flask

from greenrelay.cluster.server import DevelopmentServer
from greenrelay.web import GreenRelay, operations
from tests.probe import wait_for
from tests.serving import http, serving

AWAY = "the engine cannot be reached"


def app_in(engine: str) -> Flask:
    app = Flask("ready")
    GreenRelay(app, [{"name": "system", "kind": "cluster", "engine": engine, "app": "ready"}])
    app.register_blueprint(operations)
    return app


def ready(address: str) -> tuple[int, str]:
    status, _, body = http(address, "/readyz")
    return status, json.loads(body)["checks"]["cluster"]


def test_a_worker_is_not_ready_while_its_engine_is_away() -> None:
    with DevelopmentServer() as server, serving(app_in(server.url)) as address:
        before = ready(address)

        server.stop()
        wait_for(lambda: ready(address) == (503, AWAY), 10)
        with DevelopmentServer(port=server.port, password=server.password):
            wait_for(lambda: ready(address) == (200, "ok"), 10)

    assert before == (200, "ok")


def test_the_engine_local_is_nothing_to_wait_for() -> None:
    with serving(app_in("local")) as address:
        status, _, body = http(address, "/readyz")

    assert status == 200
    assert "cluster" not in json.loads(body)["checks"]
