"""Operations, "Metrics and health" and "Logs and traces"."""

from __future__ import annotations

from flask import Flask
from prometheus_client import REGISTRY

from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, operations
from tests.metrics.scraped import scrape
from tests.probe import wait_for
from tests.relaying import relaying
from tests.serving import http, serving


def app_that_shows() -> Flask:
    app = Flask("operations")
    GreenRelay(app)
    app.register_blueprint(operations)
    return app


def test_every_metric_is_shown() -> None:
    """Sockets by router, upgrades by result and cause, messages and bytes by direction, queue
    depth, drops by policy, closes by code and side, rtt, processes by host, hub lag, drain time.
    """
    with relaying(app=app_that_shows()) as bench, bench.connect() as client:
        bench.joined()
        client.close()
        found = scrape(bench.address)

    kind = {"kind", "endpoint"}
    assert found.labels("greenrelay_open") == kind
    assert found.labels("greenrelay_upgrades_total") == kind | {"result", "cause"}
    assert found.labels("greenrelay_messages_total") == kind | {"direction"}
    assert found.labels("greenrelay_bytes_total") == kind | {"direction"}
    assert found.labels("greenrelay_queued_messages") == kind
    assert found.labels("greenrelay_closes_total") == kind | {"code", "side"}
    assert found.labels("greenrelay_processes") == {"host"}
    for name in ("ping_rtt_max_seconds", "hub_lag_seconds_sum", "drain_seconds_total"):
        assert (f"greenrelay_{name}", frozenset()) in found.samples


def test_the_round_trip_of_a_ping_is_measured() -> None:
    """Metrics: rtt."""
    options = {"ping_interval": "20ms", "ping_timeout": "20ms"}
    with (
        relaying(app=app_that_shows(), **options) as bench,  # type: ignore[arg-type]
        bench.connect() as client,
    ):
        connection = bench.connection(bench.joined())
        client.frame()
        wait_for(lambda: connection._pulse.rtt is not None)
        found = scrape(bench.address)

    assert found.value("greenrelay_ping_rtt_sockets") == 1
    assert found.value("greenrelay_ping_rtt_max_seconds") > 0


def test_the_lag_of_the_hub_is_measured_from_the_start() -> None:
    """Metrics: hub lag."""
    name = "greenrelay_hub_lag_seconds_count"
    with serving(app_that_shows()):
        before = REGISTRY.get_sample_value(name) or 0

        wait_for(lambda: (REGISTRY.get_sample_value(name) or 0) > before)


def test_livez_says_that_the_hub_answers() -> None:
    """`/livez` (the hub answers)."""
    with serving(app_that_shows()) as address:
        assert http(address, "/livez")[0] == 200


def test_readyz_says_when_it_drains() -> None:
    """`/readyz` (not draining, services up)."""
    app = app_that_shows()
    with serving(app) as address:
        assert http(address, "/readyz")[0] == 200
        state_of(app).drain()

        assert http(address, "/readyz")[0] == 503


def test_nothing_is_shown_unless_it_is_mounted() -> None:
    """A page that anybody may read is not there by itself."""
    app = Flask("closed")
    GreenRelay(app)

    with serving(app) as address:
        assert [http(address, path)[0] for path in ("/metrics", "/livez", "/readyz")] == [404] * 3
