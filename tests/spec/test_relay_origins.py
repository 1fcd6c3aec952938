"""WebSocket Relay: "Refusals before the upgrade", every sentence about origins."""

from typing import Any

import gevent
import pytest
from flask import Flask
from gevent import socket

from greenrelay.web import GreenRelay, websocket_relay
from tests.probe import assert_receive
from tests.relaying import UPGRADE, Bench, relaying

ALLOWED = [
    ([], "OWN"),
    ([], None),
    (["https://app.example.com"], "https://app.example.com"),
    (["https://app.example.com"], "HTTPS://APP.Example.COM"),
    (["https://app.example.com"], "https://app.example.com:443"),
    (["https://*.example.com"], "https://a.example.com"),
    (["*.example.com"], "http://a.example.com"),
    (["example.com"], "http://example.com"),
    (["example.com"], "https://example.com"),
    (["localhost:*"], "http://localhost:3000"),
    (["https://app.example.com:8443"], "https://app.example.com:8443"),
    (["null"], "null"),
    (["*"], "https://anything.example"),
    (["https://one.example, https://two.example"], "https://two.example"),
    (["https://app.example.com"], "OWN"),
]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("patterns", "origin"), ALLOWED)
def test_an_allowed_origin_connects(patterns: list[str], origin: str | None) -> None:
    """The request's own scheme, host and port are always allowed …; patterns; ``null``; ``*``"""
    with relaying(allowed_origins=patterns) as bench:
        if origin == "OWN":
            origin = f"http://{bench.address}"
        with bench.connect(origin=origin):
            bench.joined()


REFUSED = [
    ([], "http://evil.example"),
    ([], "https://OWN"),
    ([], "http://127.0.0.1"),
    ([], "http://127.0.0.1:1"),
    ([], "null"),
    ([], ""),
    ([], "http://OWN/path"),
    ([], "http://OWN.evil.example"),
    (["https://app.example.com"], "http://app.example.com"),
    (["https://app.example.com"], "https://app.example.com:8443"),
    (["https://app.example.com"], "https://app.example.com.evil.example"),
    (["https://*.example.com"], "https://example.com"),
    (["https://*.example.com"], "https://a.b.example.com"),
    (["https://*.example.com"], "https://evil-example.com"),
    (["*"], "null"),
    (["*"], "not an origin"),
]


@pytest.mark.parametrize(("patterns", "origin"), REFUSED)
def test_another_origin_is_403_before_the_view_runs(patterns: list[str], origin: str) -> None:
    """origin not allowed: 403 … checked before the handler runs, so a refused client spawns
    nothing"""
    with relaying(allowed_origins=patterns) as bench:
        origin = origin.replace("OWN", bench.address)
        head = "".join(f"{k}: {v}\r\n" for k, v in {**UPGRADE, "Host": bench.address}.items())
        status = raw_status(bench, f"GET /ws HTTP/1.1\r\n{head}Origin: {origin}\r\n\r\n")

        assert (status, bench.calls) == (403, 0)


def raw_status(bench: Bench, request: str) -> int:
    host, _, port = bench.address.rpartition(":")
    with gevent.Timeout(30), socket.create_connection((host, int(port))) as sock:
        sock.sendall(request.encode())
        answer: bytes = sock.recv(65536)
    return int(answer.split()[1])


def test_the_log_of_a_refused_origin_says_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    """the log says the origin received, what is allowed, the option's name and the proxy hint"""
    with relaying(allowed_origins=["https://app.example.com"]) as bench:
        assert bench.refusal(origin="https://evil.example").status == 403
        own = f"http://{bench.address}"

    text = caplog.text
    assert "https://evil.example" in text
    assert "https://app.example.com" in text
    assert own in text
    assert "wsrelay.allowed.origins" in text
    assert "ProxyFix" in text


def test_no_origin_is_refused_where_one_is_required() -> None:
    """no ``Origin`` header is not a browser and is allowed unless ``wsrelay.require.origin``"""
    with relaying(require_origin=True) as bench:
        assert bench.refusal().status == 403
        assert bench.calls == 0
        with bench.connect(origin=f"http://{bench.address}"):
            bench.joined()


def test_a_star_warns_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    """``*`` warns at start"""
    websocket_relay(allowed_origins="*")

    assert "wsrelay.allowed.origins is *" in caplog.text


def behind_a_proxy(app: Flask) -> None:
    inner = app.wsgi_app

    def proxied(environ: Any, start_response: Any) -> Any:
        environ["wsgi.url_scheme"] = environ["HTTP_X_FORWARDED_PROTO"]
        environ["HTTP_HOST"] = environ["HTTP_X_FORWARDED_HOST"]
        environ["REMOTE_ADDR"] = environ["HTTP_X_FORWARDED_FOR"]
        return inner(environ, start_response)

    app.wsgi_app = proxied  # type: ignore[method-assign]


PROXIED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "public.example",
    "X-Forwarded-For": "203.0.113.7",
}


@pytest.mark.parametrize("is_outside", [False, True])
def test_the_own_origin_is_that_seen_after_a_trusted_proxy(is_outside: bool) -> None:
    """… as seen after a trusted proxy"""
    app = Flask(__name__)
    if is_outside:
        GreenRelay(app)
    behind_a_proxy(app)
    if not is_outside:
        GreenRelay(app)

    with (
        relaying(app=app) as bench,
        bench.connect(origin="https://public.example", headers=PROXIED),
    ):
        join = assert_receive(bench.target, topic="ws.join")

        assert join.payload["remote_addr"] == "203.0.113.7"
