"""HTTP, "The request as a process": a client that goes away, or a deadline, cancels it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any

import gevent
import pytest
from flask import Flask, Response, request
from gevent import socket
from gevent import ssl as gevent_ssl
from gevent.event import Event as Flag
from werkzeug.exceptions import ClientDisconnected

from greenrelay import Cancel, inbox, process, spawn_linked
from greenrelay.http.request_body import limit_body
from greenrelay.http.state import state_of
from greenrelay.runtime.node import Node
from tests.probe import Probe, assert_receive, wait_for, wait_for_ever
from tests.serving import http, relay_app, serving


@pytest.fixture
def app() -> Iterator[Flask]:
    with relay_app(__name__) as app:
        yield app


@pytest.fixture
def hurried() -> Iterator[Flask]:
    """An app whose requests may take 50 ms."""
    service = {"name": "gateway", "kind": "http.service", "addr": ":0", "timeouts.handler": "50ms"}
    with relay_app(__name__, [service]) as app:
        yield app


def node_of(app: Flask) -> Node:
    return state_of(app).node


def ask(
    address: str, path: str, *, body: bytes = b"", version: str = "1.1", length: int = 0
) -> Any:
    """Send a request and return the socket; ``length`` is how long the body is said to be."""
    host, _, port = address.rpartition(":")
    sock = socket.create_connection((host, int(port)), timeout=30)
    field = f"Content-Length: {length or len(body)}\r\n" if body else ""
    head = f"{'POST' if body else 'GET'} {path} HTTP/{version}\r\nHost: {address}\r\n{field}\r\n"
    sock.sendall(head.encode() + body)
    return sock


class Trace:
    """What a view has been through."""

    def __init__(self) -> None:
        self.steps: list[str] = []

    @contextmanager
    def of(self, what: str) -> Iterator[None]:
        self.steps.append(f"{what} begins")
        try:
            yield
        except BaseException as error:
            self.steps.append(f"{what}: {type(error).__name__} {error}")
            raise
        self.steps.append(f"{what} is done")


def add_long_view(app: Flask) -> Trace:
    """Add ``/long``, which never answers; return what it goes through."""
    trace = Trace()

    @app.get("/long")
    def view() -> str:
        with trace.of("view"):
            wait_for_ever()
        return "not reached"

    return trace


def add_look(app: Flask) -> Callable[[], None]:
    """Return what a view calls to be looked at: it goes on when another client's leave is seen.

    All requests that run are looked at together, so one that was taken for gone is over by then.
    """
    looked = Flag()

    @app.get("/gone")
    def gone() -> str:
        try:
            wait_for_ever()
        finally:
            looked.set()
        return "not reached"

    def look() -> None:
        looked.clear()
        ask(request.host, "/gone").close()
        assert looked.wait(30)

    return look


# the client leaves


@pytest.mark.parametrize(
    "wait", [wait_for_ever, lambda: Flag().wait(60), lambda: process.receive("never")]
)
def test_a_client_that_disconnects_ends_the_view_and_what_it_linked(app: Flask, wait: Any) -> None:
    """a client that disconnects during a long view ends the view and what it linked …"""
    trace = Trace()
    children: list[str] = []

    @app.get("/long")
    def view() -> str:
        children.append(spawn_linked(process.receive, "never"))
        with trace.of("view"):
            wait()
        return "not reached"

    with serving(app) as address:
        ask(address, "/long").close()

        wait_for(lambda: len(trace.steps) == 2)
        wait_for(lambda: not node_of(app).processes)
        assert "ProcessExit" in trace.steps[1]
        assert children


def test_a_plain_view_is_ended_too(app: Flask) -> None:
    trace = add_long_view(app)

    with serving(app) as address:
        ask(address, "/long").close()

        wait_for(lambda: trace.steps[1:] == ["view: ProcessExit client gone"])
        wait_for(lambda: not node_of(app).processes)


def test_teardown_functions_run_when_the_client_has_left(app: Flask) -> None:
    torn: list[str] = []

    @app.teardown_request
    def tear(error: BaseException | None) -> None:
        torn.append(type(error).__name__)

    app.get("/long")(lambda: str(process.receive("never")))

    with serving(app) as address:
        ask(address, "/long").close()

        wait_for(lambda: torn == ["ProcessExit"])


def test_a_view_that_is_a_process_gets_cancel_and_may_clean_up(app: Flask) -> None:
    """… cancels it"""
    events: list[Any] = []

    @app.get("/long")
    def view() -> str:
        for _ in inbox():
            pass
        events.append("the loop ended")
        return "nobody reads this"

    @app.get("/event", endpoint="event")
    def other() -> str:
        events.append(process.receive())
        return "nobody reads this"

    with serving(app) as address:
        ask(address, "/long").close()
        wait_for(lambda: events == ["the loop ended"])

        ask(address, "/event").close()
        wait_for(lambda: len(events) == 2)
        assert isinstance(events[1], Cancel)
        assert (events[1].sender, events[1].reason) == (None, "client gone")
        wait_for(lambda: not node_of(app).processes)


def test_what_a_view_linked_ends_even_if_it_ends_in_time(app: Flask) -> None:
    children: list[str] = []

    @app.get("/long")
    def view() -> str:
        children.append(spawn_linked(process.receive, "never"))
        for _ in inbox():
            pass
        return "nobody reads this"

    with serving(app) as address, Probe(node_of(app)) as probe:
        sock = ask(address, "/long")
        wait_for(lambda: children)
        probe.do(process.monitor, children[0])
        sock.close()

        assert assert_receive(probe, kind="EXIT").result.reason == "client gone"


def test_a_client_that_leaves_amid_its_body_ends_what_the_view_linked(app: Flask) -> None:
    children: list[str] = []

    @app.post("/upload")
    def view() -> str:
        children.append(spawn_linked(process.receive, "never"))
        return f"{len(request.get_data())}"

    with serving(app) as address, Probe(node_of(app)) as probe:
        sock = ask(address, "/upload", body=b"abc", length=10)
        wait_for(lambda: children)
        probe.do(process.monitor, children[0])
        sock.close()

        assert assert_receive(probe, kind="EXIT").result.reason == "client gone"


def test_a_body_that_ends_too_early_is_not_taken_for_a_whole_one() -> None:
    """Some servers raise nothing where a client has left amid its body."""
    short: dict[str, Any] = {"CONTENT_LENGTH": "10", "wsgi.input": BytesIO(b"one\ntwo")}
    environs = [{**short, "wsgi.input": BytesIO(b"one\ntwo")} for _ in range(4)]
    for environ, limit in zip(environs, (None, 10, 5000, 5000), strict=True):
        limit_body(environ, limit)
    bodies = [environ["wsgi.input"] for environ in environs]

    assert bodies[3].read(4) == b"one\n"
    for body, read in zip(bodies, ("read", "readlines", "read", "read"), strict=True):
        with pytest.raises(ClientDisconnected):
            getattr(body, read)()


@pytest.mark.parametrize("limit", [None, 7, 5000])
def test_a_body_is_whole_with_the_length_it_was_said_to_have(limit: int | None) -> None:
    environs: list[dict[str, Any]] = [
        {"CONTENT_LENGTH": "7", "wsgi.input": BytesIO(b"one\ntwo")} for _ in range(3)
    ]
    for environ in environs:
        limit_body(environ, limit)
    whole, lines, parts = (environ["wsgi.input"] for environ in environs)

    assert (whole.read(), whole.read()) == (b"one\ntwo", b"")
    assert (list(lines), lines.readline()) == ([b"one\n", b"two"], b"")
    assert parts.readline(0) == b""
    assert [parts.read(size) for size in (0, 5, 2, 5)] == [b"", b"one\nt", b"wo", b""]


def test_a_stream_that_waits_ends_when_its_client_leaves(
    app: Flask, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = Trace()

    @app.get("/stream")
    def view() -> Response:
        def chunks() -> Iterator[str]:
            yield "first"
            with trace.of("stream"):
                wait_for_ever()

        return Response(chunks())

    with serving(app) as address:
        sock = ask(address, "/stream")
        wait_for(lambda: trace.steps)
        sock.close()

        wait_for(lambda: trace.steps[1:] == ["stream: ProcessExit client gone"])
        wait_for(lambda: not node_of(app).processes)
    assert "Traceback" not in capsys.readouterr().err + caplog.text


def test_a_departure_is_seen_over_tls(app: Flask, certificate: tuple[str, str]) -> None:
    trace = add_long_view(app)

    context = gevent_ssl.SSLContext(gevent_ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate[0])
    with serving(app, certificate=certificate) as address:
        host, _, port = address.rpartition(":")
        plain = socket.create_connection((host, int(port)), timeout=30)
        tls = context.wrap_socket(plain, server_hostname=host)
        tls.sendall(f"GET /long HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        wait_for(lambda: trace.steps)
        tls.close()

        wait_for(lambda: len(trace.steps) == 2)


# the client stays


def test_pipelined_requests_are_no_departure_and_are_answered(app: Flask) -> None:
    look = add_look(app)

    @app.get("/<which>")
    def view(which: str) -> str:
        # With the next request unread in the socket.
        look()
        return f"answer {which}"

    with serving(app) as address, ask(address, "/one") as sock:
        sock.sendall(f"GET /two HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data

    assert b"answer one" in answer
    assert answer.endswith(b"answer two")
    assert not len(state_of(app).attendance)


def test_a_departure_behind_pipelined_requests_is_seen(app: Flask) -> None:
    trace = Trace()

    @app.get("/<which>")
    def view(which: str) -> str:
        with trace.of(which):
            wait_for_ever()
        return "not reached"

    with serving(app) as address:
        sock = ask(address, "/one")
        sock.sendall(f"GET /two HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        sock.close()

        wait_for(lambda: "one: ProcessExit client gone" in trace.steps)


def test_a_body_that_nobody_has_read_is_no_departure(app: Flask) -> None:
    look = add_look(app)

    @app.post("/late")
    def view() -> str:
        look()
        return request.get_data(as_text=True)

    with serving(app) as address, ask(address, "/late", body=b"the body") as sock:
        assert sock.recv(65536).endswith(b"the body")


def test_nothing_is_kept_of_requests_that_are_over(app: Flask) -> None:
    app.get("/a")(lambda: "a")

    with serving(app) as address:
        assert http(address, "/a")[2] == "a"

        assert not len(state_of(app).attendance)


# the deadline


def test_a_request_that_takes_longer_than_its_deadline_is_answered_503(
    hurried: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    """``timeouts.handler``: … or a deadline, cancels it"""
    trace = add_long_view(hurried)

    with serving(hurried) as address:
        status, _, body = http(address, "/long")

    assert (status, body) == (503, "This request took longer than the server allows.\n")
    assert trace.steps[1] == "view: ProcessExit request timeout"
    assert "GET /long took longer than timeouts.handler" in caplog.text


def test_a_view_that_heeds_cancel_may_answer_after_its_deadline(hurried: Flask) -> None:
    @hurried.get("/long")
    def view() -> str:
        for _ in inbox():
            pass
        return "so far"

    with serving(hurried) as address:
        assert http(address, "/long")[2] == "so far"


def test_a_stream_beyond_its_deadline_is_cut_off(
    hurried: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    @hurried.get("/stream")
    def view() -> Response:
        def chunks() -> Iterator[str]:
            while True:
                yield "chunk"
                # Others run meanwhile, as the server does that is to cut it off.
                gevent.sleep(0.01)

        return Response(chunks())

    with serving(hurried) as address, ask(address, "/stream") as sock:
        answer = b""
        while data := sock.recv(65536):
            answer += data

    assert answer.startswith(b"HTTP/1.1 200 ")
    # A client can tell that there is something missing.
    assert not answer.endswith(b"0\r\n\r\n")
    assert "Traceback" not in caplog.text


def test_a_request_within_its_deadline_is_left_alone(hurried: Flask) -> None:
    hurried.get("/a")(lambda: "done")

    with serving(hurried) as address:
        assert http(address, "/a")[0] == 200
