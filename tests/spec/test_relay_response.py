"""WebSocket Relay: what becomes of the answer of a relaying view."""

from typing import Any

import pytest
from flask import Flask, Response, abort, g, make_response, redirect

from greenrelay import process, spawn
from greenrelay.web import relay
from tests.probe import wait_for
from tests.relaying import Bench, raw_command, relaying


def abort_401(bench: Bench) -> Any:
    abort(401)


def go_elsewhere(bench: Bench) -> Any:
    return redirect("/login")


def crash(bench: Bench) -> Any:
    raise ValueError("no such thing")


@pytest.mark.parametrize(("view", "status"), [(abort_401, 401), (go_elsewhere, 302), (crash, 500)])
def test_any_other_answer_reaches_the_client_untouched(view: Any, status: int) -> None:
    """Any other answer reaches the client untouched."""
    with relaying(view) as bench:
        refused = bench.refusal()
        plain = bench.get()

    assert refused.status == plain[0] == status
    assert refused.body == plain[2]
    assert refused.headers.get("Location") == plain[1].get("location")


def test_the_101_carries_the_headers_of_the_view_but_none_of_a_body() -> None:
    def view(bench: Bench) -> Any:
        response = relay(bench.target.pid)
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        response.headers["X-Request-Id"] = "17"
        response.headers["Content-Language"] = "en"
        response.headers["Sec-WebSocket-Accept"] = "forged"
        response.headers["Transfer-Encoding"] = "chunked"
        return response

    with relaying(view) as bench, bench.connect() as client:
        bench.joined()
        headers = client.response.headers

        assert headers.get_all("Set-Cookie") == ["a=1; Path=/", "b=2; Path=/"]
        assert headers["X-Request-Id"] == "17"
        names = {name.lower() for name in headers}
        assert not [name for name in names if name.startswith("content-")]
        assert "transfer-encoding" not in names


def test_after_request_hooks_see_the_response_and_may_add_headers() -> None:
    app = Flask(__name__)

    @app.after_request
    def stamp(response: Response) -> Response:
        response.headers["X-Stamp"] = str(response.status_code)
        return response

    with relaying(app=app) as bench, bench.connect() as client:
        bench.joined()

        assert client.response.headers["X-Stamp"] == "200"


def test_an_after_request_hook_may_refuse_with_a_body_of_its_own() -> None:
    """Any other answer reaches the client untouched."""
    app = Flask(__name__)
    app.after_request(lambda response: make_response("not today", 402))
    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.append(spawn(lambda: process.receive()))
        return relay(spawned[0])

    with relaying(view, app=app) as bench:
        refused = bench.refusal()

        assert (refused.status, refused.body) == (402, "not today")
        bench.wait_gone(spawned[0])


def test_teardown_has_run_before_the_connection_starts() -> None:
    """Flask's and the user's teardown functions have run before a relayed connection starts."""
    app = Flask(__name__)
    order: list[str] = []
    app.teardown_request(lambda error: order.append("teardown"))
    app.teardown_appcontext(lambda error: order.append("context"))

    def view(bench: Bench) -> Any:
        g.session = object()

        def target() -> None:
            assert process.receive().topic == "ws.join"  # type: ignore[union-attr]
            order.append("join")
            process.receive("ws.leave")

        response = relay(spawn(target))
        response.call_on_close(lambda: order.append("close"))
        return response

    with relaying(view, app=app) as bench, bench.connect() as client:
        wait_for(lambda: "join" in order)

        assert order == ["teardown", "context", "close", "join"]
        client.close()


def test_a_teardown_that_fails_leaves_no_target_behind() -> None:
    app = Flask(__name__)
    spawned: list[str] = []

    @app.teardown_request
    def fail(error: BaseException | None) -> None:
        raise RuntimeError("teardown")

    def view(bench: Bench) -> Any:
        spawned.append(spawn(lambda: process.receive()))
        return relay(spawned[0])

    with relaying(view, app=app) as bench:
        assert bench.refusal().status == 500

        bench.wait_gone(spawned[0])
        assert bench.connections() == []


@pytest.mark.parametrize("value", ["caf\N{SNOWMAN}", "a\x00b"])
def test_a_header_that_cannot_be_sent_is_a_500_and_leaves_no_target_behind(
    value: str, caplog: pytest.LogCaptureFixture
) -> None:
    spawned: list[str] = []

    def view(bench: Bench) -> Any:
        spawned.append(spawn(lambda: process.receive()))
        response = relay(spawned[0])
        response.headers["X-Name"] = value
        return response

    with relaying(view) as bench:
        assert bench.refusal().status == 500

        bench.wait_gone(spawned[0])
    assert "X-Name" in caplog.text


def test_a_streamed_body_of_a_relaying_view_is_closed_unread() -> None:
    closed: list[bool] = []

    class Body:
        def __iter__(self) -> Any:
            raise AssertionError("nobody reads the body of an upgrade")

        def close(self) -> None:
            closed.append(True)

    def view(bench: Bench) -> Any:
        return Response(Body(), headers=raw_command(target_pid=bench.target.pid))

    with relaying(view) as bench, bench.connect():
        bench.joined()

        assert closed == [True]
