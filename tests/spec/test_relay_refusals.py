"""WebSocket Relay: "Refusals before the upgrade", every row and every sentence about origins."""

import json
import logging
from typing import Any

import gevent
import pytest
from flask import Flask
from gevent import socket
from gevent.event import Event as Flag

from greenrelay import inbox, process, spawn, spawn_monitored
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, relay, websocket_relay
from tests.probe import assert_nothing, assert_receive, settle, wait_for
from tests.relaying import KEY, UPGRADE, Bench, relaying
from tests.serving import Refused, connected, http, serving


def idle() -> None:
    for _ in inbox():
        pass


class Spawning:
    """A view that spawns its target, and the targets it has spawned."""

    def __init__(self) -> None:
        self.pids: list[str] = []

    def __call__(self, bench: Bench) -> Any:
        self.pids.append(spawn(idle))
        return relay(self.pids[-1])


def test_a_plain_get_is_426_and_leaves_nothing_running() -> None:
    """not an upgrade request: 426 with ``Upgrade: websocket`` and one sentence"""
    view = Spawning()
    with relaying(view) as bench:
        status, headers, body = bench.get()

        assert status == 426
        assert headers["upgrade"] == "websocket"
        assert body.count("\n") == 1
        bench.wait_gone(view.pids[0])


def test_the_target_of_a_plain_get_is_cancelled_for_no_upgrade() -> None:
    """… a target that this very request spawned … is cancelled (reason ``no upgrade``)"""
    reasons: list[str | None] = []

    def target() -> None:
        reasons.append(process.events().receive().reason)  # type: ignore[union-attr]

    with relaying(lambda b: relay(spawn(target))) as bench:
        assert bench.get()[0] == 426

        wait_for(lambda: reasons)
        assert reasons == ["no upgrade"]


def test_a_target_that_was_there_before_is_left_alone() -> None:
    """… any other is left alone."""
    with relaying() as bench:
        assert bench.get()[0] == 426

        assert_nothing(bench.target)


@pytest.mark.parametrize(
    "how", ["named", "monitored by another", "told to another", "linked", "in a group"]
)
def test_a_target_somebody_else_knows_is_left_alone(how: str) -> None:
    """… that this very request spawned and nobody else has been told of …"""
    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.append(spawn(idle))
        if how == "named":
            process.register("the room", spawned[0])
        elif how == "told to another":
            process.send(bench.target.pid, "here", spawned[0])
        elif how == "monitored by another":
            bench.target.do(process.monitor, spawned[0])
        elif how == "in a group":
            process.join("rooms", spawned[0])
        elif how == "linked":
            bench.target.do(process.link, spawned[0])
        return relay(spawned[0])

    with relaying(view) as bench:
        assert bench.get()[0] == 426
        settle(bench.node)

        assert spawned[0] in bench.node.processes


def test_a_target_named_by_its_very_spawn_is_cancelled() -> None:
    with relaying(lambda b: relay(spawn(idle, name="the room"))) as bench:
        assert bench.get()[0] == 426

        wait_for(lambda: bench.node.names.owner("the room") is None)


def test_a_target_only_this_request_watches_is_cancelled() -> None:
    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.append(spawn_monitored(idle))
        process.send(spawned[0], "settings", {"a": 1})
        return relay(spawned[0])

    with relaying(view) as bench:
        assert bench.get()[0] == 426

        bench.wait_gone(spawned[0])


def upgrade(**changes: str) -> dict[str, str]:
    headers = {**UPGRADE, **{name.replace("_", "-"): value for name, value in changes.items()}}
    return {name: value for name, value in headers.items() if value}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"])
def test_another_method_is_400(method: str) -> None:
    """method not GET …: 400"""
    with relaying() as bench:
        status, _, _ = bench.get(method=method, headers=upgrade())

        assert (status, bench.calls) == (400, 0)


def test_another_method_is_400_where_only_that_one_is_routed() -> None:
    app = Flask(__name__)
    GreenRelay(app)
    app.post("/ws")(websocket_relay()(lambda: relay("nobody")))

    with serving(app) as address:
        assert http(address, "/ws", method="POST", headers=upgrade())[0] == 400


def test_other_routes_may_be_asked_for_an_upgrade_with_any_method() -> None:
    app = Flask(__name__)
    GreenRelay(app)
    app.post("/form")(lambda: "posted")

    with serving(app) as address:
        answer = http(address, "/form", method="POST", headers=upgrade(Content_Length="0"))

    assert (answer[0], answer[2]) == (200, "posted")


@pytest.mark.parametrize(
    "key", ["", "short", "!!!!", KEY[:-4], "AAAA" + KEY, f"{KEY},{KEY}", KEY.replace("=", "")]
)
def test_a_bad_or_missing_key_is_400(key: str) -> None:
    """bad or missing key: 400"""
    with relaying() as bench:
        status, _, _ = bench.get(headers=upgrade(Sec_WebSocket_Key=key))

        assert (status, bench.calls) == (400, 0)


@pytest.mark.parametrize("version", ["", "12", "8", "13, 13", "0x0d"])
def test_a_wrong_version_is_426_and_says_the_right_one(version: str) -> None:
    """wrong version 426 with ``Sec-WebSocket-Version: 13``"""
    with relaying() as bench:
        status, headers, _ = bench.get(headers=upgrade(Sec_WebSocket_Version=version))

        assert (status, bench.calls) == (426, 0)
        assert headers["sec-websocket-version"] == "13"


def test_http_1_0_is_400() -> None:
    with relaying() as bench:
        status, _, _ = bench.get(headers=upgrade(), version="HTTP/1.0")

        assert (status, bench.calls) == (400, 0)


def test_a_target_that_is_dead_or_unknown_is_503_in_json() -> None:
    """target dead or unknown: 503, JSON body ``{"error": "target_gone"}``"""
    targets = ["{other.1@nowhere|7}", "no such name", "{not a pid"]

    with relaying(lambda b: relay(targets[b.calls - 1])) as bench:
        for _ in targets:
            refused = bench.refusal()

            assert refused.status == 503
            assert refused.headers["Content-Type"] == "application/json"
            assert json.loads(refused.body) == {"error": "target_gone"}


def test_the_log_says_who_was_to_relay_and_who_is_not_there(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with relaying(lambda b: relay("no such\nname")) as bench:
        bench.refusal()

    (line,) = [each.message for each in caplog.records if each.name == "greenrelay.http"]
    assert line.endswith(' relays to "no such\\nname", which is no process that lives')


@pytest.mark.parametrize(
    "extra", [{"Content-Length": "5"}, {"Transfer-Encoding": "chunked"}], ids=["sized", "chunked"]
)
def test_a_handshake_with_a_body_is_400(extra: dict[str, str]) -> None:
    """What nobody reads of it would be taken for frames."""
    with relaying(lambda b: relay(b.target.pid)) as bench:
        refused = bench.refusal(headers=extra)

        assert (refused.status, bench.calls) == (400, 0)


def test_a_target_that_ends_before_the_answer_is_503() -> None:
    with relaying(lambda b: relay(process.pid())) as bench:
        refused = bench.refusal()

    assert json.loads(refused.body) == {"error": "target_gone"}


def test_a_target_that_was_told_to_end_is_gone() -> None:
    begun, go_on = Flag(), Flag()

    def refuses_to_end() -> None:
        try:
            begun.set()
            process.receive()
        finally:
            go_on.wait(30)

    def view(bench: Bench) -> Any:
        pid = spawn(refuses_to_end)
        begun.wait(30)
        process.terminate(pid)
        return relay(pid)

    with relaying(view) as bench:
        assert json.loads(bench.refusal().body) == {"error": "target_gone"}
        go_on.set()


def test_beyond_the_cap_is_503_with_retry_after(caplog: pytest.LogCaptureFixture) -> None:
    """connection cap reached …: 503 with ``Retry-After``; ``wsrelay.max.connections``"""
    with relaying(max_connections=2) as bench:
        with bench.connect() as first, bench.connect():
            bench.joined()
            calls = bench.calls

            refused = bench.refusal()

            assert refused.status == 503
            assert refused.headers["Retry-After"].isdecimal()
            assert bench.calls == calls
            assert "wsrelay.max.connections" in caplog.text
            first.close()
            assert_receive(bench.target, topic="ws.leave")
        with bench.connect():
            bench.joined()


def test_a_cap_of_0_is_no_cap() -> None:
    """0 is no cap"""
    with relaying(max_connections=0) as bench, bench.connect():
        bench.joined()


def test_upgrades_that_are_on_their_way_count() -> None:
    go_on = Flag()

    def view(bench: Bench) -> Any:
        go_on.wait(30)
        return relay(bench.target.pid)

    with relaying(view, max_connections=1) as bench:

        def connect() -> None:
            with bench.connect() as client:
                client.frame()

        first = gevent.spawn(connect)
        wait_for(lambda: bench.calls)

        assert bench.refusal().status == 503
        assert bench.calls == 1
        go_on.set()
        client_pid = bench.joined()
        process_of_client = bench.connection(client_pid)
        process_of_client.close(1000, "")
        first.join(30)
        with bench.connect():
            bench.joined()


def test_a_refused_upgrade_gives_its_place_back() -> None:
    answers: list[Any] = ["no", ("no", 401), relay("nobody")]

    with relaying(lambda b: answers[b.calls - 1], max_connections=1) as bench:
        statuses = [bench.refusal().status for _ in answers]

    assert statuses == [200, 401, 503]


def test_a_draining_server_is_503_with_retry_after() -> None:
    """… draining: 503 with ``Retry-After``"""
    with relaying() as bench:
        state_of(bench.app).drain()
        refused = bench.refusal()

        assert refused.status == 503
        assert refused.headers["Retry-After"].isdecimal()
        assert bench.calls == 0


def test_a_server_that_begins_to_drain_while_the_view_runs_refuses_and_leaves_nothing() -> None:
    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.append(spawn(idle))
        state_of(bench.app).drain()
        return relay(spawned[0])

    with relaying(view) as bench:
        refused = bench.refusal()

        assert refused.status == 503
        assert refused.headers["Retry-After"].isdecimal()
        bench.wait_gone(spawned[0])


def test_the_target_of_a_client_that_left_is_cancelled() -> None:
    """… a client that left …, a target that this very request spawned … is cancelled"""
    topics: list[str] = []
    go_on = Flag()

    def target() -> None:
        for message in inbox():
            topics.append(message.topic)

    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.append(spawn(target))
        go_on.wait(30)
        return relay(spawned[0])

    with relaying(view) as bench:
        host, _, port = bench.address.rpartition(":")
        head = "".join(f"{k}: {v}\r\n" for k, v in {**UPGRADE, "Host": bench.address}.items())
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(f"GET /ws HTTP/1.1\r\n{head}\r\n".encode())
            wait_for(lambda: spawned)
            # A close may wait for the hub, and the view is to find the client gone.
            sock.shutdown(socket.SHUT_RDWR)
        go_on.set()

        bench.wait_gone(spawned[0])
        assert topics == []


def test_a_server_that_cannot_relay_says_so(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask(__name__)
    GreenRelay(app)
    app.get("/ws")(websocket_relay()(lambda: relay("nobody")))

    response = app.test_client().get("/ws", headers=UPGRADE)

    assert response.status_code == 500
    assert "greenrelay.gunicorn.Worker" in caplog.text
    assert caplog.records[0].levelno == logging.ERROR
    state_of(app).node.shutdown(0)


def test_two_relays_around_one_view_count_it_once() -> None:
    app = Flask(__name__)
    GreenRelay(app)
    once = websocket_relay(max_connections=1)
    app.get("/ws")(once(once(lambda: relay(spawn(idle)))))

    with serving(app) as address, connected(address, "/ws"), pytest.raises(Refused):
        connected(address, "/ws").__enter__()
