from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, abort, request
from flask.testing import FlaskClient
from flask.views import MethodView

from greenrelay.config.options import option_names, read_options
from greenrelay.errors import ConfigError
from greenrelay.http import registry
from greenrelay.http.middleware.cors import CorsOptions
from greenrelay.http.registry import Middleware
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, cors, create_app, ratelimit
from tests.docs import DOCS

PAGE = "https://app.example.com"
OTHER = "https://evil.example"
ASK = {"Access-Control-Request-Method": "PUT"}


@pytest.fixture
def app() -> Iterator[Flask]:
    app = Flask(__name__)
    GreenRelay(app)
    yield app
    state_of(app).node.shutdown(0.5)


def allowed(response: Any) -> dict[str, str]:
    """Return the headers of CORS, without what they have in common."""
    start = "Access-Control-"
    return {k.removeprefix(start): v for k, v in response.headers if k.startswith(start)}


def preflight(client: FlaskClient, path: str = "/", origin: str = PAGE, **headers: str) -> Any:
    fields = {f"Access-Control-Request-{k.replace('_', '-')}": v for k, v in headers.items()}
    return client.options(path, headers={"Origin": origin, **ASK, **fields})


def get(client: FlaskClient, path: str = "/", origin: str = PAGE) -> Any:
    return client.get(path, headers={"Origin": origin})


def under(app: Flask, view: Callable[..., Any] = lambda: "fine", **options: Any) -> FlaskClient:
    """Return a client of the app, with a view under the decorator."""
    app.get("/", endpoint="view")(cors(**options)(view))
    return app.test_client()


def test_the_defaults_let_any_page_read_without_cookies(app: Flask) -> None:
    client = under(app)

    assert allowed(get(client)) == {"Allow-Origin": "*"}
    assert allowed(preflight(client)) == {
        "Allow-Origin": "*",
        "Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS, PATCH",
        "Allow-Headers": "Origin, Content-Type, Accept, Authorization, X-Requested-With",
        "Max-Age": "86400",
    }


def test_a_star_is_the_same_for_everybody_and_may_be_cached_for_all(app: Flask) -> None:
    client = under(app)

    assert [allowed(each) for each in (client.get("/"), get(client, origin="null"))] == [
        {"Allow-Origin": "*"},
        {"Allow-Origin": "*"},
    ]
    assert "Vary" not in client.get("/").headers
    assert "Vary" not in preflight(client).headers


ORIGINS = [
    ("https://app.example.com", "https://app.example.com", True),
    ("https://app.example.com", "HTTPS://APP.EXAMPLE.COM", True),
    ("https://app.example.com", "https://app.example.com:443", True),
    ("https://app.example.com", "http://app.example.com", False),
    ("https://app.example.com", "https://app.example.com:8443", False),
    ("https://app.example.com", "https://app.example.com.evil.example", False),
    ("https://app.example.com", "https://app-example.com", False),
    ("https://app.example.com", "https://app.example.com/", False),
    ("https://app.example.com:8443", "https://app.example.com:8443", True),
    ("https://app.example.com:8443", "https://app.example.com", False),
    ("https://*.example.com", "https://a.example.com", True),
    ("https://*.example.com", "https://example.com", False),
    ("https://*.example.com", "https://a.b.example.com", False),
    ("https://*.example.com", "https://evil-example.com", False),
    ("https://*.example.com", "https://.example.com", False),
    ("https://*.example.com", "http://a.example.com", False),
    ("https://*.example.com", "https://a.example.com:444", False),
    ("https://*.example.com", "https://evil.example/a.example.com", False),
    ("https://*.example.com", "https://a.example.com evil", False),
    ("localhost:*", "http://localhost:3000", True),
    ("localhost:*", "http://localhost.evil.example", False),
    ("null", "null", True),
    ("https://app.example.com", "null", False),
    ("https://app.example.com", "", False),
    ("https://one.example, https://two.example", "https://two.example", True),
    ("", "https://app.example.com", False),
    # The own one needs no leave, and gets none.
    ("https://app.example.com", "http://localhost", False),
]


@pytest.mark.parametrize(("listed", "origin", "is_allowed"), ORIGINS)
def test_an_origin_is_named_if_it_is_listed(
    app: Flask, listed: str, origin: str, is_allowed: bool
) -> None:
    client = under(app, allow_origins=listed)

    answers = [get(client, origin=origin), preflight(client, origin=origin)]

    named = [origin if is_allowed else None] * 2
    assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == named
    assert [bool(allowed(answer)) for answer in answers] == [is_allowed] * 2
    assert [answer.headers["Vary"] for answer in answers] == ["Origin"] * 2
    assert [answer.status_code for answer in answers] == [200, 204]


def test_credentials_are_allowed_to_those_who_are_listed(app: Flask) -> None:
    client = under(app, allow_origins=PAGE, allow_credentials=True)

    answers = [get(client), preflight(client), get(client, origin=OTHER)]

    found = [allowed(answer).get("Allow-Credentials") for answer in answers]
    assert found == ["true", "true", None]


def test_what_may_be_read_is_said_of_the_answer_and_not_of_the_preflight(app: Flask) -> None:
    client = under(app, expose_headers=["X-Total", "ETag"])

    assert allowed(get(client)) == {"Allow-Origin": "*", "Expose-Headers": "X-Total, ETag"}
    assert "Expose-Headers" not in allowed(preflight(client))


def test_methods_headers_and_age_are_those_of_the_options(app: Flask) -> None:
    client = under(app, allow_methods="get, Report", allow_headers="X-One", max_age="10m")

    assert allowed(preflight(client)) == {
        "Allow-Origin": "*",
        "Allow-Methods": "GET, REPORT",
        "Allow-Headers": "X-One",
        "Max-Age": "600",
    }


def test_a_star_among_methods_or_headers_is_what_the_page_asks_for(app: Flask) -> None:
    options: dict[str, Any] = {"allow_origins": PAGE, "allow_credentials": True, "max_age": 0}
    client = under(app, allow_methods="*", allow_headers=["*"], **options)
    common = {"Allow-Origin": PAGE, "Allow-Credentials": "true", "Max-Age": "0"}

    asked = allowed(preflight(client, Method="PROPFIND", Headers="authorization, x-one,bad name,"))
    assert asked == common | {
        "Allow-Methods": "PROPFIND",
        "Allow-Headers": "authorization, x-one",
    }
    assert allowed(preflight(client)) == common | {"Allow-Methods": "PUT"}


@pytest.mark.parametrize(
    ("is_allowed", "asked", "answer"),
    [(True, "true", "true"), (True, "false", None), (False, "true", None), (True, "", None)],
)
def test_a_private_network_is_opened_only_on_both_sides_word(
    app: Flask, is_allowed: bool, asked: str, answer: str | None
) -> None:
    client = under(app, allow_private_network=is_allowed)

    found = preflight(client, Private_Network=asked).headers

    assert found.get("Access-Control-Allow-Private-Network") == answer


def test_a_preflight_is_an_empty_204_and_never_reaches_the_view(app: Flask) -> None:
    seen: list[str] = []

    def view() -> str:
        seen.append("view")
        return "x"

    client = under(app, view)

    answer = preflight(client)

    assert (answer.status_code, answer.data, seen) == (204, b"", [])
    assert "Content-Type" not in answer.headers


@pytest.mark.parametrize("left_out", ["Origin", "Access-Control-Request-Method"])
def test_an_options_that_is_no_preflight_is_flasks(app: Flask, left_out: str) -> None:
    client = under(app)
    headers = {"Origin": PAGE, **ASK}
    del headers[left_out]

    answer = client.options("/", headers=headers)

    assert answer.status_code == 200
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert allowed(answer) == {"Allow-Origin": "*"}


def test_a_view_that_takes_options_itself_gets_them(app: Flask) -> None:
    class View(MethodView):
        def options(self) -> str:
            return "mine"

    app.add_url_rule("/", view_func=cors()(View.as_view("view")))
    client = app.test_client()

    assert client.options("/").text == "mine"
    assert preflight(client).status_code == 204


def test_the_rules_of_two_methods_may_both_be_under_it(app: Flask) -> None:
    app.get("/", endpoint="get")(cors()(lambda: "got"))
    app.post("/", endpoint="post")(cors()(lambda: "posted"))
    client = app.test_client()

    answers = [get(client), client.post("/", headers={"Origin": PAGE}), preflight(client)]

    assert [(answer.status_code, answer.text) for answer in answers] == [
        (200, "got"),
        (200, "posted"),
        (204, ""),
    ]
    assert {allowed(answer)["Allow-Origin"] for answer in answers} == {"*"}


def test_the_name_of_a_view_stays(app: Flask) -> None:
    @app.get("/")
    @cors()
    def my_view() -> str:
        return "fine"

    assert "my_view" in app.view_functions


def test_the_answers_to_what_a_view_raises_have_the_headers_too(app: Flask) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = False

    @app.errorhandler(LookupError)
    def lost(error: LookupError) -> tuple[str, int]:
        return "lost", 410

    app.get("/404", endpoint="404")(cors()(lambda: abort(404)))
    app.get("/500", endpoint="500")(cors()(lambda: 1 // 0))
    app.get("/410", endpoint="410")(cors()(lambda: [][0]))
    client = app.test_client()

    for status in (404, 500, 410):
        answer = get(client, f"/{status}")
        assert (answer.status_code, allowed(answer)) == (status, {"Allow-Origin": "*"})


def test_so_has_the_refusal_of_a_middleware_inside(app: Flask) -> None:
    client = under(app, ratelimit(burst=1)(lambda: "fine"))

    answers = [get(client), get(client)]

    assert [answer.status_code for answer in answers] == [200, 429]
    assert [allowed(answer) for answer in answers] == [{"Allow-Origin": "*"}] * 2


VARIES = [
    ({"Vary": "Accept-Encoding"}, "Accept-Encoding, Origin"),
    ({"Vary": "Accept, origin"}, "Accept, origin"),
    ({"Vary": "*"}, "*"),
    ([("Vary", "Accept"), ("Vary", "Cookie")], "Accept, Cookie, Origin"),
    ({"Vary": ""}, "Origin"),
]


@pytest.mark.parametrize(("given", "found"), VARIES)
def test_vary_is_added_to_and_never_replaced(app: Flask, given: Any, found: str) -> None:
    client = under(app, lambda: Response("", headers=given), allow_origins=PAGE)

    answer = client.get("/")

    assert answer.headers.getlist("Vary") == [found]


def test_a_view_that_names_an_origin_has_decided_for_itself(app: Flask) -> None:
    own = {"Access-Control-Allow-Origin": OTHER}
    options: dict[str, Any] = {"allow_origins": PAGE, "allow_credentials": True}
    client = under(app, lambda: Response("", headers=own), expose_headers="ETag", **options)

    assert allowed(get(client)) == {"Allow-Origin": OTHER}


def test_any_other_header_a_view_has_set_stays(app: Flask) -> None:
    own = {"Access-Control-Expose-Headers": "X-Mine"}
    client = under(app, lambda: Response("", headers=own), expose_headers="ETag")

    assert allowed(get(client)) == {"Allow-Origin": "*", "Expose-Headers": "X-Mine"}


def refuses(options: object) -> Any:
    """The factory of a middleware that lets nobody in."""
    return lambda handler: lambda: abort(401)


def breaks(options: object) -> Any:
    """The factory of a middleware that raises what Flask knows no answer to."""
    return lambda handler: lambda: [][0]


def test_what_a_middleware_inside_raises_has_the_headers_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = {"refuses": Middleware(refuses, "pre"), "breaks": Middleware(breaks, "pre")}
    monkeypatch.setattr(registry, "_registered", known)
    common: dict[str, object] = {"kind": "http.router", "meta.server": "s"}
    app = create_app(
        [
            {"name": name, "prefix": f"/{name}", "middleware": f"cors, {name}", **common}
            for name in known
        ]
    )
    client = app.test_client()

    answers = [get(client, f"/{name}") for name in known]
    state_of(app).node.shutdown(0.5)

    assert [answer.status_code for answer in answers] == [401, 500]
    assert [allowed(answer) for answer in answers] == [{"Allow-Origin": "*"}] * 2


def test_a_wide_one_outside_does_not_undo_a_narrow_one_inside() -> None:
    listed = {"middleware": "cors", "prefix": "/api", "meta.server": "s"}
    view = {"meta.router": "r", "path": "/narrow", "func": "tests.http.middleware.test_cors:narrow"}
    router = {"name": "r", "kind": "http.router", **listed}
    app = create_app([router, {"name": "narrow", "kind": "http.endpoint", **view}])
    client = app.test_client()

    found = [allowed(get(client, "/api/narrow", origin)) for origin in (PAGE, OTHER)]
    state_of(app).node.shutdown(0.5)

    assert found == [{"Allow-Origin": PAGE}, {}]


@cors(allow_origins=PAGE)
def narrow() -> str:
    """Answer a page of one origin."""
    return request.method


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (
            {"cors.allow.credentials": True},
            "cors.allow.credentials is true while cors.allow.origins is *; list the origins",
        ),
        (
            {"cors.allow.credentials": "true", "cors.allow.origins": [PAGE, "*"]},
            "cors.allow.credentials is true while cors.allow.origins is *; list the origins",
        ),
        (
            {
                "cors.allow.credentials": True,
                "cors.allow.origins": PAGE,
                "cors.expose.headers": "*",
            },
            "cors.allow.credentials is true while cors.expose.headers is *; list the headers",
        ),
        (
            {"cors.allow.origins": "https://*.example.com/path"},
            'is "https://*.example.com/path"; origin pattern ',
        ),
        ({"cors.allow.headers": ["X One"]}, 'is ["X One"]; "X One" has a space or a separator'),
        ({"cors.allow.methods": "GET POST"}, 'is "GET POST"; "GET POST" has a space'),
        ({"cors.expose.headers": ["a:b"]}, 'is ["a:b"]; "a:b" has a space or a separator in it'),
        ({"cors.max.age": "soon"}, "duration 'soon': it must be"),
        ({"cors.allow.credentials": "yes"}, 'is "yes"; it must be true or false'),
    ],
)
def test_options_that_cannot_work_are_problems(given: dict[str, object], text: str) -> None:
    options, problems = read_options(CorsOptions, given)

    assert options is None
    assert [problem.text.startswith(text) for problem in problems] == [True], problems


def test_wrong_options_of_the_decorator_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"cors: cors\.allow\.credentials is true while"):
        cors(allow_credentials=True)
    with pytest.raises(TypeError, match="cors is called with its options"):
        cors(lambda: "")


def test_every_option_is_on_its_page() -> None:
    page = (DOCS / "middleware" / "cors.md").read_text()

    assert [name for name in option_names(CorsOptions) if f"| `{name}` |" not in page] == []
