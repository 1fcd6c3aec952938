"""What is written while a large message is: messages of others, pings, and the end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest
from gevent.event import Event

from greenrelay.client import Client, connect
from greenrelay.errors import ConnectionClosed
from greenrelay.transport.client_turn import Turn
from tests.client.upstream import CLOSE, Peer, echo, frame, serve_echo, upstream
from tests.probe import wait_for

# More than any kernel takes at once.
LARGE = 12_000_000


def is_sending(client: Client) -> Callable[[], object]:
    return lambda: client._conversation.socket.queued


def reading_late(start: Event, got: list[bytes]) -> Any:
    """Return a script that reads from ``start`` on; ``got`` gets how each message begins."""

    def script(peer: Peer) -> None:
        peer.accept()
        start.wait()
        for opcode, payload in peer.frames():
            if opcode == CLOSE:
                peer.write(frame(CLOSE, payload))
                return
            got.append(payload[:1])

    return script


def test_a_greenlet_that_sends_without_a_pause_lets_others_send() -> None:
    start, got = Event(), list[bytes]()

    with upstream(reading_late(start, got)) as url, connect(url, write_timeout=None) as client:

        def greedy() -> None:
            for size in (LARGE, 1, 1):
                client.send(b"a" * size)

        greenlets: list[Any] = [gevent.spawn(greedy), gevent.spawn(client.send, b"b")]
        wait_for(is_sending(client))
        start.set()
        gevent.joinall(greenlets, raise_error=True)

    assert got == [b"a", b"b", b"a", b"a"]


def test_a_greenlet_that_is_killed_while_it_waits_holds_nobody_up() -> None:
    start, got = Event(), list[bytes]()

    with upstream(reading_late(start, got)) as url, connect(url, write_timeout=None) as client:
        senders = [gevent.spawn(client.send, data) for data in (b"a" * LARGE, b"b", b"c", b"d")]
        wait_for(lambda: len(client._conversation._turn._waiting) == 3)
        senders[2].kill()
        start.set()
        gevent.joinall(senders, raise_error=True)

    assert got == [b"a", b"b", b"d"]


def test_a_turn_of_one_that_is_killed_in_that_moment_goes_on_to_the_next() -> None:
    turn = Turn()
    took: list[int] = []

    def take(number: int) -> None:
        with turn:
            took.append(number)

    with turn:
        first, second = gevent.spawn(take, 1), gevent.spawn(take, 2)
        wait_for(lambda: len(turn._waiting) == 2)
        first.kill(block=False)
    gevent.joinall([first, second])
    take(3)

    assert took == [2, 3]


def test_the_end_of_a_client_wakes_everybody_who_waits_to_send() -> None:
    with upstream(reading_late(Event(), [])) as url:
        client = connect(url, write_timeout=None)
        senders = [gevent.spawn(_fail_to_send, client) for _ in range(3)]
        wait_for(lambda: len(client._conversation._turn._waiting) == 2)

        client._conversation.abort("over")

        assert [sender.get(timeout=30) for sender in senders] == ["over"] * 3


def _fail_to_send(client: Client) -> str:
    with pytest.raises(ConnectionClosed) as caught:
        client.send(b"x" * LARGE)
    return caught.value.reason


def test_a_ping_waits_behind_a_large_message_and_is_not_lost() -> None:
    start = Event()

    def script(peer: Peer) -> None:
        peer.accept()
        start.wait()
        serve_echo(peer)

    with upstream(script) as url, connect(url, write_timeout=None) as client:
        sender = gevent.spawn(client.send, b"a" * LARGE)
        wait_for(is_sending(client))
        pinger = gevent.spawn(client.ping)
        wait_for(lambda: client._conversation._pings._waiting)
        start.set()

        assert pinger.get(timeout=30) > 0
        sender.get(timeout=30)


def test_a_server_that_reads_a_large_message_slowly_is_not_silent() -> None:
    start = Event()

    def script(peer: Peer) -> None:
        peer.accept()
        start.wait()
        taken = socket.bytes_out
        while socket.bytes_out == taken:
            peer.sock.recv(65536)
        peer.hang()

    with upstream(script) as url:
        client = connect(url, ping_interval="1h", ping_timeout="1h", write_timeout=None)
        socket, pings = client._conversation.socket, client._conversation._pings
        sender = gevent.spawn(_fail_to_send, client)
        wait_for(is_sending(client))

        pings._ping_to_live()
        before = socket.bytes_out
        start.set()
        wait_for(lambda: socket.bytes_out > before)
        pings._on_pong_due()
        assert client.is_open

        # And one that reads no more is.
        gevent.sleep(0)
        pings._ping_to_live()
        pings._on_pong_due()
        assert sender.get(timeout=30) == "keepalive"


@pytest.mark.parametrize("reason", [b"bytes", 5, None])
def test_a_reason_that_is_no_text_is_an_error_and_closes_nothing(reason: Any) -> None:
    with upstream(echo) as url, connect(url) as client:
        with pytest.raises(TypeError, match=r"client\.close: reason is \w+; it must be str"):
            client.close(4000, reason)

        assert client.is_open
