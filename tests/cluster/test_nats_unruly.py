"""The client of NATS and servers that misbehave: written by hand, or real ones that stand still."""

from __future__ import annotations

import json
import os
import signal
import ssl
import struct
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket as gevent_socket
from gevent import ssl as gevent_ssl
from gevent.event import Event as Flag

from greenrelay.cluster.address import parse_address
from greenrelay.cluster.engine import Member
from greenrelay.cluster.nats.client import Client
from greenrelay.cluster.nats.connector import Connector, Patience
from greenrelay.cluster.nats.dial import Line, ServerInfo
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.nats.outbox import MAX_COMMANDS
from greenrelay.cluster.nats.parser import Parser
from greenrelay.cluster.nats.subjects import connection_name
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.errors import EngineError
from tests.addresses import not_answering, two_addresses
from tests.certificate import certificate_in
from tests.cluster.conftest import joining
from tests.cluster.recorder import Join, Node, Recorder, meet, owning
from tests.cluster.test_nats_client import Connect, Owner, connect, serving
from tests.cluster.test_nats_cluster import is_claimed, servers
from tests.cluster.test_nats_failures import keeper_of
from tests.probe import wait_for

__all__ = ["connect", "servers"]

# A connection that is closed with it is reset.
RESET = struct.pack("ii", 1, 0)
FULL = 7 * [b"x" * 1_000_000]


def engine_of(node: Node) -> NatsEngine:
    assert isinstance(node.engine, NatsEngine)
    return node.engine


def shake_hands(sock: Any) -> None:
    """Take a client that has been told who the server is."""
    received = b""
    while b"PING\r\n" not in received:
        received += sock.recv(65536)
    sock.sendall(b"PONG\r\n")


def test_the_reset_of_a_connection_with_tls_stops_neither_reader_nor_writer(
    connect: Connect, tmp_path: Path
) -> None:
    """an engine restart or fail-over loses nothing while both nodes live"""
    cert, key = certificate_in(tmp_path)
    context = gevent_ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    lives, received, is_enough = 0, bytearray(), Flag()

    def serve(plain: gevent_socket.socket, _: object) -> None:
        nonlocal lives
        plain.sendall(b'INFO {"version":"2.12.0","tls_required":true}\r\n')
        with context.wrap_socket(plain, server_side=True) as sock:
            shake_hands(sock)
            lives += 1
            if lives == 1:
                is_enough.wait()
                sock.setsockopt(gevent_socket.SOL_SOCKET, gevent_socket.SO_LINGER, RESET)
                return
            while data := sock.recv(65536):
                received.extend(data)

    with serving(serve) as port:
        client = connect(f"tls://127.0.0.1:{port}?ca={cert}")
        assert all([client.publish(b"x", data) for data in FULL])
        # The writer has it all, and waits for the server to take it.
        wait_for(lambda: client.outbox.is_empty)
        is_enough.set()
        wait_for(lambda: lives == 2 and client.is_connected)

        assert client.publish(b"y", b"again")

        wait_for(lambda: b"PUB y 5\r\nagain\r\n" in received)
        client.stop()


def silent(sock: gevent_socket.socket, _: object) -> None:
    """Take a connection and say nothing."""
    while sock.recv(65536):
        pass


def test_a_name_none_of_whose_addresses_answers_is_not_waited_for(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        not_answering() as gone,
        serving(silent) as port,
        two_addresses(monkeypatch, gone, ("127.0.0.1", port)) as name,
        gevent.Timeout(20),
        pytest.raises(EngineError, match=r"several\.example:1: no answer within 0\.5 s"),
    ):
        connect(f"nats://{name}:1")


def test_the_other_address_of_a_name_is_tried(
    nats_server: DevelopmentServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("127.0.0.1", nats_server.port)
    with not_answering() as gone, two_addresses(monkeypatch, gone, where) as name:
        for _ in range(3):
            assert connect(nats_server.url.replace("127.0.0.1", name)).is_connected


def test_a_server_that_tells_of_what_is_no_host_is_connected_with_again(connect: Connect) -> None:
    lives = 0

    def serve(sock: gevent_socket.socket, _: object) -> None:
        nonlocal lives
        lives += 1
        sock.sendall(b'INFO {"version":"2.12.0","connect_urls":["a..b:1","\\u00fc:1",".:1"]}\r\n')
        shake_hands(sock)
        if lives > 3:
            silent(sock, _)

    with serving(serve) as port:
        client = connect(f"nats://127.0.0.1:{port}")

        wait_for(lambda: lives == 4 and client.is_connected)
        client.stop()


def a_line() -> Line:
    return Line(gevent_socket.socket(), ("a", 1), ServerInfo(), Parser(), peer=("10.0.0.1", 1))


def test_connections_that_break_at_once_are_made_with_more_and_more_patience() -> None:
    patience = Patience(first_backoff=0.001, max_backoff=0.008, calm=60.0)
    connector = Connector(parse_address("nats://a:1"), patience, lambda server: a_line())
    line = connector.first()

    backoffs = []
    for _ in range(5):
        line.sock.close()
        line = connector.again(line)
        backoffs.append(connector._backoff)
    line.sock.close()
    connector._connected_at = -100.0
    connector.again(line).sock.close()

    # What the next one would wait for.
    assert backoffs == [0.002, 0.004, 0.008, 0.008, 0.008]
    assert connector._backoff == 0.002


def test_a_server_that_has_failed_is_tried_after_all_others() -> None:
    tried: list[str] = []

    def dial(server: tuple[str, int]) -> Line:
        tried.append(server[0])
        if server[0] == "c":
            raise OSError("it is away")
        return a_line()

    patience = Patience(first_backoff=0.001, max_backoff=0.001)
    connector = Connector(parse_address("nats://a:1,b:1,c:1"), patience, dial)
    connector.learn(ServerInfo(connect_urls=("10.0.0.1:1", "10.0.0.2:1")))

    for _ in range(20):
        lost = a_line()
        lost.sock.close()
        connector.again(lost).sock.close()

    assert tried.count("c") <= 1
    assert set(tried) <= {"b", "c", "10.0.0.2"}


def test_the_patience_of_a_caller_may_end_before_that_of_a_request(connect: Connect) -> None:
    client, deaf = connect(), connect()
    deaf.subscribe(b"deaf.again", lambda message: None)
    deaf.flush(5)

    with pytest.raises(gevent.Timeout), gevent.Timeout(0.05):
        client.request(b"deaf.again", b"", timeout=30)


def test_a_node_stops_while_its_server_stands_still(app: str) -> None:
    with DevelopmentServer() as server:
        engine = NatsEngine(parse_address(server.url), app)
        engine.start(Member("a", "i1"), Recorder())
        assert engine.claim("n", "pa") == "pa"
        os.kill(server.pid, signal.SIGSTOP)

        engine.stop()

        os.kill(server.pid, signal.SIGCONT)
        assert not engine._client.is_connected
        assert engine._client._greenlets == []


@pytest.fixture
def join_three(servers: list[DevelopmentServer], app: str) -> Iterator[Join]:
    """Start an engine that knows all servers of a cluster."""
    where = ",".join(f"127.0.0.1:{server.port}" for server in servers)
    yield from joining(lambda: NatsEngine(parse_address(f"nats://{where}"), app))


def test_nodes_leave_a_server_that_stands_still_before_the_others_miss_them(
    servers: list[DevelopmentServer], join_three: Join
) -> None:
    """an engine restart or fail-over loses nothing while both nodes live"""
    a, *others = nodes = [join_three(name) for name in "abc"]
    meet(*nodes)
    line = engine_of(a)._client._line
    assert line is not None
    victim = next(each for each in servers if each.port == line.server[1])

    os.kill(victim.pid, signal.SIGSTOP)
    try:
        a.sink.wait_told("engine", True)
        wait_for(lambda: a.engine.send("b", b"x") and others[0].sink.frames)
    finally:
        os.kill(victim.pid, signal.SIGCONT)

    assert [told for node in nodes for told in node.sink.told if told[0] == "down"] == []


@pytest.fixture
def join_short(nats_server: DevelopmentServer, app: str) -> Iterator[Join]:
    """Start an engine whose lease is short."""
    address = parse_address(nats_server.url + "?lease=8s")
    yield from joining(lambda: NatsEngine(address, app))


def test_names_come_back_after_somebody_has_deleted_their_bucket(join_short: Join) -> None:
    a, b = owning(join_short)
    bucket = keeper_of(a).bucket

    assert bucket.call(f"STREAM.DELETE.{bucket.stream}", b"").error is None

    wait_for(lambda: bucket.call(f"STREAM.INFO.{bucket.stream}", b"").error is None)
    wait_for(lambda: is_claimed(b.engine.claim, "m"))
    assert a.engine.holds("n", "pa")
    assert b.engine.claim("n", "pb") == "pa"
    assert ("n", None) not in a.sink.names


def test_a_renewal_that_nobody_answers_is_tried_again_while_the_lease_lasts(
    connect: Connect, join_short: Join
) -> None:
    """an owner that loses its lease is told, and lets go before the lease ends"""
    a, deaf = join_short("a"), connect()
    assert a.engine.claim("n", "pa") == "pa"
    bucket = keeper_of(a).bucket
    renewals: list[bytes] = []
    # It takes the place of a leader that is gone, and whose connection is not.
    deaf.subscribe(bucket.prefix.encode() + b"l.>", lambda found: renewals.append(found[1]))
    assert bucket.call(f"STREAM.DELETE.{bucket.stream}", b"").error is None
    deaf.flush(5)
    renewals.clear()

    wait_for(lambda: ("n", None) in a.sink.names)

    assert len(renewals) >= 2
    assert len(set(renewals)) == 1
    assert a.engine.counters["names: failures"] >= 1


def test_forged_news_of_a_death_neither_kill_nor_take_all_requests(
    connect: Connect, join_nats: Join, app: str
) -> None:
    """Every queue is bounded"""
    a, b, forger = join_nats("a"), join_nats("b"), connect()
    meet(a, b)
    name = connection_name(app, Member("b", "i1"))
    news = json.dumps({"client": {"name": name}, "reason": "Client Closed"}).encode()
    probes = engine_of(a)._membership._probes

    for _ in range(5_000):
        assert forger.publish(b"$SYS.ACCOUNT.Z.DISCONNECT", news)
    forger.publish(b"$SYS.ACCOUNT.Z.DISCONNECT", b"the last")
    wait_for(lambda: a.engine.counters["unknown event"])

    # One each 25 ms, for a second each.
    assert 0 < len(probes) <= 50
    assert a.engine.counters["too many requests"] == 0
    assert a.engine.nodes() == (Member("b", "i1"),)


def test_a_server_that_asks_and_takes_no_answer_is_left(connect: Connect) -> None:
    """Every queue is bounded"""
    lives = 0

    def serve(sock: gevent_socket.socket, _: object) -> None:
        nonlocal lives
        lives += 1
        sock.sendall(b'INFO {"version":"2.12.0"}\r\n')
        shake_hands(sock)
        with suppress(OSError):
            while lives == 1:
                sock.sendall(b"PING\r\n" * 10_000)
                gevent.sleep(0)
            silent(sock, _)

    with serving(serve) as port:
        client = connect(f"nats://127.0.0.1:{port}")
        wait_for(lambda: lives == 2 and client.is_connected)
        told = client._owner.told  # type: ignore[attr-defined]
        client.stop()

    assert told == ["up", "the server takes nothing", "up"]
    assert len(client.outbox._commands) < MAX_COMMANDS


class Failing(Owner):
    """It makes an error of each thing it is told, but the first."""

    def on_up(self) -> None:
        super().on_up()
        if len(self.told) > 1:
            raise LookupError("of an owner")

    def on_down(self, why: str) -> None:
        super().on_down(why)
        raise LookupError("of an owner")


def test_an_owner_that_fails_does_not_end_who_connects_again(
    nats_server: DevelopmentServer, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Failing()
    client = Client(parse_address(nats_server.url), owner)
    client.start()

    client.reconnect("of a test")
    wait_for(lambda: client.is_connected and len(owner.told) == 3)
    client.reconnect("of a test")
    wait_for(lambda: client.is_connected and len(owner.told) == 5)
    client.stop()

    assert owner.told == ["up", "of a test", "up", "of a test", "up"]
    assert client.counters["handler failed"] == 4
    assert "LookupError: of an owner" in caplog.text
