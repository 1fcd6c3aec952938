"""HTTP, "Security": what a client or a view writes into headers is data and nothing else."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from flask import Flask, Response, request
from gevent import socket

from greenrelay import InvalidRelayCommand, inbox, process, spawn
from greenrelay.web import relay, websocket_relay
from tests.serving import Refused, connected, http, relay_app, serving

SPOOFED = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "elsewhere.example",
    "X-Real-IP": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;proto=https;host=elsewhere.example",
    "True-Client-IP": "203.0.113.9",
}


def target() -> None:
    """Tell the client what the join says of it."""
    for message in inbox():
        if message.topic == "ws.join":
            assert isinstance(message.payload, dict)
            process.send(message.payload["client_pid"], "ws.send", json.dumps(message.payload))


@pytest.fixture
def app() -> Iterator[Flask]:
    with relay_app(__name__) as app:
        yield app


def raw(address: str, data: bytes) -> bytes:
    """Send bytes and return everything that comes back."""
    host, _, port = address.rpartition(":")
    with gevent.Timeout(30), socket.create_connection((host, int(port))) as sock:
        sock.sendall(data)
        found = b""
        while part := sock.recv(65536):
            found += part
    return found


# headers of answers


@pytest.mark.parametrize("value", ["a\r\nSet-Cookie: evil=1", "a\nSet-Cookie: evil=1", "a\rb"])
def test_a_view_cannot_be_made_to_write_a_second_header(
    app: Flask, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A value that a client gave and a view passes on is refused, in whatever way it is set."""

    @app.get("/flask")
    def flask_way() -> Response:
        return Response("", headers={"X-Name": value})

    inner = app.wsgi_app

    def wsgi_way(environ: Any, start_response: Any) -> Any:
        if environ["PATH_INFO"] != "/wsgi":
            return inner(environ, start_response)
        start_response("200 OK", [("X-Name", value)])
        return [b""]

    app.wsgi_app = wsgi_way  # type: ignore[method-assign]

    with serving(app) as address:
        for path in ("/flask", "/wsgi"):
            status, headers, _ = http(address, path)
            assert status == 500
            assert "set-cookie" not in headers
    assert "ValueError" in capsys.readouterr().err


def test_the_101_carries_no_header_that_has_a_line_break(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    @app.get("/ws")
    @websocket_relay()
    def view() -> Any:
        response = relay(spawn(target))
        # Setting it, Werkzeug refuses such a value at once.
        response.headers._list.append(("X-Name", "a\r\nSet-Cookie: evil=1"))
        return response

    with serving(app) as address, pytest.raises(Refused) as refused, connected(address, "/ws"):
        pass

    assert refused.value.status == 500
    assert "Set-Cookie" not in refused.value.headers
    assert "ValueError" in capsys.readouterr().err


@pytest.mark.parametrize("field", ["message_topic", "metadata", "target"])
def test_a_relay_command_holds_line_breaks_as_data(app: Flask, field: str) -> None:
    text = "a\r\nSet-Cookie: evil=1"

    @app.get("/")
    def view() -> Any:
        pid = spawn(target)
        try:
            if field == "target":
                return relay(text)
            if field == "metadata":
                return relay(pid, metadata={"name": text})
            return relay(pid, message_topic=text)
        except InvalidRelayCommand:
            return "refused"
        finally:
            process.cancel(pid)

    with serving(app) as address:
        status, headers, _ = http(address, "/")

    assert status == 200
    assert "set-cookie" not in headers
    assert "x-ws-relay" not in headers


def test_the_relay_command_of_a_view_never_reaches_a_client(app: Flask) -> None:
    app.get("/")(lambda: relay("{n@h|1}"))

    with serving(app) as address:
        assert "x-ws-relay" not in http(address, "/")[1]


def test_a_subprotocol_is_one_of_the_views_own(app: Flask) -> None:
    @app.get("/ws")
    @websocket_relay()
    def view() -> Any:
        return relay(spawn(target), subprotocols=["chat"])

    offered = ["evil", "chat"]
    with serving(app) as address, connected(address, "/ws", subprotocols=offered) as client:
        assert client.response.headers["Sec-WebSocket-Protocol"] == "chat"


# headers of requests


def test_forwarding_headers_of_a_client_are_not_believed(app: Flask) -> None:
    """Without a proxy that is trusted they say nothing about address, scheme or host."""
    app.get("/")(lambda: [request.remote_addr, request.scheme, request.host])

    with serving(app) as address:
        answer = json.loads(http(address, "/", headers=SPOOFED)[2])

    assert answer == ["127.0.0.1", "http", address]


def test_the_join_names_the_peer_and_not_what_it_says_of_itself(app: Flask) -> None:
    app.get("/ws")(websocket_relay()(lambda: relay(spawn(target))))

    with serving(app) as address, connected(address, "/ws", headers=SPOOFED) as client:
        assert client.recv_json()["remote_addr"] == "127.0.0.1"


def test_a_forwarded_host_does_not_make_a_foreign_origin_the_own_one(app: Flask) -> None:
    app.get("/ws")(websocket_relay()(lambda: relay(spawn(target))))

    foreign: dict[str, Any] = {"origin": "https://elsewhere.example", "headers": SPOOFED}
    with (
        serving(app) as address,
        pytest.raises(Refused) as refused,
        connected(address, "/ws", **foreign),
    ):
        pass

    assert refused.value.status == 403


def test_a_header_with_an_underscore_is_not_taken_for_one_with_a_dash(app: Flask) -> None:
    app.get("/")(lambda: request.environ.get("HTTP_X_FORWARDED_FOR", "none"))

    with serving(app) as address:
        assert http(address, "/", headers={"X_Forwarded_For": "203.0.113.9"})[2] == "none"


def test_a_client_cannot_set_what_is_ours_in_the_environ(app: Flask) -> None:
    @app.get("/")
    def view() -> str:
        ours = {k: v for k, v in request.environ.items() if k.startswith("greenrelay")}
        return "spoofed" if "text of the client" in ours.values() else f"{len(ours) > 0}"

    with serving(app) as address:
        names = ("greenrelay.take_over", "greenrelay.socket", "greenrelay-upgrade")
        spoofed = dict.fromkeys(names, "text of the client")
        assert http(address, "/", headers=spoofed)[2] == "True"


# where a request ends


@pytest.mark.parametrize(
    "fields",
    [
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n",
        b"Content-Length: 3\r\nContent-Length: 5\r\n",
        b"Content-Length: +3\r\n",
        b"Content-Length: 0x3\r\n",
        b"Content-Length : 3\r\n",
        # Space to Python, and to nobody else.
        b"Content-Length: 3\xa0\r\n",
        # Whose it is is in doubt.
        b"Host: other\r\n",
    ],
)
def test_a_request_whose_end_is_in_doubt_is_refused(
    app: Flask, fields: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What a proxy in front takes for one request must not be two here (RFC 9112, section 6.3)."""
    caplog.set_level(logging.INFO)
    seen: list[str] = []

    @app.route("/<path>", methods=["GET", "POST"])
    def view(path: str) -> str:
        seen.append(path)
        return path

    with serving(app) as address:
        head = b"POST /one HTTP/1.1\r\nHost: test\r\n" + fields + b"\r\n"
        answer = raw(address, head + b"0\r\n\r\nGET /two HTTP/1.1\r\nHost: test\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert not seen
