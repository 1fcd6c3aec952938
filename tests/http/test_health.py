"""The blueprint ``operations``: /livez and /readyz."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

import greenrelay as gr
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, operations
from tests.probe import wait_for
from tests.relaying import relaying
from tests.serving import connected, http, serving

OPEN: list[str] = []


def clock() -> None:
    """A service that goes on."""
    gr.receive("never")


def broken() -> None:
    """A service that comes up only once somebody has mended what it needs."""
    if not OPEN:
        raise ConnectionError("the database is away")
    gr.receive("never")


def service(name: str) -> dict[str, Any]:
    restart = {"initial_delay": "1ms", "max_delay": "1ms"}
    return {
        "name": name,
        "kind": "process.service",
        "process": f"{__name__}:{name}",
        "lifecycle": {"auto_start": True, "restart": restart},
    }


@pytest.fixture
def mended() -> Iterator[list[str]]:
    """Non-empty once what "broken" needs is there."""
    OPEN.clear()
    yield OPEN
    OPEN.clear()


def app_with(*services: str) -> Flask:
    app = Flask("health")
    GreenRelay(app, [service(name) for name in services] or None)
    app.register_blueprint(operations)
    return app


def ready(address: str) -> tuple[int, dict[str, str]]:
    status, headers, body = http(address, "/readyz")
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    found = json.loads(body)
    assert found["status"] == ("ready" if status == 200 else "not ready")
    checks: dict[str, str] = found["checks"]
    return status, checks


def test_livez_answers_with_text() -> None:
    with serving(app_with()) as address:
        status, headers, body = http(address, "/livez")

    assert (status, body) == (200, "ok\n")
    assert headers["content-type"].startswith("text/plain")


def test_without_services_it_is_ready() -> None:
    with serving(app_with()) as address:
        assert ready(address) == (200, {"draining": "ok"})


def test_a_service_that_runs_is_listed() -> None:
    with serving(app_with("clock")) as address:
        wait_for(lambda: ready(address)[0] == 200)

        assert ready(address) == (200, {"draining": "ok", "service app:clock": "ok"})


def test_a_service_that_does_not_come_up_makes_it_unready(mended: list[str]) -> None:
    with serving(app_with("clock", "broken")) as address:
        wait_for(lambda: ready(address)[1]["service app:clock"] == "ok")
        status, checks = ready(address)
        mended.append("yes")
        wait_for(lambda: ready(address)[0] == 200)

    assert status == 503
    assert checks["service app:broken"] != "ok"


def test_a_service_that_has_not_begun_to_start_makes_it_unready() -> None:
    app = app_with("clock")

    answer = app.test_client().get("/readyz")

    assert answer.status_code == 503
    assert answer.get_json()["checks"] == {"draining": "ok", "service app:clock": "not started"}
    state_of(app).node.shutdown(0.5)


def test_while_it_drains_it_is_not_ready() -> None:
    app = app_with()
    with relaying(app=app) as bench, connected(bench.address, "/ws") as client:
        bench.joined()
        bench.node.spawn(state_of(app).drain)
        assert client.wait_closed()[0] == 1012

        status, checks = ready(bench.address)

    assert (status, checks) == (503, {"draining": "the server is going away"})
