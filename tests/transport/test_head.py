"""WebSocket Relay, ``wsrelay.handshake.timeout``; HTTP, ``timeouts.read``, ``limits.header_size``.

The server is the one that ``greenrelay run`` serves with.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gevent
import pytest
from flask import Flask, request
from gevent import socket
from gevent import ssl as gevent_ssl

from greenrelay.http.state import state_of
from greenrelay.transport.server import Server
from greenrelay.web import GreenRelay
from tests.probe import wait_for
from tests.serving import make_server, stop_at_once

REQUEST = b"GET / HTTP/1.1\r\nHost: test\r\n"


@contextmanager
def served(server: Server, app: Flask) -> Iterator[str]:
    server.start()
    try:
        yield server.url.partition("://")[2]
    finally:
        server.close()
        stop_at_once(state_of(app))
        server.stop(timeout=1)


def make_app() -> Flask:
    app = Flask(__name__)
    GreenRelay(app)
    app.get("/")(lambda: "hello")
    app.get("/where", endpoint="where")(lambda: request.url)
    return app


@contextmanager
def site(**options: Any) -> Iterator[str]:
    app = make_app()
    with served(Server(app, **options), app) as address:
        yield address


@contextmanager
def connected(address: str) -> Iterator[Any]:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        yield sock


def read_all(sock: Any) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


def test_a_head_that_is_not_there_in_time_is_408(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "greenrelay")
    with site(head_timeout=0.05) as address, connected(address) as sock:
        sock.sendall(REQUEST)

        assert read_all(sock).startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert "408" in caplog.text


def test_a_head_that_comes_byte_by_byte_has_no_more_time() -> None:
    with site(head_timeout=0.05) as address, connected(address) as sock:

        def drip() -> None:
            for byte in REQUEST * 1000:
                sock.sendall(bytes((byte,)))
                # Slower than the deadline allows the whole head, faster than it allows one byte.
                gevent.sleep(0.002)

        dripping = gevent.spawn(drip)
        answer = read_all(sock)
        dripping.kill()

        assert answer.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_says_nothing_is_let_go_without_a_word() -> None:
    with site(head_timeout=0.05) as address, connected(address) as sock:
        assert read_all(sock) == b""


def test_a_connection_may_wait_between_its_requests() -> None:
    with site(head_timeout=0.03) as address, connected(address) as sock:
        for _ in range(2):
            sock.sendall(REQUEST + b"\r\n")
            answer = sock.recv(65536)
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.endswith(b"hello")
            # Nothing is to happen while this time passes, so there is nothing to wait for.
            gevent.sleep(0.1)

        sock.sendall(REQUEST)
        assert read_all(sock).startswith(b"HTTP/1.1 408 ")


def test_a_view_may_take_longer_than_a_head() -> None:
    app = make_app()

    @app.get("/slow")
    def slow() -> str:
        # Longer than a head may take: the deadline is one of a real socket.
        gevent.sleep(0.1)
        return "done"

    server = Server(app, head_timeout=0.03)
    with served(server, app) as address, connected(address) as sock:
        sock.sendall(REQUEST.replace(b"/ ", b"/slow ") + b"Connection: close\r\n\r\n")

        assert read_all(sock).endswith(b"done")


@pytest.mark.parametrize(
    "fields", [b"X: " + b"x" * 2000 + b"\r\n", b"X: x\r\n" * 90 + b"Y: " + b"y" * 500 + b"\r\n"]
)
def test_header_fields_beyond_the_limit_are_431(fields: bytes) -> None:
    with site(head_size=1024) as address, connected(address) as sock:
        sock.sendall(REQUEST + fields + b"\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")


def test_more_header_fields_than_python_takes_are_431_and_no_traceback(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with site() as address, connected(address) as sock:
        sock.sendall(REQUEST + b"X: 1\r\n" * 200 + b"\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")

    assert "Traceback" not in capfd.readouterr().err + caplog.text


@pytest.mark.parametrize("field", [b"X: a\rContent-Length: 5", b"X: a\0b", b"X: a\r"])
def test_a_field_with_a_bare_carriage_return_or_a_nul_is_400(field: bytes) -> None:
    """Python's parser would begin a new field there, a proxy before it would not."""
    with site() as address, connected(address) as sock:
        sock.sendall(REQUEST + field + b"\r\n\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("field", [b": a", b":", b"X: 1\r\n: a"])
def test_a_field_without_a_name_is_400(field: bytes) -> None:
    """RFC 9112, 5: "field-line = field-name ":" OWS field-value OWS"; a name is not empty"""
    with site() as address, connected(address) as sock:
        sock.sendall(REQUEST + field + b"\r\n\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("target", [b"http://one.test/where?a=b", b"HTTP://one.test/where?a=b"])
def test_a_target_with_a_host_is_about_that_host(target: bytes) -> None:
    """RFC 9112, 3.2.2: "a server MUST accept the absolute-form in requests", and "MUST ignore the
    received Host header field"."""
    with site() as address, connected(address) as sock:
        sock.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: two.test\r\nConnection: close\r\n\r\n")

        answer = read_all(sock)

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nhttp://one.test/where?a=b")


def test_a_target_may_have_no_path() -> None:
    with site() as address, connected(address) as sock:
        sock.sendall(b"GET http://one.test HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

        assert read_all(sock).endswith(b"\r\n\r\nhello")


@pytest.mark.parametrize(
    "target", [b"http:///where", b"ftp://one.test/where", b"http://me@one.test/", b"where:80"]
)
def test_a_target_that_is_neither_is_400(target: bytes) -> None:
    with site() as address, connected(address) as sock:
        sock.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: one.test\r\n\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_a_request_without_a_host_is_400() -> None:
    """RFC 9112, 3.2: "A server MUST respond with a 400 (Bad Request) status code to any HTTP/1.1
    request message that lacks a Host header field"."""
    with site() as address, connected(address) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\n\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 400 Bad Request\r\n")


def test_http_1_0_needs_no_host() -> None:
    with site() as address, connected(address) as sock:
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")

        assert read_all(sock).endswith(b"\r\n\r\nhello")


def test_header_fields_up_to_the_limit_pass() -> None:
    with site(head_size=1024) as address, connected(address) as sock:
        fields = b"Connection: close\r\nX: "
        rest = 1024 - len(b"Host: test\r\n" + fields + b"\r\n\r\n")
        sock.sendall(REQUEST + fields + b"x" * rest + b"\r\n\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 200 ")


def test_a_deadline_of_0_is_none() -> None:
    with site(head_timeout=0) as address, connected(address) as sock:
        sock.sendall(REQUEST + b"Connection: close\r\n")
        # A deadline of 0 s would have struck by then, and nothing tells that there is none.
        gevent.sleep(0.01)
        sock.sendall(b"\r\n")

        assert read_all(sock).startswith(b"HTTP/1.1 200 ")


def test_a_client_that_does_no_tls_handshake_is_let_go(
    certificate: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "greenrelay")
    app = make_app()
    server = make_server(app, certificate)
    server._head_timeout = 0.05
    with served(server, app) as address, connected(address) as sock:
        assert read_all(sock) == b""
        wait_for(lambda: "the TLS handshake took too long" in caplog.text)


def test_the_deadline_of_a_head_holds_over_tls_too(certificate: tuple[str, str]) -> None:
    app = make_app()
    server = make_server(app, certificate)
    server._head_timeout = 0.1
    context = gevent_ssl.SSLContext(gevent_ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate[0])
    with served(server, app) as address, connected(address) as sock:
        tls = context.wrap_socket(sock, server_hostname="127.0.0.1", suppress_ragged_eofs=True)
        tls.sendall(REQUEST)

        assert tls.recv(65536).startswith(b"HTTP/1.1 408 ")
        tls.close()


def test_a_path_cannot_move_the_cursor_of_who_reads_the_access_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "greenrelay.access")
    with site() as address, connected(address) as sock:
        sock.sendall(b"GET /\x1b[2J\x9b HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        read_all(sock)

    (line,) = [each.getMessage() for each in caplog.records if each.name == "greenrelay.access"]
    assert r'"GET /\x1b[2J\x9b HTTP/1.1" ' in line
