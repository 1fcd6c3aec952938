"""What sockets, streams and processes have counted, as /metrics shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY

import greenrelay as gr
from greenrelay.http.state import state_of
from greenrelay.metrics.snapshot import code_label
from greenrelay.runtime.host import Host
from greenrelay.testing import VirtualClock
from greenrelay.web import GreenRelay, operations
from tests.metrics.scraped import scrape
from tests.probe import assert_receive, end, settle, wait_for, wait_for_ever
from tests.relaying import Bench, relaying
from tests.serving import Refused, serving
from tests.streaming import streaming

WS = {"kind": "websocket", "endpoint": "/ws"}
EVENTS = {"kind": "stream", "endpoint": "/events"}


failures: list[int] = []


def shaky() -> None:
    """A service that starts for good the third time."""
    if len(failures) < 2:
        failures.append(1)
        raise ConnectionError("on purpose")
    gr.receive("never")


def reads_when_told() -> None:
    while True:
        gr.receive("go")
        gr.receive("tick")


def measured(name: str) -> Flask:
    """Return an app that shows its metrics."""
    app = Flask(name)
    GreenRelay(app)
    app.register_blueprint(operations)
    return app


@pytest.fixture
def bench() -> Iterator[Bench]:
    """A relay whose app shows its metrics; a client may be slow with a single message."""
    with relaying(app=measured("measured"), queue_messages=1, slow_policy="drop_newest") as found:
        yield found


def test_an_open_socket_is_counted_by_its_route(bench: Bench) -> None:
    before = scrape(bench.address).value(
        "greenrelay_upgrades_total", result="accepted", cause="", **WS
    )

    with bench.connect() as client:
        bench.joined()
        during = scrape(bench.address)
        client.close()
        assert_receive(bench.target, topic="ws.leave")
    after = scrape(bench.address)

    assert during.value("greenrelay_open", **WS) == 1
    assert after.value("greenrelay_open", **WS) == 0
    accepted = after.value("greenrelay_upgrades_total", result="accepted", cause="", **WS)
    assert accepted - before == 1


def test_messages_and_bytes_are_counted_while_a_socket_is_open_and_once_it_is_over(
    bench: Bench,
) -> None:
    before = scrape(bench.address)

    with bench.connect() as client:
        pid = bench.joined()
        client.send("four")
        assert_receive(bench.target, topic="ws.message")
        bench.node.send(pid, "ws.send", "hello")
        assert client.recv() == "hello"
        during = scrape(bench.address)
        client.close()
        assert_receive(bench.target, topic="ws.leave")
    after = scrape(bench.address)

    for direction in ("in", "out"):
        name, labels = "greenrelay_messages_total", {**WS, "direction": direction}
        assert during.value(name, **labels) - before.value(name, **labels) == 1
        assert after.value(name, **labels) - before.value(name, **labels) == 1
    into = {**WS, "direction": "in"}
    name = "greenrelay_bytes_total"
    # A head of two bytes, a mask of four, four letters.
    assert during.value(name, **into) - before.value(name, **into) == 10


def test_what_a_socket_has_carried_is_counted_though_nobody_asked_while_it_was_open(
    bench: Bench,
) -> None:
    labels = {**WS, "direction": "in"}
    before = scrape(bench.address)

    for _ in range(2):
        with bench.connect() as client:
            bench.joined()
            client.send("four")
            client.close()
            assert_receive(bench.target, topic="ws.leave")
    after = scrape(bench.address)

    name = "greenrelay_messages_total"
    assert after.value(name, **labels) - before.value(name, **labels) == 2


def test_the_restarts_of_a_service_are_counted() -> None:
    failures.clear()
    app = Flask("restarts")
    restart = {"initial_delay": "1ms", "max_delay": "1ms"}
    entry = {
        "name": "shaky",
        "kind": "process.service",
        "process": f"{__name__}:shaky",
        "lifecycle": {"auto_start": True, "restart": restart},
    }
    GreenRelay(app, [entry])
    app.register_blueprint(operations)
    name = "greenrelay_service_restarts_total"

    before = REGISTRY.get_sample_value(name, {"service": "app:shaky"}) or 0
    with serving(app) as address:
        wait_for(lambda: len(failures) == 2)
        wait_for(lambda: scrape(address).value(name, service="app:shaky") - before == 2)

        assert scrape(address).value("greenrelay_service_up", service="app:shaky") == 1


@pytest.mark.parametrize(
    ("ending", "code", "side"),
    [
        ("client closes", "1000", "client"),
        ("client's own code", "4xxx", "client"),
        ("client is lost", "1006", "client"),
        ("process closes", "4001", "server"),
        ("target fails", "1011", "server"),
    ],
)
def test_a_close_is_counted_by_its_code_and_by_who_began_it(
    bench: Bench, ending: str, code: str, side: str
) -> None:
    labels = {**WS, "code": code, "side": side}
    before = scrape(bench.address).value("greenrelay_closes_total", **labels)

    with bench.connect() as client:
        pid = bench.joined()
        if ending == "client closes":
            client.close()
        elif ending == "client's own code":
            client.close(4123)
        elif ending == "client is lost":
            client.drop()
        elif ending == "process closes":
            bench.node.send(pid, "ws.close", {"code": 4001})
            client.wait_closed()
        else:
            bench.node.terminate(bench.target.pid, "failed")
            client.wait_closed()
        bench.wait_gone(pid)

    assert scrape(bench.address).value("greenrelay_closes_total", **labels) - before == 1


def test_what_is_dropped_for_a_slow_client_is_counted_by_policy(bench: Bench) -> None:
    labels = {**WS, "policy": "drop_newest"}
    before = scrape(bench.address).value("greenrelay_dropped_messages_total", **labels)

    with bench.connect():
        pid = bench.joined()
        bench.send_numbers(pid)
        carried = bench.connection(pid).messages_out
        during = scrape(bench.address)
        bench.node.terminate(pid)
        bench.wait_gone(pid)
    after = scrape(bench.address)

    dropped = during.value("greenrelay_dropped_messages_total", **labels) - before
    assert dropped == 200 - carried
    assert during.value("greenrelay_queued_messages", **WS) == 1
    assert during.value("greenrelay_queued_messages_max", **WS) == 1
    assert after.value("greenrelay_queued_messages", **WS) == 0


def test_a_refused_upgrade_is_counted_by_its_cause(bench: Bench) -> None:
    labels = {**WS, "result": "refused", "cause": "origin"}
    before = scrape(bench.address).value("greenrelay_upgrades_total", **labels)

    assert bench.refusal(origin="https://elsewhere.example").status == 403

    assert scrape(bench.address).value("greenrelay_upgrades_total", **labels) - before == 1


@pytest.mark.parametrize(
    ("cause", "options", "command"),
    [
        ("max_connections", {"max_connections": 1}, {}),
        ("max_connections_per_ip", {"max_connections_per_ip": 1}, {}),
        ("max_connections_per_user", {"max_connections_per_user": 1}, {"metadata": {"user_id": 7}}),
    ],
)
def test_an_upgrade_without_a_place_is_counted_by_what_is_full(
    cause: str, options: dict[str, Any], command: dict[str, Any]
) -> None:
    labels = {**WS, "result": "refused", "cause": cause}
    with relaying(app=measured(cause), command=command, **options) as bench, bench.connect():
        bench.joined()
        before = scrape(bench.address).value("greenrelay_upgrades_total", **labels)

        refusal = bench.refusal()
        after = scrape(bench.address).value("greenrelay_upgrades_total", **labels)

    assert (refusal.status, after - before) == (503, 1)


def test_a_stream_is_counted_as_a_stream() -> None:
    with streaming(app=measured("stream")) as bench:
        before = scrape(bench.address)
        with bench.listen() as client:
            pid = bench.joined()
            bench.node.send(pid, "sse.message", "hello")
            assert client.event().data == "hello"
            during = scrape(bench.address)
        bench.wait_gone(pid)
        after = scrape(bench.address)

    out = {**EVENTS, "direction": "out"}
    name = "greenrelay_messages_total"
    assert during.value("greenrelay_open", **EVENTS) == 1
    assert during.value(name, **out) - before.value(name, **out) == 1
    lost = {**EVENTS, "code": "", "side": "client"}
    closes = "greenrelay_closes_total"
    assert after.value(closes, **lost) - before.value(closes, **lost) == 1


def test_processes_and_their_unread_messages_are_counted_by_host(bench: Bench) -> None:
    bench.node.add_host(Host("quarry", inbox_limit=3, overflow="drop_newest"))
    dropped = scrape(bench.address).value("greenrelay_inbox_dropped_messages_total", host="quarry")
    one = bench.node.spawn(wait_for_ever, host="quarry")
    other = bench.node.spawn("tests.probe:wait_for_ever", host="quarry")

    for _ in range(5):
        bench.node.send(one, "stone")
    bench.node.send(other, "stone")
    during = scrape(bench.address)
    end(bench.node, one, other)
    after = scrape(bench.address)

    assert during.value("greenrelay_processes", host="quarry") == 2
    assert during.value("greenrelay_entry_processes", entry="tests.probe:wait_for_ever") == 1
    assert during.value("greenrelay_inbox_messages", host="quarry") == 4
    assert during.value("greenrelay_inbox_messages_max", host="quarry") == 3
    name = "greenrelay_inbox_dropped_messages_total"
    assert during.value(name, host="quarry") - dropped == 2
    assert after.value("greenrelay_processes", host="quarry") == 0
    assert after.value("greenrelay_inbox_messages", host="quarry") == 0


def test_the_longest_wait_in_an_inbox_is_seen_between_two_readings(bench: Bench) -> None:
    """inbox wait"""
    bench.node.add_host(Host("waiting"))
    name, labels = "greenrelay_inbox_wait_max_seconds", {"host": "waiting"}
    stuck = bench.node.spawn(wait_for_ever, host="waiting")
    with VirtualClock(bench.node) as clock:
        bench.node.send(stuck, "first")
        found = [scrape(bench.address).value(name, **labels)]
        for _ in range(2):
            clock.advance("3s")
            bench.node.send(stuck, "later")
            found.append(scrape(bench.address).value(name, **labels))
    end(bench.node, stuck)

    assert found == [0.0, 3.0, 6.0]
    assert scrape(bench.address).value(name, **labels) == 0.0


def test_a_message_that_came_when_the_older_ones_were_read_has_its_own_wait(bench: Bench) -> None:
    bench.node.add_host(Host("reading"))
    name, labels = "greenrelay_inbox_wait_max_seconds", {"host": "reading"}
    reader = bench.node.spawn(reads_when_told, host="reading")
    found = []
    with VirtualClock(bench.node) as clock:
        for topics in (["tick"], ["go", "tick"]):
            for topic in topics:
                bench.node.send(reader, topic)
                settle(bench.node)
            found.append(scrape(bench.address).value(name, **labels))
            clock.advance("3s")
        found.append(scrape(bench.address).value(name, **labels))
    end(bench.node, reader)

    assert found == [0.0, 0.0, 3.0]


def test_a_drain_is_counted_with_its_time(bench: Bench) -> None:
    before = scrape(bench.address)

    with bench.connect() as client:
        bench.joined()
        bench.node.spawn(state_of(bench.app).drain)
        assert client.wait_closed()[0] == 1012
        assert_receive(bench.target, topic="ws.leave")
    after = scrape(bench.address)

    assert after.value("greenrelay_drains_total") - before.value("greenrelay_drains_total") == 1
    seconds = "greenrelay_drain_seconds_total"
    assert after.value(seconds) > before.value(seconds)


def test_no_label_is_a_pid_a_user_or_a_path(bench: Bench) -> None:
    with bench.connect(headers={"X-User": "ada"}):
        pid = bench.joined()
        text = scrape(bench.address).text

    mine = [line for line in text.splitlines() if line.startswith("greenrelay_")]
    assert not [line for line in mine if pid in line or "127.0.0.1" in line]


@pytest.mark.parametrize(
    ("kind", "code", "side", "shown"),
    [
        ("websocket", 1000, "client", "1000"),
        ("websocket", 3456, "client", "3xxx"),
        ("websocket", 4008, "server", "4008"),
        ("stream", None, "client", ""),
    ],
)
def test_the_codes_that_clients_make_up_are_shown_by_their_range(
    kind: str, code: int | None, side: str, shown: str
) -> None:
    assert code_label(kind, code, side) == shown


def test_a_refused_client_is_nobody(bench: Bench) -> None:
    with pytest.raises(Refused):
        bench.connect(origin="https://elsewhere.example").__enter__()

    assert scrape(bench.address).value("greenrelay_open", **WS) == 0
