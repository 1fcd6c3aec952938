"""WebSocket Relay: "Endings and close codes", every row."""

import logging
from time import time
from typing import Any

import gevent
import pytest
from websockets.frames import Opcode

from greenrelay import inbox, process, spawn
from greenrelay.core.events import Result
from greenrelay.core.pid import Pid
from greenrelay.http.state import state_of
from greenrelay.testing import VirtualClock
from greenrelay.transport import life
from greenrelay.web import Actor, act_as, relay
from tests.probe import Probe, assert_receive, settle, wait_for
from tests.relayed import COUNT
from tests.relaying import Bench, relaying
from tests.serving import WebSocketClient


class Watched:
    """One client and the EXIT of its connection."""

    def __init__(self, bench: Bench, watcher: Probe) -> None:
        self.bench = bench
        self.watcher = watcher
        self.client_pid = bench.joined()
        watcher.do(process.monitor, self.client_pid)

    def leave(self) -> dict[str, Any]:
        """Return code, reason and cleanliness of the one ws.leave."""
        payload = assert_receive(self.bench.target, topic="ws.leave").payload
        return {key: payload[key] for key in ("code", "reason", "clean")}

    def result(self) -> Result:
        """Return how the connection ended."""
        result: Result = assert_receive(self.watcher, kind="EXIT").result
        return result


def assert_ended(watched: Watched, code: int, reason: str, *, clean: bool) -> None:
    assert watched.leave() == {"code": code, "reason": reason, "clean": clean}
    result = watched.result()
    assert result.is_normal is clean
    assert result.value["code"] == code  # type: ignore[index]
    assert result.value["clean"] is clean  # type: ignore[index]
    if not clean:
        assert result.reason == reason
    settle(watched.bench.node)
    assert not [i for i in watched.bench.target.items if getattr(i, "topic", "") == "ws.leave"]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_a_client_that_closes_gets_its_code_back(code: int) -> None:
    """client closes: echo of its code; clean, its code and reason"""
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)

        assert client.close(code, "so long")[0] == code
        assert_ended(watched, code, "so long", clean=True)


def test_a_close_frame_without_a_code_is_echoed_without_one() -> None:
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        client.sock.sendall(b"\x88\x80\0\0\0\0")
        frame = client.frame()

        assert frame is not None
        assert (frame.opcode, bytes(frame.data)) == (Opcode.CLOSE, b"")
        assert_ended(watched, 1005, "", clean=True)


def ending_target(how: str) -> Any:
    def target() -> None:
        for message in inbox():
            if message.topic == "ws.message":
                if how == "crash":
                    raise ValueError("secret detail")
                if how == "exit":
                    process.exit("out of order")
                return

    return lambda bench: relay(spawn(target))


@pytest.mark.parametrize(
    ("how", "closed"),
    [
        ("return", (1000, "target exited")),
        ("crash", (1011, "target failed")),
        ("exit", (1011, "target failed")),
    ],
)
def test_a_target_that_ends_closes_the_connection(how: str, closed: tuple[int, str]) -> None:
    """target ends normally: 1000 ``target exited``; target ends abnormally: 1011
    ``target failed`` (no traceback); clean"""
    with (
        relaying(ending_target(how)) as bench,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        wait_for(bench.connections)
        watcher.do(process.monitor, bench.connections()[0].pid)
        client.send("now")

        assert client.wait_closed() == closed
        result = assert_receive(watcher, kind="EXIT").result
        assert result.is_normal
        assert (result.value["code"], result.value["reason"]) == closed


def test_no_traceback_is_on_the_wire() -> None:
    """(no traceback)"""
    with relaying(ending_target("crash")) as bench, bench.connect() as client:
        client.send("now")
        received = b""
        while data := client.sock.recv(65536):
            received += data
            client.protocol.receive_data(data)
            client._flush()

        assert received == b"\x88\x0f\x03\xf3target failed"


@pytest.mark.parametrize("end", [process.terminate, process.cancel])
def test_a_target_that_is_ended_closes_the_connection(end: Any) -> None:
    with (
        relaying(lambda b: relay(spawn(process.receive, "never"))) as bench,
        bench.connect() as client,
    ):
        wait_for(bench.connections)
        target = bench.connections()[0].session.target_pid
        bench.target.do(end, target, **({"deadline": 0.01} if end is process.cancel else {}))

        assert client.wait_closed() == (1011, "target failed")


def test_a_server_that_drains_closes_with_1012() -> None:
    """server drains or stops: 1012 (``wsrelay.drain.code``); clean, reason ``drain``"""
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        draining = gevent.spawn(state_of(bench.app).drain)

        assert client.wait_closed() == (1012, "drain")
        draining.join(30)
        assert draining.successful()
        assert_ended(watched, 1012, "drain", clean=True)


def test_the_code_and_the_period_of_a_drain_are_options() -> None:
    """``wsrelay.drain.code``, ``wsrelay.drain.period``"""
    with (
        relaying(drain_code=1001, drain_period="50ms") as bench,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        watched = Watched(bench, watcher)

        # The client reads nothing, so it is dropped at the end of the period.
        state_of(bench.app).drain()

        assert watched.leave()["code"] == 1006
        assert client.wait_closed() == (1001, "drain")


def test_a_drain_closes_everybody() -> None:
    with relaying() as bench:
        clients = [WebSocketClient(bench.address, "/ws") for _ in range(20)]
        for _ in clients:
            bench.joined()
        readers = [gevent.spawn(client.wait_closed) for client in clients]

        state_of(bench.app).drain()

        assert bench.connections() == []
        gevent.joinall(readers, timeout=30)
        assert {reader.value for reader in readers} == {(1012, "drain")}


VIOLATIONS = [
    (b"\x81\x05hello", 1002, "frame from the client is not masked"),
    (b"\xc1\x80\0\0\0\0", 1002, "reserved bit set without an extension"),
    (b"\x83\x80\0\0\0\0", 1002, "opcode 3 is not defined"),
    (b"\x80\x80\0\0\0\0", 1002, "continuation frame without a message to continue"),
    (b"\x09\x80\0\0\0\0", 1002, "control frame is fragmented"),
    (b"\x88\x82\0\0\0\0\x03\xed", 1002, "close code 1005 is not allowed"),
    (b"\x88\x81\0\0\0\0\x03", 1002, "close frame with a payload of 1 byte"),
    (b"\x81\x81\0\0\0\0\xff", 1007, "text is not UTF-8: invalid start byte"),
    (b"\x82\xfe\x00\x81\0\0\0\0", 1009, "message of 129 bytes is over 128"),
]


@pytest.mark.parametrize(("frame", "code", "reason"), VIOLATIONS)
def test_a_client_that_breaks_the_protocol_is_told_the_code_and_ends_abnormally(
    frame: bytes, code: int, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """protocol error / bad UTF-8 / too big: 1002 / 1007 / 1009; abnormal"""
    with (
        relaying(max_message_size=128) as bench,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        watched = Watched(bench, watcher)
        client.sock.sendall(frame)

        assert client.wait_closed() == (code, reason)
        assert_ended(watched, code, reason, clean=False)
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        f"{watched.client_pid}: closed with {code}: {reason}"
    ]


def test_messages_before_a_violation_are_delivered() -> None:
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        client.protocol.send_text(b"fine")
        (data,) = client.protocol.data_to_send()
        client.sock.sendall(data + b"\x81\x05hello")

        assert assert_receive(bench.target, topic="ws.message").payload["data"] == "fine"
        assert assert_receive(bench.target, topic="ws.leave").payload["code"] == 1002


def test_a_rate_limit_closes_with_1008() -> None:
    """rate limit …: 1008; abnormal. ``wsrelay.rate.messages`` … beyond it 1008"""
    with (
        relaying(rate_messages=3) as bench,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        watched = Watched(bench, watcher)
        for number in range(5):
            client.protocol.send_text(str(number).encode())
        client._flush()

        assert client.wait_closed() == (1008, "rate limit")
        assert_ended(watched, 1008, "rate limit", clean=False)
        data = [item.payload["data"] for item in bench.target.items]  # type: ignore[union-attr, index]
        assert data == ["0", "1", "2"]


def test_a_rate_of_bytes_closes_with_1008() -> None:
    """``wsrelay.rate.bytes`` … per second with equal burst"""
    with relaying(rate_bytes=100) as bench, bench.connect() as client:
        bench.joined()
        client.send(b"x" * 101)

        assert client.wait_closed() == (1008, "rate limit")


def test_an_identity_that_has_expired_closes_with_1008_and_is_abnormal() -> None:
    """expired identity: 1008; abnormal"""

    def view(bench: Bench) -> Any:
        act_as(Actor("ada", expires_at=time() + 20))
        return relay(bench.target.pid)

    with (
        relaying(view) as bench,
        VirtualClock(bench.node) as clock,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        watched = Watched(bench, watcher)
        clock.advance("20s")

        assert client.wait_closed() == (1008, "actor expired")
        assert_ended(watched, 1008, "actor expired", clean=False)


def test_a_client_that_still_reads_what_was_queued_has_time_to_answer() -> None:
    """what was queued before is sent first"""
    with (
        relaying(queue_messages=1000, queue_bytes="64MiB") as bench,
        VirtualClock(bench.node) as clock,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        watched = Watched(bench, watcher)
        connection = bench.connection(watched.client_pid)
        bench.send_numbers(watched.client_pid)
        assert connection.depth() > COUNT / 4
        bench.node.send(watched.client_pid, "ws.close", "that was all")
        written = connection.socket.bytes_out
        read = 0
        while connection.socket.bytes_out == written:
            read += client.recv() is not None

        clock.advance(life.CLOSE_TIMEOUT)

        assert connection.depth()
        assert [client.recv() is None for _ in range(COUNT - read)] == [False] * (COUNT - read)
        assert client.wait_closed() == (1000, "that was all")
        assert_ended(watched, 1000, "that was all", clean=True)


def test_a_client_that_reads_what_was_queued_too_slowly_is_dropped_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(life, "LONGEST_CLOSE", 2 * life.CLOSE_TIMEOUT)
    with (
        relaying(queue_messages=1000, queue_bytes="64MiB") as bench,
        VirtualClock(bench.node) as clock,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        watched = Watched(bench, watcher)
        connection = bench.connection(watched.client_pid)
        bench.send_numbers(watched.client_pid)
        bench.node.send(watched.client_pid, "ws.close", "that was all")
        for _ in range(2):
            written = connection.socket.bytes_out
            while connection.socket.bytes_out == written:
                assert client.recv() is not None
            assert connection.depth()
            clock.advance(life.CLOSE_TIMEOUT)

        reason = "the client did not answer the closing handshake (1000 that was all)"
        assert_ended(watched, 1006, reason, clean=False)


def test_a_client_that_does_not_answer_the_close_frame_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(life, "CLOSE_TIMEOUT", 0.02)
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        bench.target.do(process.send, watched.client_pid, "ws.close", {"code": 4001, "reason": "x"})

        reason = "the client did not answer the closing handshake (4001 x)"
        assert_ended(watched, 1006, reason, clean=False)
        assert client.wait_closed() == (4001, "x")


def test_a_client_that_leaves_when_it_is_closed_leaves_the_cause_in_the_reason() -> None:
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        bench.target.do(process.send, watched.client_pid, "ws.close", {"code": 4001})
        client.drop()

        leave = watched.leave()
        assert leave["code"] == 1006
        assert leave["reason"].endswith(" during the closing handshake (4001)")


def test_messages_during_the_closing_handshake_are_not_delivered() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.send, client_pid, "ws.close", "enough")
        client.send("too late")
        client.wait_closed()

        assert assert_receive(bench.target).topic == "ws.leave"


def test_both_sides_may_close_at_once() -> None:
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        client.protocol.send_close(4000, "client")
        bench.target.do(process.send, watched.client_pid, "ws.close", "server")
        client._flush()
        client.wait_closed()

        assert_ended(watched, 1000, "server", clean=True)


def test_a_target_that_ends_while_messages_are_in_flight_ends_the_connection_once() -> None:
    def target() -> None:
        for _ in range(5):
            process.receive("ws.message")

    with relaying(lambda b: relay(spawn(target))) as bench, bench.connect() as client:
        for number in range(500):
            client.protocol.send_text(str(number).encode())
        client._flush()

        assert client.wait_closed() == (1000, "target exited")
    assert bench.connections() == []


def test_an_error_of_ours_ends_the_connection_and_spares_the_hub(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        # A topic that no code of ours would set.
        bench.connection(watched.client_pid).session.message_topic = "@broken"
        client.send("x")

        assert client.wait_closed() == (1011, "internal error")
        assert_ended(watched, 1011, "internal error", clean=False)
    assert "ReservedTopic" in caplog.text


def test_the_pid_in_the_log_is_that_of_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="greenrelay.transport")
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.close(4000, "bye")
        bench.wait_gone(client_pid)

    lines = [r.getMessage() for r in caplog.records if r.name == "greenrelay.transport"]
    assert len(lines) == 2
    assert lines[0].startswith(f"{client_pid} opened: path=/ws client=127.0.0.1 target=")
    assert lines[1].startswith(f"{client_pid} closed: code=4000 clean=True duration=")
    assert isinstance(client_pid, Pid)
