"""WebSocket Relay: "How it works", the fate of the header, and what the 101 carries."""

import logging
from typing import Any

import pytest
from flask import Flask, abort, make_response, request, session
from gevent import socket

from greenrelay import process, spawn
from greenrelay.web import GreenRelay, relay, websocket_relay
from tests.probe import assert_receive, settle
from tests.relaying import UPGRADE, Bench, raw_command, relaying
from tests.serving import connected, http, serving


def test_a_raw_header_is_as_good_as_relay() -> None:
    """``relay(target_pid, …)`` builds the response …; the raw header must work as well."""

    def view(bench: Bench) -> Any:
        response = make_response("body")
        response.headers["x-ws-relay"] = raw_command(target_pid=bench.target.pid)["X-WS-Relay"]
        return response

    with relaying(view) as bench, bench.connect() as client:
        client_pid = bench.joined()

        assert client.response.status_code == 101
        assert client_pid in bench.node.processes


def test_a_tuple_with_the_header_is_enough() -> None:
    """The handler is an ordinary Flask view."""
    with (
        relaying(lambda b: ("", 204, raw_command(target_pid=b.target.pid))) as bench,
        bench.connect() as client,
    ):
        bench.joined()

        assert client.response.status_code == 101


def test_the_header_never_reaches_a_client() -> None:
    """The header never reaches a client."""
    with relaying() as bench:
        with bench.connect() as client:
            bench.joined()
            assert "X-WS-Relay" not in client.response.headers

        status, headers, _ = bench.get()

    assert status == 426
    assert "x-ws-relay" not in headers


@pytest.mark.parametrize("status", [301, 401, 404, 500])
def test_the_header_of_another_status_is_taken_away_and_nothing_upgraded(status: int) -> None:
    """Nothing is upgraded unless it answers 2xx *with* the header."""
    with relaying(lambda b: ("as it is", status, raw_command(target_pid=b.target.pid))) as bench:
        refused = bench.refusal()

    assert refused.status == status
    assert refused.body == "as it is"
    assert "X-WS-Relay" not in refused.headers


def test_a_2xx_without_the_header_is_an_ordinary_answer() -> None:
    """Nothing is upgraded unless it answers 2xx *with* the header."""
    with relaying(lambda b: "hello") as bench:
        refused = bench.refusal()
        plain = bench.get()

    assert (refused.status, refused.body) == (200, "hello")
    assert (plain[0], plain[2]) == (200, "hello")


def test_the_header_is_ignored_on_requests() -> None:
    """… is ignored on requests …"""
    with relaying(lambda b: "no") as bench:
        refused = bench.refusal(headers=raw_command(target_pid=bench.target.pid))

        assert refused.status == 200
        assert bench.connections() == []


def test_without_the_middleware_the_header_is_stripped_with_one_warning_per_route(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """… and is stripped (with one warning per route) where the middleware is absent."""
    app = Flask(__name__)
    GreenRelay(app)

    @app.get("/one/<name>")
    @app.get("/two")
    def view(name: str = "") -> Any:
        return f"plain {name}", 200, raw_command(target_pid="someone")

    with serving(app) as address:
        answers = [http(address, path) for path in ("/one/a", "/one/b", "/two", "/two")]
        upgrade = http(address, "/two", headers={**UPGRADE, "Connection": "Upgrade, close"})

    assert [(status, body) for status, _, body in answers] == [
        (200, "plain a"),
        (200, "plain b"),
        (200, "plain "),
        (200, "plain "),
    ]
    assert all("x-ws-relay" not in headers for _, headers, _ in [*answers, upgrade])
    warnings = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert [text.split()[0] for text in warnings] == ["/one/<name>", "/two"]
    assert "websocket_relay" in warnings[0]


def test_warnings_of_routes_that_do_not_exist_do_not_pile_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Flask(__name__)
    GreenRelay(app)

    @app.errorhandler(404)
    def not_found(error: Exception) -> Any:
        return "nothing", 404, raw_command(target_pid="someone")

    with serving(app) as address:
        for number in range(3):
            assert http(address, f"/nowhere/{number}")[0] == 404

    assert len([r for r in caplog.records if r.levelno == logging.WARNING]) == 1


def test_sessions_cookies_and_decorators_work() -> None:
    """… sessions, cookies, decorators, ``abort(401)`` all work"""
    app = Flask(__name__)
    app.secret_key = "test"
    app.post("/login")(lambda: session.update(user="ann") or "in")

    def view(bench: Bench) -> Any:
        if "user" not in session:
            abort(401)
        session["visits"] = session.get("visits", 0) + 1
        metadata = {"user": session["user"], "theme": request.cookies["theme"]}
        return relay(bench.target.pid, metadata=metadata)

    with relaying(view, app=app) as bench:
        assert bench.refusal().status == 401

        cookie = bench.get("/login", method="POST")[1]["set-cookie"].partition(";")[0]
        with bench.connect(headers={"Cookie": f"{cookie}; theme=dark"}) as client:
            join = assert_receive(bench.target, topic="ws.join")

            assert join.payload["metadata"] == {"user": "ann", "theme": "dark"}
            assert client.response.headers["Set-Cookie"].startswith("session=")


def test_before_request_may_abort() -> None:
    """… nothing is upgraded unless it answers 2xx *with* the header."""
    app = Flask(__name__)
    app.before_request(lambda: abort(403))

    with relaying(app=app) as bench:
        assert bench.refusal().status == 403
        assert bench.calls == 0


def test_a_client_that_asks_for_nothing_upgraded_gets_an_ordinary_answer() -> None:
    """``Upgrade`` and ``Connection`` are set aside; ordinary GET rules match unchanged."""
    app = Flask(__name__)
    GreenRelay(app)
    app.get("/plain")(lambda: request.headers.get("Upgrade", "none"))

    with serving(app) as address:
        answer = http(address, "/plain", headers={**UPGRADE, "Connection": "Upgrade, close"})

    assert (answer[0], answer[2]) == (200, "none")


def test_the_connection_is_a_process_with_its_own_pid_that_monitors_the_target() -> None:
    """The connection becomes a process with its own PID, monitors the target and sends ws.join."""
    with relaying() as bench, bench.connect():
        join = assert_receive(bench.target, topic="ws.join")
        client_pid = join.payload["client_pid"]

        assert join.sender == client_pid
        info = bench.target.do(process.info, client_pid)
        assert info is not None
        assert info.monitors == (bench.target.pid,)


def test_messages_flow_both_ways_until_either_side_ends() -> None:
    """Messages flow both ways until either side ends."""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.send("ping")
        message = assert_receive(bench.target, topic="ws.message")
        assert message.payload["data"] == "ping"

        assert bench.target.do(process.send, client_pid, "ws.send", "pong")
        assert client.recv() == "pong"
        client.close()

        assert_receive(bench.target, topic="ws.leave")
        assert not bench.target.do(process.send, client_pid, "ws.send", "late")


def test_the_message_in_the_segment_of_the_handshake_is_not_lost() -> None:
    with relaying() as bench, bench.connect() as first:
        bench.joined()
        first.protocol.send_text(b"early")
        (frame,) = first.protocol.data_to_send()

        head = "".join(f"{k}: {v}\r\n" for k, v in {"Host": bench.address, **UPGRADE}.items())
        with raw_connection(bench) as sock:
            sock.sendall(f"GET /ws HTTP/1.1\r\n{head}\r\n".encode() + frame + frame)

            bench.joined()
            for _ in range(2):
                message = assert_receive(bench.target, topic="ws.message")
                assert message.payload["data"] == "early"


def raw_connection(bench: Bench) -> Any:
    host, _, port = bench.address.rpartition(":")
    return socket.create_connection((host, int(port)))


def test_frames_may_come_one_byte_at_a_time() -> None:
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        client.protocol.send_text("größe".encode())
        for byte in b"".join(client.protocol.data_to_send()):
            client.sock.sendall(bytes((byte,)))
            settle(bench.node)

        message = assert_receive(bench.target, topic="ws.message")
        assert message.payload["data"] == "größe"


def test_a_hand_written_blueprint_relays() -> None:
    app = Flask(__name__)
    GreenRelay(app)

    @app.get("/a")
    @websocket_relay()
    def view() -> Any:
        return relay(spawn(lambda: process.receive("ws.leave")))

    with serving(app) as address, connected(address, "/a") as client:
        assert client.close(1000) == (1000, "")
