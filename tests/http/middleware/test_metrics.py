"""The middleware ``metrics``, around views, upgrades and streams."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, abort

import greenrelay as gr
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, metrics, operations
from tests.metrics.scraped import Scrape, scrape
from tests.probe import assert_receive, wait_for
from tests.relaying import UPGRADE, relaying
from tests.serving import connected, dial, http, serving
from tests.streaming import EventClient

COUNT = "greenrelay_http_requests_total"
LATENCY = "greenrelay_http_request_seconds_count"
CONFIG: list[Any] = [
    {"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0"},
    {
        "name": "measured",
        "kind": "http.router",
        "meta": {"server": "gateway"},
        "prefix": "/m",
        "middleware": ["metrics"],
        "post_middleware": ["sse_relay", "websocket_relay"],
        "blueprint": "tests.http.relay_views:both",
    },
    *(
        {
            "name": name,
            "kind": "http.endpoint",
            "meta": {"router": "measured"},
            "path": path,
            "func": f"{__name__}:{name}",
        }
        for name, path in (("user", "/users/{id}"), ("crash", "/crash"), ("shut", "/shut"))
    ),
    {
        "name": "operations",
        "kind": "http.router",
        "meta": {"server": "gateway"},
        "blueprint": "greenrelay.web:operations",
    },
]


def user(id: str) -> str:
    return id


def crash() -> None:
    raise ZeroDivisionError("on purpose")


def shut() -> None:
    abort(410)


@pytest.fixture
def address() -> Iterator[str]:
    app = Flask("measured")
    GreenRelay(app, CONFIG)
    with serving(app) as found:
        yield found


def grown(before: Scrape, after: Scrape, name: str, **labels: str) -> float:
    return after.value(name, **labels) - before.value(name, **labels)


@pytest.mark.parametrize(
    ("method", "path", "endpoint", "status"),
    [
        ("GET", "/m/users/1", "/m/users/<id>", "200"),
        ("GET", "/m/shut", "/m/shut", "410"),
        ("POST", "/m/shut", "unmatched", "405"),
        ("GET", "/m/nowhere/1", "unmatched", "404"),
    ],
)
def test_a_request_is_counted_by_method_route_and_status(
    address: str, method: str, path: str, endpoint: str, status: str
) -> None:
    before = scrape(address)

    assert http(address, path, method=method)[0] == int(status)
    after = scrape(address)

    labels = {"method": method, "endpoint": endpoint}
    assert grown(before, after, COUNT, status=status, **labels) == 1
    assert grown(before, after, LATENCY, **labels) == 1


def test_a_crash_is_counted_as_500(address: str) -> None:
    before = scrape(address)

    assert http(address, "/m/crash")[0] == 500

    labels = {"method": "GET", "endpoint": "/m/crash", "status": "500"}
    assert grown(before, scrape(address), COUNT, **labels) == 1


def test_a_method_that_nobody_knows_is_other(address: str) -> None:
    before = scrape(address)

    assert http(address, "/m/users/1", method="BREW")[0] == 405

    labels = {"method": "other", "endpoint": "unmatched", "status": "405"}
    assert grown(before, scrape(address), COUNT, **labels) == 1


def test_a_request_outside_of_the_router_is_not_counted(address: str) -> None:
    before = scrape(address)

    after = scrape(address)

    assert grown(before, after, COUNT, method="GET", endpoint="/metrics", status="200") == 0


def test_an_upgrade_is_counted_as_101_while_it_is_open(address: str) -> None:
    before = scrape(address)

    with connected(address, "/m/socket") as client:
        assert client.recv() == "hello"
        after = scrape(address)

    labels = {"method": "GET", "endpoint": "/m/socket"}
    assert grown(before, after, COUNT, status="101", **labels) == 1
    assert grown(before, after, LATENCY, **labels) == 1
    assert after.value("greenrelay_http_requests_in_flight", endpoint="/m/socket") == 0


def test_a_refused_upgrade_is_counted_by_its_status(address: str) -> None:
    before = scrape(address)

    status, _, _ = http(address, "/m/socket", headers={**UPGRADE, "Sec-WebSocket-Version": "12"})

    labels = {"method": "GET", "endpoint": "/m/socket"}
    assert status == 426
    assert grown(before, scrape(address), COUNT, status="426", **labels) == 1


def test_a_stream_is_counted_when_it_is_opened(address: str) -> None:
    before = scrape(address)

    client = EventClient(address, "/m/stream")
    assert client.event().data == "hello"
    after = scrape(address)
    client.drop()

    labels = {"method": "GET", "endpoint": "/m/stream"}
    assert grown(before, after, COUNT, status="200", **labels) == 1
    assert grown(before, after, LATENCY, **labels) == 1
    assert after.value("greenrelay_http_requests_in_flight", endpoint="/m/stream") == 0


def test_a_decorator_measures_one_view() -> None:
    app = Flask("decorated")
    GreenRelay(app)
    app.register_blueprint(operations)
    app.get("/plain")(metrics()(lambda: "plain"))

    with serving(app) as address:
        before = scrape(address)
        assert http(address, "/plain")[2] == "plain"
        after = scrape(address)

    labels = {"method": "GET", "endpoint": "/plain", "status": "200"}
    assert grown(before, after, COUNT, **labels) == 1


def test_a_decorator_stands_around_a_relay() -> None:
    app = Flask("around")
    GreenRelay(app)
    app.register_blueprint(operations)

    with relaying(app=app) as bench:
        app.view_functions["ws"] = metrics()(app.view_functions["ws"])
        before = scrape(bench.address)
        with bench.connect() as client:
            bench.joined()
            client.send("hello")
            assert assert_receive(bench.target, topic="ws.message").payload["data"] == "hello"
            after = scrape(bench.address)

    labels = {"method": "GET", "endpoint": "/ws", "status": "101"}
    assert grown(before, after, COUNT, **labels) == 1


def test_a_request_is_in_flight_until_it_is_answered_and_one_whose_client_left_is_499() -> None:
    app = Flask("slow")
    GreenRelay(app)
    app.register_blueprint(operations)
    begun: list[str] = []

    def wait() -> str:
        begun.append(gr.pid())
        gr.receive("never")
        return ""

    app.get("/wait")(metrics()(wait))
    with serving(app) as address:
        before = scrape(address)
        sock = dial(address)
        sock.sendall(f"GET /wait HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        wait_for(lambda: begun)
        during = scrape(address)
        sock.close()
        node = state_of(app).node
        wait_for(lambda: begun[0] not in node.processes)
        after = scrape(address)

    flight = "greenrelay_http_requests_in_flight"
    assert during.value(flight, endpoint="/wait") == 1
    assert after.value(flight, endpoint="/wait") == 0
    labels = {"method": "GET", "endpoint": "/wait", "status": "499"}
    assert grown(before, after, COUNT, **labels) == 1


def test_without_parentheses_the_decorator_says_so() -> None:
    with pytest.raises(TypeError, match=r"@metrics\(\)"):
        metrics(user)


def test_without_prometheus_client_it_says_what_to_install_and_all_else_works() -> None:
    program = """
import sys
sys.modules["prometheus_client"] = None
from flask import Flask
from greenrelay.errors import ConfigError
from greenrelay.web import GreenRelay, metrics, operations
app = Flask("bare")
GreenRelay(app)
app.register_blueprint(operations)
client = app.test_client()
print(client.get("/livez").text.strip(), client.get("/readyz").status_code)
answer = client.get("/metrics")
print(answer.status_code, answer.text.strip())
try:
    metrics()
except ConfigError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60
    )

    what = "prometheus-client is not installed: pip install 'greenrelay[metrics]'"
    assert done.stdout.splitlines() == ["ok 200", f"501 /metrics: {what}", f"metrics: {what}"]
    assert done.stderr == ""
