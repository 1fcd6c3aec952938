"""HTTP: "The request as a process"."""

import gc
import json
import weakref
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from flask import Flask, Response
from gevent import socket
from gevent.event import Event as Flag

from greenrelay import Exit, Timeout, inbox, process, spawn, spawn_linked, spawn_monitored
from greenrelay.http.state import state_of
from greenrelay.runtime.node import Node
from tests.probe import Probe, assert_receive, settle, wait_for, wait_for_ever
from tests.serving import http, relay_app, serving


@pytest.fixture
def app() -> Iterator[Flask]:
    with relay_app(__name__) as app:
        yield app


def node_of(app: Flask) -> Node:
    return state_of(app).node


def test_a_view_has_a_pid_on_the_host_of_its_server(app: Flask) -> None:
    """Each view runs as a process on the host of its server: it has a PID …"""

    @app.get("/a")
    def view() -> Any:
        assert process.pid() == process.pid()
        info = process.info(process.pid())
        assert info is not None
        return {"pid": process.pid(), "host": info.host, "entry": info.entry}

    with serving(app) as address:
        answer = json.loads(http(address, "/a")[2])

        assert answer == {"pid": answer["pid"], "host": "http", "entry": "GET /a"}
        assert answer["pid"] not in node_of(app).processes


def test_a_request_that_asks_for_nothing_is_no_process(app: Flask) -> None:
    """It costs nothing measurable when the view uses none of it …"""
    app.get("/a")(lambda: str(len(node_of(app).processes)))

    with serving(app) as address:
        assert http(address, "/a")[2] == "0"


def test_a_view_may_call_and_receive(app: Flask) -> None:
    """… may ``spawn_linked``, ``monitor``, ``call``, ``receive``"""

    def adder() -> None:
        for message in inbox():
            assert isinstance(message.payload, list)
            process.reply(message, sum(message.payload))

    def sender(to: str) -> None:
        process.send(to, "greeting", "hello")

    @app.get("/a")
    def view() -> Any:
        child = spawn_linked(adder)
        total = process.call(child, "add", [1, 2])
        process.unlink(child)
        process.cancel(child)
        spawn(sender, process.pid())
        greeting = process.receive("greeting", timeout=1)
        watched = spawn_monitored(lambda: "value")
        event = process.receive(timeout=1)
        assert isinstance(event, Exit)
        assert event.pid == watched
        return {"total": total, "greeting": greeting.payload, "value": event.result.value}

    with serving(app) as address:
        answer = json.loads(http(address, "/a")[2])

    assert answer == {"total": 3, "greeting": "hello", "value": "value"}


def test_a_view_may_wait_in_vain(app: Flask) -> None:
    @app.get("/a")
    def view() -> str:
        try:
            process.receive(timeout=0.01)
        except Timeout:
            return "nothing came"
        return "something came"

    with serving(app) as address:
        assert http(address, "/a")[2] == "nothing came"


def test_it_is_listed_while_it_runs(app: Flask) -> None:
    """… and is listed while it runs."""
    go_on = Flag()
    pids: list[str] = []

    @app.get("/a")
    def view() -> str:
        pids.append(process.pid())
        go_on.wait(30)
        return "done"

    with serving(app) as address, Probe(node_of(app)) as probe:
        request = gevent.spawn(http, address, "/a")
        wait_for(lambda: pids)
        assert pids[0] in [info.pid for info in probe.do(process.processes)]
        go_on.set()
        assert request.get()[0] == 200

        assert pids[0] not in [info.pid for info in probe.do(process.processes)]


def test_its_ending_is_told(app: Flask) -> None:
    go_on = Flag()
    pids: list[str] = []

    @app.get("/<how>")
    def view(how: str) -> str:
        pids.append(process.pid())
        go_on.wait(30)
        go_on.clear()
        if how == "crash":
            raise ValueError("out of order")
        return "done"

    with serving(app) as address, Probe(node_of(app)) as probe:
        results = []
        for how in ("fine", "crash"):
            request = gevent.spawn(http, address, f"/{how}")
            wait_for(lambda: pids)
            probe.do(process.monitor, pids.pop())
            go_on.set()
            request.join(30)
            results.append(assert_receive(probe, kind="EXIT").result)

    assert results[0].is_normal
    assert results[1].reason == "ValueError: out of order"
    assert "raise ValueError" in results[1].error.traceback


def test_what_a_crashed_request_linked_ends_with_it(app: Flask) -> None:
    """An exception ends it abnormally; what it linked ends with it."""
    children: list[str] = []

    @app.get("/a")
    def view() -> str:
        children.append(spawn_linked(process.receive, "never"))
        raise ValueError("out of order")

    with serving(app) as address:
        assert http(address, "/a")[0] == 500

        wait_for(lambda: children[0] not in node_of(app).processes)


def test_what_an_answered_request_linked_lives_on(app: Flask) -> None:
    children: list[str] = []

    @app.get("/<status>")
    def view(status: str) -> Any:
        children.append(spawn_linked(process.receive, "never"))
        return "done", int(status)

    with serving(app) as address:
        for status in ("200", "404", "500"):
            assert http(address, f"/{status}")[0] == int(status)
        settle(node_of(app))

        assert all(child in node_of(app).processes for child in children)


@pytest.mark.parametrize("wait", [lambda: process.receive("never"), wait_for_ever])
def test_a_linked_child_that_crashes_gives_503_and_cleans_up(
    app: Flask, wait: Any, caplog: pytest.LogCaptureFixture
) -> None:
    cleaned: list[str] = []
    pids: list[str] = []

    def child() -> None:
        raise ValueError("secret detail")

    @app.teardown_request
    def clean(error: BaseException | None) -> None:
        cleaned.append(type(error).__name__)

    @app.get("/a")
    def view() -> str:
        pids.append(process.pid())
        spawn_linked(child)
        wait()
        return "not reached"

    with serving(app) as address:
        status, _, body = http(address, "/a")

        assert status == 503
        assert "secret" not in body
        assert cleaned == ["ProcessExit"]
        assert pids[0] not in node_of(app).processes
        assert http(address, "/a")[0] == 503


def test_a_view_may_exit(app: Flask) -> None:
    @app.get("/a")
    def view() -> Any:
        process.exit("enough")

    with serving(app) as address:
        assert http(address, "/a")[0] == 503


def test_a_request_can_be_terminated(app: Flask) -> None:
    pids: list[str] = []

    @app.get("/a")
    def view() -> Any:
        pids.append(process.pid())
        process.receive("never")

    with serving(app) as address:
        request = gevent.spawn(http, address, "/a")
        wait_for(lambda: pids)
        node_of(app).terminate(pids[0])

        assert request.get()[0] == 503


def test_two_requests_on_one_connection_have_different_pids(app: Flask) -> None:
    """it ends with the request"""

    @app.get("/a")
    def view() -> str:
        # On the second request of a connection this must not find the first one's process.
        process.send(probe.pid, "request")
        return str(process.pid())

    with serving(app) as address, Probe(node_of(app)) as probe:
        host, _, port = address.rpartition(":")
        with gevent.Timeout(30), socket.create_connection((host, int(port))) as sock:
            answers = []
            for _ in range(2):
                sock.sendall(f"GET /a HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
                answer = b""
                while not answer.endswith(b"}"):
                    answer += sock.recv(65536)
                answers.append(answer.rpartition(b"\r\n\r\n")[2])

        senders = [str(assert_receive(probe, topic="request").sender) for _ in answers]

    assert len(set(answers)) == 2
    assert senders == [answer.decode() for answer in answers]


def test_a_streamed_answer_is_part_of_the_request(app: Flask) -> None:
    go_on = Flag()

    @app.get("/a")
    def view() -> Any:
        mine = process.pid()

        def chunks() -> Iterator[str]:
            yield mine
            go_on.wait(30)
            assert process.pid() == mine
            yield str(process.receive("more", timeout=1).payload)

        return Response(chunks())

    with serving(app) as address:
        request = gevent.spawn(http, address, "/a")
        wait_for(lambda: node_of(app).processes)
        (pid,) = node_of(app).processes
        node_of(app).send(pid, "more", "and more")
        go_on.set()

        assert "and more" in request.get()[2]
        assert pid not in node_of(app).processes


def test_a_client_that_leaves_a_stream_ends_the_request_abnormally(app: Flask) -> None:
    """A client that goes away … cancels it; what it linked ends with it."""
    children: list[str] = []

    @app.get("/a")
    def view() -> Any:
        children.append(spawn_linked(process.receive, "never"))

        def chunks() -> Iterator[bytes]:
            while True:
                yield b"x" * 100_000

        return Response(chunks())

    with serving(app) as address:
        host, _, port = address.rpartition(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(f"GET /a HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
            sock.recv(1000)

        wait_for(lambda: not node_of(app).processes)
        assert children


def test_a_stream_that_fails_ends_the_request_abnormally(app: Flask) -> None:
    children: list[str] = []

    @app.get("/a")
    def view() -> Any:
        children.append(spawn_linked(process.receive, "never"))

        def chunks() -> Iterator[bytes]:
            yield b"one"
            raise ValueError("out of order")

        return Response(chunks())

    with serving(app) as address:
        http(address, "/a")

        wait_for(lambda: children[0] not in node_of(app).processes)


def test_an_answer_of_known_length_ends_the_request_with_its_last_byte(app: Flask) -> None:
    # A test client closes no answer that nobody reads: the next request must not be the same
    # process, nor the test itself.
    app.get("/a")(lambda: str(process.pid()))
    app.get("/b", endpoint="b")(lambda: (str(process.pid()), 204))
    client = app.test_client()

    first, second, third = client.get("/a"), client.get("/a"), client.get("/b")

    assert not node_of(app).processes
    assert first.text != second.text
    assert third.status_code == 204
    with pytest.raises(Exception, match="outside a process"):
        process.pid()


def test_a_request_inside_a_request_is_another_process(app: Flask) -> None:
    @app.get("/inner")
    def inner() -> str:
        return str(process.pid())

    @app.get("/outer")
    def outer() -> Any:
        found = app.test_client().get("/inner").text
        return [found, process.pid()]

    with serving(app) as address:
        inner_pid, outer_pid = json.loads(http(address, "/outer")[2])

    assert inner_pid != outer_pid


def test_a_traceback_that_flask_lets_out_is_whole(app: Flask) -> None:
    app.testing = True

    @app.get("/a")
    def view() -> Any:
        process.pid()
        raise ValueError("out of order")

    with pytest.raises(ValueError, match="out of order") as caught:
        app.test_client().get("/a")

    assert [entry.name for entry in caught.traceback][-1] == "view"
    assert not node_of(app).processes


def test_what_belongs_to_a_request_is_freed_with_it(app: Flask) -> None:

    class Thing:
        pass

    things: list[weakref.ref[Thing]] = []

    @app.get("/a")
    def view() -> str:
        thing = Thing()
        things.append(weakref.ref(thing))
        process.pid()
        return "done"

    with serving(app) as address:
        gc.disable()
        try:
            http(address, "/a")

            assert things[0]() is None
        finally:
            gc.enable()
