"""A relayed client that is given up while its server is being opened again."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
import pytest

from greenrelay.client import RelayedClient, connect
from greenrelay.websocket.handshake import response_head
from tests.client.upstream import Gone, Peer, upstream
from tests.probe import Probe, assert_event, assert_nothing, assert_receive, wait_for

READABLE, FIRST = 1, 2
AGAIN: dict[str, float | str] = {"initial_delay": "10ms", "max_delay": "20ms"}
Answer = Callable[[Peer], object]


def accept(peer: Peer) -> None:
    peer.write(response_head(peer.header("Sec-WebSocket-Key")))


def refuse(peer: Peer) -> None:
    peer.write(b"HTTP/1.1 503 Not now\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize("answer", [accept, refuse])
def test_a_close_in_the_turn_of_the_loop_in_which_the_server_answers_is_final(
    probe: Probe, answer: Answer
) -> None:
    ours, theirs = socket.socketpair()
    clients: list[RelayedClient] = []
    gone: list[int] = []

    def script(peer: Peer) -> None:
        peer.read_head()
        if peer.number == 1:
            accept(peer)
            return
        # Both are there when the loop looks next, and the close comes first.
        theirs.send(b"x")
        answer(peer)
        with suppress(Gone):
            peer.frame()
        gone.append(peer.number)

    def close() -> None:
        watcher.stop()
        clients[0].close()

    watcher: Any = gevent.get_hub().loop.io(ours.fileno(), READABLE, priority=FIRST)
    with ours, theirs, upstream(script) as url:
        client: Any = probe.do(connect, url, relay_to=probe.pid, reconnect=AGAIN)
        clients.append(client)
        watcher.start(close)
        assert_receive(probe, topic="ws.join")
        assert_receive(probe, topic="ws.leave")

        event = assert_event(probe, kind="EXIT", pid=clients[0].pid)
        wait_for(lambda: gone)

        assert event.result.is_normal
        assert gone == [2]
        assert probe.node.timers.next_due() is None
        assert_nothing(probe)
        watcher.close()
