"""HTTP, "Entries", row http.service: timeouts and limits, on real sockets.

The server is the one that ``greenrelay run`` serves with, and the values come from a configuration.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

import gevent
import pytest
from flask import Flask, Response, request
from gevent import socket

from greenrelay import ConfigError
from greenrelay.extension import create_apps
from greenrelay.http.state import state_of
from greenrelay.transport.server import Server
from greenrelay.web import GreenRelay
from tests.probe import wait_for
from tests.serving import stop_at_once

MIB = 1024 * 1024


@contextmanager
def site(**fields: Any) -> Iterator[str]:
    """Serve an http.service with these fields; yields its address."""
    app = Flask(__name__)
    service = {"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0", **fields}
    GreenRelay(app, config=[service])
    app.post("/count", endpoint="count")(lambda: f"{len(request.get_data())} bytes")
    app.post("/ignore", endpoint="ignore")(lambda: "ignored")
    app.get("/large", endpoint="large")(lambda: b"x" * (8 * MIB))
    app.get("/stream", endpoint="stream")(lambda: Response(b"x" * MIB for _ in range(8)))
    app.get("/", endpoint="index")(lambda: "hello")
    state = state_of(app)
    assert state.bounds is not None
    server = Server(app, **asdict(state.bounds))
    server.start()
    try:
        yield server.url.partition("://")[2]
    finally:
        server.close()
        stop_at_once(state)
        server.stop(timeout=1)


@contextmanager
def connected(address: str, *, receive_buffer: int = 0) -> Iterator[Any]:
    host, _, port = address.rpartition(":")
    with socket.socket() as sock:
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(5)
        sock.connect((host, int(port)))
        yield sock


def head(line: str, *fields: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: test", *fields, "", ""]).encode()


def read_all(sock: Any) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


def read_answer(sock: Any) -> bytes:
    """Read one answer of known length."""
    found = b""
    while b"\r\n\r\n" not in found:
        found += sock.recv(65536)
    top, _, body = found.partition(b"\r\n\r\n")
    length = int(top.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += sock.recv(65536)
    return top + b"\r\n\r\n" + body


# timeouts.read


def test_a_head_that_is_late_is_408() -> None:
    """``timeouts.read`` 10s"""
    with site(**{"timeouts.read": "50ms"}) as address, connected(address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize("fields", ["Content-Length: 10", "Transfer-Encoding: chunked"])
def test_a_body_that_stalls_is_408_and_ends_the_connection(fields: str) -> None:
    with site(**{"timeouts.read": "50ms"}) as address, connected(address) as sock:
        sock.sendall(head("POST /count", fields) + b"5\r\nhel")

        assert read_all(sock).startswith(b"HTTP/1.1 408 ")


def test_a_body_that_comes_slowly_but_steadily_is_taken() -> None:
    with site(**{"timeouts.read": "500ms"}) as address, connected(address) as sock:
        sock.sendall(head("POST /count", "Content-Length: 10"))
        for _ in range(10):
            sock.sendall(b"x")
            # All together are later than the timeout of a real socket, and no byte is.
            gevent.sleep(0.06)

        assert read_answer(sock).endswith(b"10 bytes")


def test_a_client_that_leaves_amid_its_body_is_no_error_of_ours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    with site() as address, connected(address) as sock:
        sock.sendall(head("POST /count", "Content-Length: 10") + b"hel")
        sock.shutdown(socket.SHUT_WR)

        assert read_all(sock).startswith(b"HTTP/1.1 400 ")
    assert "Traceback" not in caplog.text


# timeouts.write


@pytest.mark.parametrize("path", ["/large", "/stream"])
def test_a_client_that_does_not_read_its_answer_is_cut_off(
    path: str, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """``.write`` 30s"""
    caplog.set_level(logging.INFO)
    with (
        site(**{"timeouts.write": "50ms"}) as address,
        connected(address, receive_buffer=16_384) as sock,
    ):
        sock.sendall(head(f"GET {path}"))
        wait_for(lambda: f'"GET {path} HTTP/1.1"' in caplog.text)

        assert len(read_all(sock)) < 8 * MIB
    assert "Traceback" not in caplog.text + capsys.readouterr().err


def test_a_client_that_reads_slowly_but_steadily_gets_everything() -> None:
    with (
        site(**{"timeouts.write": "1s"}) as address,
        connected(address, receive_buffer=65_536) as sock,
    ):
        sock.sendall(head("GET /large", "Connection: close"))
        count = 0
        while data := sock.recv(512 * 1024):
            count += len(data)
            # All together are later than the timeout of a real socket, and no piece is.
            gevent.sleep(0.01)

        assert count > 8 * MIB


# timeouts.idle


def test_a_connection_that_asks_for_nothing_more_is_let_go() -> None:
    """``.idle`` 60s"""
    with site(**{"timeouts.idle": "50ms"}) as address, connected(address) as sock:
        sock.sendall(head("GET /"))

        assert read_all(sock).endswith(b"hello")


def test_a_connection_may_be_idle_for_longer_than_a_head_may_take() -> None:
    fields = {"timeouts.idle": "10s", "timeouts.read": "50ms", "timeouts.write": "50ms"}
    with site(**fields) as address, connected(address) as sock:
        for _ in range(2):
            sock.sendall(head("GET /"))
            assert read_answer(sock).endswith(b"hello")
            # Nothing is to happen while this time passes, so there is nothing to wait for.
            gevent.sleep(0.1)


# limits


def test_header_fields_beyond_the_limit_are_431() -> None:
    """``limits.header_size`` 16 KiB"""
    with site(**{"limits.header_size": "1KiB"}) as address, connected(address) as sock:
        sock.sendall(head("GET /", "X: " + "x" * 2000))

        assert read_all(sock).startswith(b"HTTP/1.1 431 ")


def test_a_body_that_says_it_is_too_large_is_413_and_not_read() -> None:
    """``limits.body_size`` 16 MiB"""
    with site(**{"limits.body_size": "1KiB"}) as address, connected(address) as sock:
        sock.sendall(head("POST /count", f"Content-Length: {100 * MIB}") + b"x" * MIB)

        assert read_all(sock).startswith(b"HTTP/1.1 413 ")


def test_a_client_that_asks_first_is_not_told_to_go_on() -> None:
    with site(**{"limits.body_size": "1KiB"}) as address, connected(address) as sock:
        sock.sendall(head("POST /count", "Content-Length: 2000", "Expect: 100-continue"))

        assert read_all(sock).startswith(b"HTTP/1.1 413 ")


def test_a_body_in_chunks_is_413_once_it_is_too_large() -> None:
    with site(**{"limits.body_size": "1KiB"}) as address, connected(address) as sock:
        sock.sendall(head("POST /count", "Transfer-Encoding: chunked"))
        sock.sendall((b"200\r\n" + b"x" * 512 + b"\r\n") * 3 + b"0\r\n\r\n")

        assert read_answer(sock).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_body_up_to_the_limit_is_taken(is_chunked: bool) -> None:
    with site(**{"limits.body_size": "1KiB"}) as address, connected(address) as sock:
        if is_chunked:
            body = b"400\r\n" + b"x" * 1024 + b"\r\n0\r\n\r\n"
            sock.sendall(head("POST /count", "Transfer-Encoding: chunked") + body)
        else:
            sock.sendall(head("POST /count", "Content-Length: 1024") + b"x" * 1024)

        assert read_answer(sock).endswith(b"1024 bytes")


@pytest.mark.parametrize(
    "kind", ["multipart/form-data; boundary=b", "multipart/form-data", "message/rfc822"]
)
def test_a_body_of_any_type_is_taken(kind: str) -> None:
    body = b'--b\r\nContent-Disposition: form-data; name="f"; filename="x"\r\n\r\nhi\r\n--b--\r\n'
    with site() as address, connected(address) as sock:
        sock.sendall(head("POST /count", f"Content-Type: {kind}", f"Content-Length: {len(body)}"))
        sock.sendall(body)

        assert read_answer(sock).endswith(b"%d bytes" % len(body))


def test_an_answer_to_head_ends_with_its_head() -> None:
    with site() as address, connected(address) as sock:
        sock.sendall(head("HEAD /stream") + head("GET /", "Connection: close"))

        _, _, after = read_all(sock).partition(b"\r\n\r\n")

    assert after.startswith(b"HTTP/1.1 200 OK\r\n")


def test_a_body_that_a_view_ignores_leaves_the_connection_usable() -> None:
    with site() as address, connected(address) as sock:
        sock.sendall(head("POST /ignore", "Content-Length: 2000") + b"x" * 2000)
        assert read_answer(sock).endswith(b"ignored")

        sock.sendall(head("GET /"))
        assert read_answer(sock).endswith(b"hello")


def test_a_large_body_that_a_view_ignores_is_not_read_to_its_end() -> None:
    with site(**{"limits.body_size": "1GiB"}) as address, connected(address) as sock:
        sock.sendall(head("POST /ignore", f"Content-Length: {500 * MIB}") + b"x" * MIB)

        assert read_all(sock).endswith(b"ignored")


# several services


def entry(name: str, kind: str, **fields: Any) -> dict[str, Any]:
    return {"name": name, "kind": kind, **fields}


def two_services(func: str = "tests.http.views:plain") -> list[dict[str, Any]]:
    found = []
    for name in ("public", "admin"):
        found += [
            entry(name, "http.service", addr="127.0.0.1:0"),
            entry(f"{name}_pages", "http.router", **{"meta.server": name, "prefix": "/"}),
        ]
    found.append(
        entry(
            "secret", "http.endpoint", **{"meta.router": "admin_pages", "path": "/s", "func": func}
        )
    )
    return found


def test_each_service_has_the_routers_that_name_it_only() -> None:
    """``http.router``: ``meta.server`` (required)"""
    public, admin = create_apps(two_services())

    assert public.test_client().get("/s").status_code == 404
    assert admin.test_client().get("/s").text == "plain"
    assert state_of(public).node is state_of(admin).node
    state_of(public).node.shutdown(0.5)


def test_the_requests_of_each_service_run_on_its_host() -> None:
    """``host`` is … the server's id for requests and connections"""
    apps = create_apps(two_services())

    assert [state_of(app).host.id for app in apps] == ["app:public", "app:admin"]
    state_of(apps[0]).node.shutdown(0.5)


def test_the_problems_of_all_services_come_at_once() -> None:
    wrong = two_services("tests.http.views:nothing")
    wrong.append(
        entry(
            "other",
            "http.endpoint",
            **{"meta.router": "public_pages", "path": "/o", "func": "tests.http.views:nobody"},
        )
    )

    with pytest.raises(ConfigError) as raised:
        create_apps(wrong)

    assert len(raised.value.problems) == 2
