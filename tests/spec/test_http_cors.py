"""HTTP, "Middleware", row cors: around routers, paths of none and relays, on real sockets."""

from __future__ import annotations

import pytest

from greenrelay import ConfigError
from greenrelay.web import create_app
from tests.http.middleware.routed import calls, entries, routed
from tests.serving import connected
from tests.streaming import EventClient

PAGE = "https://app.example.com"
OTHER = "https://evil.example"
LISTED = {
    "cors.allow.origins": "https://*.example.com",
    "cors.allow.credentials": True,
    "cors.expose.headers": "X-Total",
}
ASK = {"Access_Control_Request_Method": "PUT"}
CREDENTIALS = "access-control-allow-credentials"
ORIGIN = "access-control-allow-origin"


def test_a_preflight_is_answered_with_204() -> None:
    """preflight 204"""
    with routed("cors") as site:
        status, headers, body = site.request("OPTIONS", "/api/plain", Origin=PAGE, **ASK)

    assert (status, body, calls) == (204, "", [])
    assert headers[ORIGIN] == "*"
    assert headers["access-control-allow-methods"] == "GET, POST, PUT, DELETE, OPTIONS, PATCH"
    assert headers["access-control-max-age"] == "86400"
    assert "vary" not in headers


@pytest.mark.parametrize("path", ["/api/nothing", "/api", "/ws/echo", "/sse/events"])
def test_whatever_it_asks_for(path: str) -> None:
    """Pre-match runs before routing and sees every request under the prefix, unmatched ones too"""
    with routed("cors", LISTED) as site:
        status, headers, _ = site.request("OPTIONS", path, Origin=PAGE, **ASK)

    assert (status, headers[ORIGIN], headers[CREDENTIALS], calls) == (204, PAGE, "true", [])


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/plain", 200),
        ("GET", "/api/nothing", 404),
        ("GET", "/api/missing", 404),
        ("POST", "/api/plain", 405),
        ("GET", "/api/crash", 500),
        ("OPTIONS", "/api/plain", 200),
        ("HEAD", "/api/plain", 200),
    ],
)
def test_every_answer_has_the_headers(method: str, path: str, status: int) -> None:
    """errors too: a page must be able to read what went wrong"""
    with routed("cors", LISTED) as site:
        found, headers, _ = site.request(method, path, Origin=PAGE)
        _, foreign, _ = site.request(method, path, Origin=OTHER)

    assert (found, headers[ORIGIN], headers[CREDENTIALS]) == (status, PAGE, "true")
    assert headers["access-control-expose-headers"] == "X-Total"
    assert headers["vary"] == foreign["vary"] == "Origin"
    assert [name for name in foreign if name.startswith("access-control")] == []


def test_a_path_of_no_router_has_none() -> None:
    """… every request under the prefix"""
    with routed("cors") as site:
        status, headers, _ = site.get("/elsewhere", Origin=PAGE)

    assert (status, ORIGIN in headers) == (404, False)


def test_the_refusal_of_a_middleware_inside_has_the_headers() -> None:
    """Order is the listed order."""
    with routed("cors, ratelimit", {"ratelimit.burst": 1}) as site:
        answers = [site.get("/api/plain", Origin=PAGE) for _ in range(2)]
        preflight = site.request("OPTIONS", "/api/plain", Origin=PAGE, **ASK)

    assert [(status, headers[ORIGIN]) for status, headers, _ in answers] == [(200, "*"), (429, "*")]
    assert preflight[0] == 204


def test_vary_is_appended() -> None:
    """``Vary: Origin`` appended"""
    with routed("cors", LISTED) as site:
        _, headers, _ = site.get("/api/own?Vary=Accept-Encoding", Origin=PAGE)

    assert headers["vary"] == "Accept-Encoding, Origin"


@pytest.mark.parametrize("origins", [{}, {"cors.allow.origins": "*"}])
def test_a_star_with_credentials_is_a_configuration_error(origins: dict[str, str]) -> None:
    """``*`` with credentials is a configuration error"""
    options = {"cors.allow.credentials": True, **origins}

    with pytest.raises(ConfigError) as raised:
        create_app(entries("cors", options, {}))

    assert "cors.allow.credentials: is true while cors.allow.origins is *" in str(raised.value)


def test_what_is_no_origin_is_a_located_error() -> None:
    """options are typed and checked when the configuration is read"""
    text = """
version: "1.0"
entries:
  - name: api
    kind: http.router
    meta:
      server: gateway
    middleware: [cors]
    options:
      cors.max.age: 10m
      cors.allow.origins: https://*.example.com/path
"""
    with pytest.raises(ConfigError) as raised:
        create_app(text)

    where = '<text>:11:7: http.router "app:api": options.cors.allow.origins: is '
    assert str(raised.value).startswith(where)


@pytest.mark.parametrize("middleware", ["cors", "cors, ratelimit, real_ip", "real_ip, cors"])
def test_a_websocket_is_upgraded_through_it(middleware: str) -> None:
    """Any of them may stand around ``websocket_relay`` … and must not break an upgrade"""
    allowed = {"wsrelay.allowed.origins": PAGE}
    with (
        routed(middleware, LISTED, allowed) as site,
        connected(site.address, "/ws/echo", origin=PAGE) as client,
    ):
        client.send("hello")

        assert client.recv() == "hello"
        assert client.response.headers[ORIGIN] == PAGE


def test_a_websocket_of_a_foreign_page_is_still_the_relays_to_refuse() -> None:
    """origin not allowed: 403"""
    with routed("cors", LISTED) as site:
        refusal = site.refusal(origin=PAGE)

    assert (refusal.status, refusal.headers[ORIGIN], calls) == (403, PAGE, [])


def test_a_stream_goes_through_it() -> None:
    """… or a stream"""
    with routed("cors", LISTED, {"sserelay.allowed.origins": PAGE}) as site:
        client = EventClient(site.address, "/sse/events", headers={"Origin": PAGE})

        assert client.event().data == "127.0.0.1"
        assert (client.headers[ORIGIN], client.headers["vary"]) == (PAGE, "Origin")
        client.drop()


def test_the_headers_of_a_stream_are_exposed_too() -> None:
    """``cors.expose.headers``"""
    with routed("cors", LISTED, {"sserelay.allowed.origins": f"{PAGE}, {OTHER}"}) as site:
        for origin, exposed in ((PAGE, "X-Total"), (OTHER, None)):
            client = EventClient(site.address, "/sse/events", headers={"Origin": origin})

            assert client.headers[ORIGIN] == origin
            assert client.headers.get("access-control-expose-headers") == exposed
            client.drop()
