"""Server-sent Events Relay: the same rules for refusals, origins and caps as the WebSocket's."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, abort
from gevent import socket
from gevent.event import Event as Flag

from greenrelay import inbox, spawn
from greenrelay.errors import ConfigError
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, create_app, sse_relay, stream
from tests.probe import assert_receive, wait_for
from tests.serving import http, serving
from tests.streaming import Bench, EventClient, raw_command, streaming


def idle() -> None:
    for _ in inbox():
        pass


class Spawning:
    """A view that spawns its target, and the targets it has spawned."""

    def __init__(self, **options: Any) -> None:
        self.pids: list[str] = []
        self.options = options

    def __call__(self, bench: Bench) -> Any:
        self.pids.append(spawn(idle))
        return stream(self.pids[-1], **self.options)


def refused(bench: Bench, status: int, **options: Any) -> str:
    found, headers, body = bench.get(**options)
    assert found == status, body
    assert "x-sse-relay" not in headers
    assert len(state_of(bench.app).streams.places) == 0
    return body


@pytest.mark.parametrize("status", [401, 404, 302, 500])
def test_any_other_answer_than_2xx_reaches_the_client_untouched(status: int) -> None:
    """nothing is upgraded unless it answers 2xx *with* the header"""
    with streaming(lambda b: ("no", status, raw_command(target_pid=b.target.pid))) as bench:
        assert refused(bench, status) == "no"


def test_abort_works_as_in_any_view() -> None:
    with streaming(lambda b: abort(401)) as bench:
        refused(bench, 401)


def test_a_view_may_answer_without_a_stream() -> None:
    with streaming(lambda b: "plain") as bench:
        assert refused(bench, 200) == "plain"


def test_a_stream_is_asked_for_with_get() -> None:
    """method not GET … 400"""
    view = Spawning()
    with streaming(view) as bench:
        body = refused(bench, 400, method="POST")

        assert "GET" in body
        bench.wait_gone(view.pids[0])


def test_head_gets_no_stream() -> None:
    view = Spawning()
    with streaming(view) as bench:
        refused(bench, 400, method="HEAD")
        bench.wait_gone(view.pids[0])


def test_an_upgrade_is_no_stream() -> None:
    view = Spawning()
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    with streaming(view) as bench:
        assert "upgrade" in refused(bench, 400, headers=headers)
        bench.wait_gone(view.pids[0])


def test_a_client_that_does_not_take_events_is_told_so() -> None:
    view = Spawning()
    with streaming(view) as bench:
        refused(bench, 406, headers={"Accept": "application/json, text/event-stream;q=0"})
        bench.wait_gone(view.pids[0])


@pytest.mark.parametrize("accept", ["", "*/*", "text/*", "text/html, */*;q=0.1"])
def test_a_client_that_takes_anything_gets_events(accept: str) -> None:
    with streaming() as bench, bench.listen(headers={"Accept": accept} if accept else {}):
        assert bench.joined()


@pytest.mark.parametrize(
    "header", ["nonsense", '{"target_pid": 7}', '{"unknown": 1}', '{"idle_timeout": "-1s"}']
)
def test_a_bad_command_is_500_and_the_log_says_why(
    header: str, caplog: pytest.LogCaptureFixture
) -> None:
    """header not JSON, unknown or wrong field: 500; the log names the view, the field, the rule"""
    with streaming(lambda b: ("", {"X-SSE-Relay": header})) as bench:
        body = refused(bench, 500)

        assert body == "The relay command of this address is wrong.\n"
        assert "view events: X-SSE-Relay: " in caplog.text


def test_in_debug_the_body_says_it_too() -> None:
    """In debug the body too"""
    with streaming(lambda b: ("", raw_command(unknown=1))) as bench:
        bench.app.debug = True

        assert "unknown is 1" in refused(bench, 500)


def test_a_target_named_by_a_bad_command_is_cancelled() -> None:
    pids: list[str] = []

    def view(bench: Bench) -> Any:
        pids.append(spawn(idle))
        return "", raw_command(target_pid=pids[0], unknown=1)

    with streaming(view) as bench:
        refused(bench, 500)
        bench.wait_gone(pids[0])


@pytest.mark.parametrize("target", ["nobody", "{n@h|1}", "{nonsense"])
def test_a_dead_target_is_503(target: str) -> None:
    """target dead or unknown: 503, JSON body ``{"error": "target_gone"}``"""
    with streaming(command={"target_pid": target}) as bench:
        assert refused(bench, 503) == '{"error": "target_gone"}\n'


def test_a_target_that_dies_while_the_request_is_torn_down_is_503() -> None:
    app = Flask("tests.streaming")
    view = Spawning()
    with streaming(view, app=app) as bench:

        @app.teardown_request
        def terminate(error: BaseException | None) -> None:
            bench.node.terminate(view.pids[-1])

        assert refused(bench, 503) == '{"error": "target_gone"}\n'


@pytest.mark.parametrize(
    ("origin", "allowed", "is_allowed"),
    [
        ("https://elsewhere.example", [], False),
        ("null", [], False),
        ("https://app.example.com", ["https://*.example.com"], True),
        ("http://app.example.com", ["https://*.example.com"], False),
        ("https://any.example", ["*"], True),
    ],
)
def test_origins_are_checked_before_the_view_runs(
    origin: str, allowed: list[str], is_allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """origin not allowed: 403; the log says the origin received, what is allowed, the option's
    name and the proxy hint"""
    with streaming(allowed_origins=allowed) as bench:
        if is_allowed:
            with bench.listen(headers={"Origin": origin}):
                bench.joined()
            return
        refused(bench, 403, headers={"Origin": origin})
        assert bench.calls == 0
        assert f"refused origin {origin}; allowed: the request's own" in caplog.text
        assert "sserelay.allowed.origins" in caplog.text
        assert "ProxyFix" in caplog.text


def test_a_page_of_another_origin_that_is_allowed_can_read_the_stream() -> None:
    origin = "https://app.example.com"
    with (
        streaming(allowed_origins=[origin]) as bench,
        bench.listen(headers={"Origin": origin}) as client,
    ):
        assert client.headers["access-control-allow-origin"] == origin
        assert client.headers["access-control-allow-credentials"] == "true"
        assert client.headers["vary"] == "Origin"


def test_where_any_page_may_listen_it_does_so_without_cookies(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """``*`` warns at start"""
    with streaming(allowed_origins="*") as bench:
        assert "sserelay.allowed.origins is *" in caplog.text
        with bench.listen(headers={"Origin": "https://any.example"}) as client:
            assert client.headers["access-control-allow-origin"] == "*"
            assert "access-control-allow-credentials" not in client.headers


def test_what_the_view_says_of_other_origins_counts() -> None:
    def view(bench: Bench) -> Any:
        response = stream(bench.target.pid)
        response.headers["Access-Control-Allow-Origin"] = "https://mine.example"
        return response

    with streaming(view) as bench, bench.listen() as client:
        assert client.headers["access-control-allow-origin"] == "https://mine.example"
    foreign = {"Origin": "https://any.example"}
    with (
        streaming(view, allowed_origins="*") as bench,
        bench.listen(headers=foreign) as client,
    ):
        assert client.headers["access-control-allow-origin"] == "https://mine.example"


def test_the_own_origin_needs_no_list() -> None:
    with streaming() as bench, bench.listen(headers={"Origin": f"http://{bench.address}"}):
        bench.joined()


def test_beyond_the_cap_a_client_is_sent_away_and_comes_in_later() -> None:
    """connection cap reached: 503 with ``Retry-After``"""
    with streaming(max_connections=1) as bench:
        with bench.listen():
            bench.joined()
            status, headers, _ = bench.get()
            assert (status, headers["retry-after"]) == (503, "2")
            assert bench.calls == 1
        assert_receive(bench.target, topic="sse.leave")
        wait_for(lambda: not len(state_of(bench.app).streams.places))
        with bench.listen():
            bench.joined()


@pytest.mark.parametrize("kind", ["ip", "user"])
def test_a_cap_counts_by_address_or_user(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    options: dict[str, Any] = {f"max_connections_per_{kind}": 1}
    view = Spawning(metadata={"user_id": 7})
    with streaming(view, **options) as bench, bench.listen():
        status, headers, _ = bench.get()

        assert (status, headers["retry-after"]) == (503, "2")
        assert f"sserelay.max.connections.per.{kind} is 1" in caplog.text
        for spawned in view.pids[1:]:
            bench.wait_gone(spawned)
        assert view.pids[0] in bench.node.processes
        # Its place in the count of all was given back.
        assert len(state_of(bench.app).streams.places) == 1


def test_streams_take_no_place_of_websockets() -> None:
    with streaming() as bench, bench.listen():
        bench.joined()
        state = state_of(bench.app)

        assert (len(state.streams.places), len(state.connections)) == (1, 1)
        assert state.connections.is_draining is False


def test_while_the_server_drains_nobody_comes_in() -> None:
    """draining: 503 with ``Retry-After``"""
    with streaming() as bench:
        state_of(bench.app).connections.is_draining = True

        status, headers, _ = bench.get()

        assert (status, headers["retry-after"], bench.calls) == (503, "2", 0)


def test_a_drain_that_begins_while_the_view_runs_refuses_too() -> None:
    view = Spawning()

    def draining(bench: Bench) -> Any:
        state_of(bench.app).connections.is_draining = True
        return view(bench)

    with streaming(draining) as bench:
        refused(bench, 503)
        bench.wait_gone(view.pids[0])


def test_drained_streams_end_with_done() -> None:
    with streaming() as bench, bench.listen() as client:
        bench.joined()
        state_of(bench.app).drain()

        (last,) = client.rest()
        assert last.json() == {"reason": "drain"}
        leave = assert_receive(bench.target, topic="sse.leave").payload
        assert (leave["reason"], leave["clean"]) == ("drain", True)


def test_a_teardown_that_fails_leaves_nothing_running() -> None:
    app = Flask("tests.streaming")
    view = Spawning()

    @app.teardown_request
    def fail(error: BaseException | None) -> None:
        raise RuntimeError("teardown")

    with streaming(view, app=app) as bench:
        refused(bench, 500)
        bench.wait_gone(view.pids[0])


def test_teardown_functions_have_run_before_the_stream_starts() -> None:
    app = Flask("tests.streaming")
    seen: list[str] = []
    app.teardown_request(lambda error: seen.append("teardown"))
    with streaming(app=app) as bench, bench.listen():
        assert_receive(bench.target, topic="sse.join")

        assert seen == ["teardown"]


def test_a_hook_that_changes_the_status_has_the_last_word() -> None:
    app = Flask("tests.streaming")
    view = Spawning()

    @app.after_request
    def forbid(response: Any) -> Any:
        response.status_code = 403
        return response

    with streaming(view, app=app) as bench:
        refused(bench, 403)
        bench.wait_gone(view.pids[0])


def test_a_header_that_cannot_be_sent_is_500(caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("tests.streaming")
    view = Spawning()

    @app.after_request
    def spoil(response: Any) -> Any:
        response.headers["X-Name"] = "\u0416"
        return response

    with streaming(view, app=app) as bench:
        refused(bench, 500)
        assert "the stream failed: header X-Name" in caplog.text
        bench.wait_gone(view.pids[0])


def test_a_server_that_cannot_hand_over_its_socket_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Flask("tests.streaming")
    GreenRelay(app)
    app.get("/events")(sse_relay()(lambda: stream()))

    answer = app.test_client().get("/events")

    assert answer.status_code == 500
    assert "cannot hand its socket" in caplog.text
    assert len(state_of(app).streams.places) == 0


def test_the_header_is_stripped_where_the_middleware_is_absent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """is stripped (with one warning per route) where the middleware is absent"""
    app = Flask("tests.streaming")
    GreenRelay(app)
    app.get("/bare")(lambda: stream())
    with serving(app) as address:
        for _ in range(2):
            status, headers, _ = http(address, "/bare")

        assert status == 200
        assert "x-sse-relay" not in headers
        assert caplog.text.count("no sse_relay stands around it") == 1


def test_a_header_of_the_request_is_ignored() -> None:
    """is ignored on requests"""
    with streaming(lambda b: "plain") as bench:
        assert refused(bench, 200, headers=raw_command(target_pid=bench.target.pid)) == "plain"


def test_a_client_that_has_left_by_then_leaves_nothing_running() -> None:
    view = Spawning()
    goes_on = Flag()

    def late(bench: Bench) -> Any:
        response = view(bench)
        goes_on.wait(30)
        return response

    with streaming(late) as bench:
        host, _, port = bench.address.rpartition(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            wait_for(lambda: view.pids)
        goes_on.set()

        bench.wait_gone(view.pids[0])
        assert bench.streams() == []
        wait_for(lambda: not len(state_of(bench.app).streams.places))


# options


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_conections": 1}, 'did you mean "sserelay.max.connections"'),
        ({"slow_policy": "maybe"}, "sserelay.slow.policy"),
        ({"queue_bytes": "x"}, "sserelay.queue.bytes"),
        ({"retry": "-1s"}, "sserelay.retry"),
        ({"ping_timeout": "25d"}, "sserelay.ping.timeout is 2.16e+06 s; it must be at most 24d"),
        ({"allowed_origins": ["https://"]}, "https://"),
    ],
)
def test_an_option_that_cannot_be_read_is_a_configuration_error(
    options: dict[str, object], why: str
) -> None:
    """Unknown options and unreadable values are configuration errors"""
    with pytest.raises(ConfigError, match=r"^sse_relay: ") as caught:
        sse_relay(**options)

    assert why in str(caught.value)


def test_the_decorator_is_called() -> None:
    with pytest.raises(TypeError, match=r"@sse_relay\(\)"):
        sse_relay(len)


CONFIG = """
version: "1.0"
entries:
  - name: events
    kind: http.router
    meta: {server: gateway}
    post_middleware: [sse_relay]
    post_options: {sserelay.retry: 7s}
  - name: news
    kind: http.endpoint
    meta: {router: events}
    path: /news
    func: tests.spec.test_sse_refusals:news
"""


def news() -> Any:
    return stream()


def test_a_router_of_the_configuration_streams() -> None:
    app = create_app(CONFIG)
    with serving(app) as address:
        client = EventClient(address, "/news")

        assert client.event().name == "ready"
        assert client.parser.retry == 7000
        client.drop()


def test_an_unknown_option_of_a_router_is_found_with_its_place() -> None:
    with pytest.raises(ConfigError, match=r":8:20: .*did you mean \"sserelay.retry\""):
        create_app(CONFIG.replace("sserelay.retry", "sserelay.retri"))
