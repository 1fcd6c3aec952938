"""WebSocket Relay: pings, and clients that are lost."""

import struct
from socket import SO_LINGER, SOL_SOCKET
from time import sleep

import pytest
from websockets.frames import Opcode

from greenrelay.testing import VirtualClock
from tests.probe import Probe, settle, wait_for
from tests.relaying import relaying
from tests.serving import WebSocketClient
from tests.spec.test_relay_endings import Watched, assert_ended


def test_a_lost_tcp_connection_is_1006_and_abnormal() -> None:
    """TCP lost: 1006 seen; abnormal, reason says which"""
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        client.drop()

        assert_ended(watched, 1006, "connection closed by the client", clean=False)


def test_a_reset_is_1006_and_says_so() -> None:
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        watched = Watched(bench, watcher)
        reset(client)

        assert_ended(watched, 1006, "connection lost: Connection reset by peer", clean=False)


def reset(client: WebSocketClient) -> None:
    client.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.drop()


def test_a_silent_client_is_closed_with_1011() -> None:
    """no pong in time: 1011 ``keepalive``; abnormal"""
    with (
        relaying(ping_interval=0.03, ping_timeout=0.03) as bench,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        watched = Watched(bench, watcher)
        bench.wait_gone(watched.client_pid)

        assert_ended(watched, 1011, "keepalive", clean=False)
        assert client.wait_closed() == (1011, "keepalive")


def test_a_client_that_answers_pings_stays() -> None:
    """protocol pings"""
    with relaying(ping_interval=0.01, ping_timeout=0.01) as bench, bench.connect() as client:
        bench.joined()

        for _ in range(10):
            frame = client.frame()
            assert frame is not None
            assert frame.opcode is Opcode.PING
        client.close()


def test_an_answer_may_take_longer_than_an_interval() -> None:
    """protocol pings; a dead peer is gone within interval and timeout"""
    with (
        relaying(ping_interval=10, ping_timeout=30) as bench,
        VirtualClock(bench.node) as clock,
        bench.connect() as client,
    ):
        client_pid = bench.joined()
        pulse = bench.connection(client_pid)._pulse
        clock.advance(10)
        clock.advance(28)
        assert pulse._number == 1
        assert client_pid in bench.node.processes

        clock.advance(3)

        bench.wait_gone(client_pid)
        assert client.wait_closed() == (1011, "keepalive")


def test_after_an_answer_that_was_late_the_next_ping_comes_within_an_interval() -> None:
    with (
        relaying(ping_interval=10, ping_timeout=3600) as bench,
        VirtualClock(bench.node) as clock,
        bench.connect() as client,
    ):
        pulse = bench.connection(bench.joined())._pulse
        clock.advance(10)
        clock.advance(15)
        assert pulse._number == 1
        client.frame()
        wait_for(lambda: pulse.was_seen)

        clock.advance(10)

        assert pulse._number == 2


def test_any_frame_shows_that_a_client_lives() -> None:
    with relaying(ping_interval=0.04, ping_timeout=0.04) as bench, bench.connect() as client:
        client_pid = bench.joined()
        pulse = bench.connection(client_pid)._pulse
        wait_for(lambda: pulse._number == 1)
        client.send("busy")
        wait_for(lambda: pulse._number == 2)

        assert client_pid in bench.node.processes
        client.drop()


def test_a_pong_that_came_in_time_counts_though_the_hub_was_too_busy_to_read_it() -> None:
    """no pong in time"""
    with relaying(ping_interval=0.05, ping_timeout=0.05) as bench, bench.connect() as client:
        bench.joined()

        for _ in range(5):
            frame = client.frame()
            assert frame is not None
            assert frame.opcode is Opcode.PING
            # The pong is on its way by now, and this lets nothing else run.
            sleep(0.06)
        client.close()


def test_a_timeout_of_0_lets_a_silent_client_stay() -> None:
    with relaying(ping_interval=0.01, ping_timeout=0) as bench, bench.connect() as client:
        client_pid = bench.joined()
        pulse = bench.connection(client_pid)._pulse
        wait_for(lambda: pulse._number == 3)

        assert client_pid in bench.node.processes
        client.drop()


def test_an_interval_of_0_sends_no_ping() -> None:
    with relaying(ping_interval=0) as bench, bench.connect():
        client_pid = bench.joined()

        assert bench.connection(client_pid)._pulse.alarm is None


def test_pings_of_the_client_are_answered_with_their_payload() -> None:
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        client.ping(b"are you there")
        frame = client.frame()

        assert frame is not None
        assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, b"are you there")


@pytest.mark.parametrize("round_", range(5))
def test_a_tab_that_is_killed_while_messages_fly_both_ways_leaves_once(round_: int) -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        for number in range(100):
            client.protocol.send_text(str(number).encode())
            bench.node.send(client_pid, "ws.send", str(number))
        client._flush()
        if round_ % 2:
            reset(client)
        else:
            client.drop()
        bench.wait_gone(client_pid)
        settle(bench.node)

        got = [item.topic for item in bench.target.items]  # type: ignore[union-attr]
        assert got.count("ws.leave") == 1
        assert got[-1] == "ws.leave"
        assert not bench.node.send(client_pid, "ws.send", "late")
