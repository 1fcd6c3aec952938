"""A forked child is no server: its parent's sockets stay its parent's.

Source: HTTP, "Servers it must run on".
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import gevent
from flask import Flask
from gevent import socket
from gevent._hub_local import get_hub_if_exists
from gevent.event import Event as Flag
from gevent.os import fork

from greenrelay.http.state import state_of
from greenrelay.transport.server import Server
from tests.probe import assert_receive, wait_for
from tests.relaying import relaying
from tests.serving import dial, http, received, relay_app
from tests.streaming import streaming

# Each is read by one of two processes, so that of so many a second one would get some.
TURNS = 30
ASK = b"GET /me HTTP/1.1\r\nHost: test\r\n\r\n"


@contextmanager
def child_of(work: Callable[[], object]) -> Iterator[str]:
    """Fork a child that does ``work``, then only runs its loop; yields what came of it."""
    mine, theirs = socket.socketpair()
    child = fork()
    if not child:
        try:
            run_the_loop()
            theirs.sendall(str(work()).encode())
            gevent.sleep(3600)
        finally:
            os._exit(1)
    theirs.close()
    mine.settimeout(30)
    try:
        yield mine.recv(1000).decode()
    finally:
        mine.close()
        os.kill(child, signal.SIGKILL)
        # gevent's own wait misses an end now and then on libuv. On libev the loop may be the first.
        with suppress(ChildProcessError):
            while os.waitpid(child, os.WNOHANG) == (0, 0):
                gevent.sleep(0.01)


def run_the_loop() -> None:
    for _ in range(5):
        gevent.sleep(0.01)


def asked(sock: Any) -> str:
    """Return which process answers on a connection that is kept."""
    sock.sendall(ASK)
    return received(sock).decode().rpartition("\n")[2]


def make_app() -> Flask:
    app = Flask("tests.fork")
    app.add_url_rule("/me", view_func=lambda: str(os.getpid()))
    return app


def test_the_parent_alone_accepts_clients_and_reads_what_they_send() -> None:
    me = str(os.getpid())
    with (
        relaying(app=make_app()) as bench,
        bench.connect() as client,
        closing(dial(bench.address)) as kept,
    ):
        bench.joined()
        assert asked(kept) == me

        with child_of(lambda: len(state_of(bench.app).connections)) as found:
            assert found == "0"
            for turn in range(TURNS):
                assert http(bench.address, "/me")[2] == me
                assert asked(kept) == me
                client.send(str(turn))
                sent = assert_receive(bench.target, topic="ws.message").payload["data"]
                assert sent == str(turn)


def test_a_child_that_drains_tells_no_client_of_the_parent() -> None:
    with relaying() as bench, bench.connect() as client, streaming() as other:
        pid = bench.joined()
        with other.listen() as stream:
            other.joined()

            def drain() -> None:
                state_of(bench.app).drain()
                state_of(other.app).drain()

            with child_of(drain):
                bench.node.send(pid, "ws.send", "still here")

                assert client.recv() == "still here"
                other.node.send(other.all_found()[0].pid, "sse.message", "here too")
                assert stream.event().data == "here too"


def test_a_request_that_runs_is_answered_once() -> None:
    app = make_app()
    mine, theirs = socket.socketpair()

    def slow() -> str:
        gevent.sleep(0.1)
        theirs.sendall(b".")
        return "answer"

    app.add_url_rule("/slow", view_func=slow)
    with mine, theirs, relaying(app=app) as bench, closing(dial(bench.address)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        gevent.sleep(0.01)

        with child_of(lambda: mine.recv(1)):
            text = b""
            while data := received(client):
                text += data

            assert text.count(b"HTTP/1.1 200 OK") == 1


def test_a_child_looks_after_no_request_of_its_parent() -> None:
    app, flag = make_app(), Flag()
    app.add_url_rule("/wait", "wait", lambda: str(flag.wait(30)))
    with relaying(app=app) as bench:
        attendance = state_of(app).attendance
        asking = gevent.spawn(http, bench.address, "/wait")
        wait_for(lambda: len(attendance) == 1)

        with child_of(lambda: len(attendance)) as found:
            assert found == "0"
            assert len(attendance) == 1
        flag.set()
        assert asking.get(timeout=30)[2] == "True"


def test_a_server_that_only_listens_is_handed_on() -> None:
    me = str(os.getpid())
    with relay_app("tests.fork") as app:
        app.add_url_rule("/me", view_func=lambda: str(os.getpid()))
        server = Server(app)
        server.listen()
        address = server.url.partition("://")[2]

        with child_of(server.start):
            found = http(address, "/me")[2]

            assert found.isdigit()
            assert found != me
        server.close()


def test_the_path_of_a_unix_socket_stays_when_a_child_closes(tmp_path: Path) -> None:
    with relay_app("tests.fork") as app:
        server = Server(app, path=str(tmp_path / "socket"))
        server.start()

        with child_of(server.close):
            assert (tmp_path / "socket").exists()
        server.close()
        assert not (tmp_path / "socket").exists()


def test_a_fork_makes_no_hub_where_there_was_none() -> None:
    statuses: list[int] = []

    def fork_here() -> None:
        child = os.fork()
        if not child:
            os._exit(get_hub_if_exists() is not None)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

    with relaying() as bench, bench.connect():
        bench.joined()
        thread = threading.Thread(target=fork_here)
        thread.start()
        thread.join()

    assert statuses == [0]
