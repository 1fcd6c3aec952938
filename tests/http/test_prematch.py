"""Source: HTTP, "Middleware"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, abort, g, request
from flask.testing import FlaskClient
from werkzeug.wrappers import Response

from greenrelay.http import registry
from greenrelay.http.registry import Middleware
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, register_middleware

HERE = "tests.http.test_prematch"
GATEWAY = "- {name: gateway, kind: http.service, addr: ':0'}\n"
nested = Blueprint("nested", __name__)
seen: list[str] = []


def tells(name: str) -> Callable[[Any], Any]:
    """Return the factory of a middleware that notes when it is reached and what is answered."""

    def factory(options: Any) -> Any:
        def wrap(handler: Callable[[], Response]) -> Callable[[], Response]:
            def handle() -> Response:
                seen.append(f"> {name}")
                response = handler()
                seen.append(f"< {name} {response.status_code}")
                response.headers[f"X-{name}"] = "here"
                return response

            return handle

        return wrap

    return factory


def refuses(options: Any) -> Any:
    """The factory of a middleware that lets nobody in."""
    return lambda handler: lambda: abort(401)


def breaks(options: Any) -> Any:
    """The factory of a middleware with a bug."""
    return lambda handler: lambda: 1 // 0


def fine() -> str:
    """Answer."""
    seen.append("view")
    return "fine"


def crash() -> str:
    """Fail."""
    raise LookupError("of the view")


@nested.get("/inner")
def inner() -> str:
    """Answer as a view of a blueprint of its own."""
    return "inner"


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "one": Middleware(tells("one"), "pre"),
        "two": Middleware(tells("two"), "pre"),
        "refuses": Middleware(refuses, "pre"),
        "breaks": Middleware(breaks, "pre"),
    }
    monkeypatch.setattr(registry, "_registered", known)
    seen.clear()


@pytest.fixture
def client() -> Iterator[Callable[[str], FlaskClient]]:
    """Return the maker of a test client of an app with these entries."""
    apps: list[Flask] = []

    def make(entries: str) -> FlaskClient:
        app = Flask(__name__, static_folder=None)
        GreenRelay(app, GATEWAY + entries)
        apps.append(app)
        return app.test_client()

    yield make
    for app in apps:
        state_of(app).node.shutdown(0.5)


Make = Callable[[str], FlaskClient]


def router(name: str, prefix: str, *middleware: str, more: str = "") -> str:
    listed = ", ".join(middleware)
    return (
        f"- {{name: {name}, kind: http.router, meta.server: gateway, prefix: '{prefix}',"
        f" middleware: [{listed}]{more}}}\n"
    )


def endpoint(name: str, router_name: str, path: str, function: str = "fine") -> str:
    return (
        f"- {{name: {name}, kind: http.endpoint, meta.router: {router_name}, path: {path},"
        f" func: '{HERE}:{function}'}}\n"
    )


API = router("api", "/api", "one", "two") + endpoint("fine", "api", "/fine")


def test_the_order_is_the_listed_order(client: Make) -> None:
    answer = client(API).get("/api/fine")

    assert answer.text == "fine"
    assert seen == ["> one", "> two", "view", "< two 200", "< one 200"]
    assert (answer.headers["X-one"], answer.headers["X-two"]) == ("here", "here")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/api/nothing", 404), ("POST", "/api/fine", 405), ("OPTIONS", "/api/fine", 200)],
)
def test_it_sees_what_matches_no_view_under_the_prefix(
    client: Make, method: str, path: str, status: int
) -> None:
    answer = client(API).open(path, method=method)

    assert answer.status_code == status
    assert answer.headers["X-one"] == "here"


@pytest.mark.parametrize("path", ["/", "/apis/fine", "/ap"])
def test_it_sees_nothing_outside_of_the_prefix(client: Make, path: str) -> None:
    answer = client(API).get(path)

    assert answer.status_code == 404
    assert seen == []


def test_an_endpoint_has_the_middleware_of_its_own_router_whatever_its_path(client: Make) -> None:
    entries = router("root", "/", "two") + endpoint("under", "root", "/api/under")

    found = client(API + entries)

    assert found.get("/api/under").headers.get("X-one") is None
    assert found.get("/api/under").headers["X-two"] == "here"


def test_what_matches_nothing_belongs_to_the_router_with_the_longest_prefix(client: Make) -> None:
    found = client(router("root", "/", "two") + API.replace("one, two", "one"))

    assert found.get("/api/nothing").headers.get("X-two") is None
    assert found.get("/nothing").headers["X-two"] == "here"


def test_it_stands_around_a_blueprint_that_the_router_names(client: Make) -> None:
    mounted = router("api", "/api", "one", more=f", blueprint: '{HERE}:nested'")

    answer = client(mounted).get("/api/inner")

    assert (answer.text, answer.headers["X-one"]) == ("inner", "here")


def test_a_view_that_crashes_is_answered_like_any_other(client: Make) -> None:
    found = client(router("api", "/api", "one") + endpoint("crash", "api", "/crash", "crash"))
    errors: list[BaseException | None] = []
    found.application.teardown_request(errors.append)

    answer = found.get("/api/crash")

    assert (answer.status_code, answer.headers["X-one"]) == (500, "here")
    assert seen == ["> one", "< one 500"]
    assert [str(error) for error in errors] == ["of the view"]


def test_a_crash_goes_through_where_flask_lets_it(client: Make) -> None:
    found = client(router("api", "/api", "one") + endpoint("crash", "api", "/crash", "crash"))
    found.application.testing = True

    with pytest.raises(LookupError, match="of the view"):
        found.get("/api/crash")

    assert seen == ["> one"]


def test_it_may_refuse_and_the_view_does_not_run(client: Make) -> None:
    found = client(router("api", "/api", "one", "refuses") + endpoint("fine", "api", "/fine"))

    answer = found.get("/api/fine")

    assert answer.status_code == 401
    assert "view" not in seen


def test_a_bug_in_it_is_an_error_of_the_request(client: Make) -> None:
    found = client(router("api", "/api", "breaks") + endpoint("fine", "api", "/fine"))

    assert found.get("/api/fine").status_code == 500


def test_an_error_handler_of_the_app_answers_what_it_refuses(client: Make) -> None:
    found = client(router("api", "/api", "refuses") + endpoint("fine", "api", "/fine"))
    found.application.register_error_handler(401, lambda error: ("who are you?", 401))

    answer = found.get("/api/fine")

    assert (answer.status_code, answer.text) == (401, "who are you?")


def test_it_is_inside_the_request(client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def marks(options: Any) -> Any:
        def wrap(handler: Callable[[], Response]) -> Callable[[], Response]:
            def handle() -> Response:
                g.marked = request.path
                return handler()

            return handle

        return wrap

    monkeypatch.setitem(registry._registered, "one", Middleware(marks, "pre"))
    found = client(API)
    found.application.after_request(lambda response: _with(response, g.marked))

    assert found.get("/api/fine").headers["X-Marked"] == "/api/fine"


def _with(response: Any, marked: str) -> Any:
    response.headers["X-Marked"] = marked
    return response


def test_a_program_registers_its_own(monkeypatch: pytest.MonkeyPatch, client: Make) -> None:
    monkeypatch.setattr(registry, "_registered", {})
    factory = tells("mine")

    register_middleware("mine", factory, "pre")
    register_middleware("mine", factory, "pre")

    found = client(router("api", "/api", "mine") + endpoint("fine", "api", "/fine"))
    assert found.get("/api/fine").headers["X-mine"] == "here"


@pytest.mark.parametrize(
    ("name", "stage", "options", "error"),
    [
        ("websocket_relay", "post", None, "name: 'websocket_relay' is taken by another middleware"),
        ("one", "pre", None, "name: 'one' is taken by another middleware"),
        ("new", "first", None, "stage: 'first' must be one of pre, post"),
        ("a b", "pre", None, "name: 'a b' must be a word without spaces and commas"),
        ("new", "pre", dict, "options: <class 'dict'> must be a dataclass"),
    ],
)
def test_what_cannot_be_registered_says_why(
    name: str, stage: str, options: Any, error: str
) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        register_middleware(name, refuses, stage, options=options)

    assert str(caught.value) == error


def test_a_crash_is_not_that_of_the_next_request_in_one_application_context(client: Make) -> None:
    made = client(
        router("api", "/api", "one")
        + endpoint("fine", "api", "/fine")
        + endpoint("crash", "api", "/crash", "crash")
    )
    ends: list[object] = []
    made.application.teardown_request(ends.append)

    with made.application.app_context():
        statuses = [made.get(path).status_code for path in ("/api/crash", "/api/fine")]

    assert statuses == [500, 200]
    assert isinstance(ends[0], LookupError)
    assert ends[1] is None


def test_it_sees_the_refusal_of_a_body_that_is_too_large(client: Make) -> None:
    made = client(API)
    made.application.register_error_handler(413, lambda error: (error.description, 413))

    answer = made.get("/api/fine", environ_overrides={"CONTENT_LENGTH": "16777217"})

    assert answer.status_code == 413
    assert answer.text == "The body is larger than the 16777216 bytes this server takes."
    assert seen == ["> one", "> two", "< two 413", "< one 413"]


def test_nothing_of_a_body_that_is_too_large_is_read(client: Make) -> None:
    made = client(API)
    made.application.before_request(lambda: seen.append(request.get_data(as_text=True)))

    answer = made.post("/nowhere", data=b"x" * 16777217)

    assert answer.status_code == 413
    assert seen == []
