from __future__ import annotations

import gc
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from gevent import ssl as gevent_ssl

from greenrelay import spawn
from greenrelay.http.state import state_of
from greenrelay.runtime.process import Process
from greenrelay.transport.connection import Connection
from greenrelay.web import GreenRelay, relay, websocket_relay
from tests.http.views import echo
from tests.probe import wait_for
from tests.serving import WebSocketClient, connected, make_server, serving, stop_at_once


def make_app() -> Flask:
    app = Flask(__name__)
    GreenRelay(app)
    app.get("/ws")(websocket_relay()(lambda: relay(spawn(echo))))
    return app


def trusting(certificate: tuple[str, str]) -> Any:
    context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate[0])
    return context


def connections(app: Flask) -> list[Process]:
    return [p for p in state_of(app).node.processes.values() if isinstance(p, Connection)]


def test_a_relay_speaks_tls(certificate: tuple[str, str]) -> None:
    app = make_app()
    tls = trusting(certificate)

    with (
        serving(app, certificate=certificate) as address,
        connected(address, "/ws", tls=tls, origin=f"https://{address}") as client,
    ):
        for data in ("hello", b"\x00\xff", "x" * 60_000):
            client.send(data)
            assert client.recv() == data
        assert client.close(4000) == (4000, "")


def test_a_tls_client_that_leaves_is_noticed(certificate: tuple[str, str]) -> None:
    app = make_app()

    with serving(app, certificate=certificate) as address:
        with connected(address, "/ws", tls=trusting(certificate)):
            wait_for(lambda: connections(app))

        wait_for(lambda: not state_of(app).node.processes or not connections(app))


def test_a_server_that_kills_its_greenlets_closes_no_socket_that_is_read(
    certificate: tuple[str, str],
) -> None:
    app = make_app()
    server = make_server(app, certificate)
    server.start()
    address = server.url.partition("://")[2]
    try:
        with connected(address, "/ws", tls=trusting(certificate)) as client:
            wait_for(lambda: connections(app))
            (connection,) = connections(app)
            assert isinstance(connection, Connection)

            server.stop(timeout=0)

            wait_for(lambda: not connections(app))
            assert not connection.socket.is_open
            assert client.wait_closed()[0] == 1006
    finally:
        stop_at_once(state_of(app))


@contextmanager
def without_gc() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def left_of(kind: type) -> list[object]:
    return [each for each in gc.get_objects() if type(each) is kind]


def close_cleanly(client: WebSocketClient) -> None:
    client.close()


def drop(client: WebSocketClient) -> None:
    client.drop()


def break_protocol(client: WebSocketClient) -> None:
    client.sock.sendall(b"\x81\x05hello")
    client.wait_closed()


def test_a_connection_that_is_over_is_freed_without_the_garbage_collector() -> None:
    app = make_app()
    with serving(app) as address, without_gc():
        for end in (close_cleanly, drop, break_protocol):
            with connected(address, "/ws") as client:
                client.send("x")
                client.recv()
                assert len(left_of(Connection)) == 1
                end(client)
            wait_for(lambda: not connections(app))
            wait_for(lambda: not left_of(Connection))


def test_a_request_leaves_no_greenlet_behind_its_connection() -> None:
    app = make_app()
    with serving(app) as address, without_gc(), connected(address, "/ws") as client:
        client.send("x")
        client.recv()
        # Its handler ends when the answer has been given, which may be after the echo has come.
        wait_for(lambda: not [e for e in gc.get_objects() if type(e).__name__ == "RelayHandler"])

        names = [type(each).__name__ for each in gc.get_objects() if isinstance(each, Process)]
        assert sorted(names) == ["Connection", "FunctionProcess"]
