"""WebSocket client: the page, sentence by sentence.

What each part does in every case is in ``tests/client``.
"""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from greenrelay import Node, errors, process
from greenrelay.client import Client, Message, connect
from tests.client.upstream import TEXT, Peer, echo, frame, running, silent, upstream
from tests.probe import Probe, assert_event, assert_receive, wait_for


def test_connect_has_the_parameters_and_defaults_of_the_page() -> None:
    """connect(url, headers=None, subprotocols=(), open_timeout="10s", read_timeout=None,
    write_timeout="10s", compression=None or "deflate", max_size="16MiB", queue=16,
    ping_interval="20s", ping_timeout="20s", ssl_context=None) -> Client"""
    parameters = inspect.signature(connect).parameters

    assert {name: each.default for name, each in parameters.items()} == {
        "url": inspect.Parameter.empty,
        "headers": None,
        "subprotocols": (),
        "open_timeout": "10s",
        "read_timeout": None,
        "write_timeout": "10s",
        "compression": None,
        "max_size": "16MiB",
        "queue": 16,
        "ping_interval": "20s",
        "ping_timeout": "20s",
        "ssl_context": None,
        "relay_to": None,
        "reconnect": None,
    }


def test_a_client_sends_and_receives_and_pings_and_closes() -> None:
    """client.send(str or bytes), client.ping() -> seconds, client.receive(timeout=None) ->
    Message(type, data), iteration until closed, client.close(code=1000, reason=""),
    client.code, client.reason, context manager."""
    with upstream(echo) as url:
        with connect(url) as client:
            assert isinstance(client, Client)
            client.send("text")
            client.send(b"bytes")
            assert client.receive() == Message("text", "text")
            assert client.receive(timeout="5s") == Message("binary", b"bytes")
            assert isinstance(client.ping(), float)
            client.close(1000, "done")
            assert list(client) == []

        assert (client.code, client.reason) == (1000, "done")


def test_a_client_closes_with_its_owner_and_the_owner_gets_an_exit(
    node: Node, probe: Probe
) -> None:
    """Opened inside a process it is linked to it: it closes with its owner (1001), and the owner
    gets an EXIT for it."""
    clients: list[Client] = []

    with running(echo) as server:
        node.spawn(lambda: clients.append(connect(server.url)))
        wait_for(lambda: clients and clients[0].code == 1001)
        mine = probe.do(connect, server.url)
        server.stop()

        assert_event(probe, kind="EXIT", pid=mine.pid)


def test_one_process_can_bridge_an_upstream(probe: Probe) -> None:
    """connect(…, relay_to=pid) turns it into a connection process with the relay's topics and
    reconnect={"initial_delay": "1s", "max_delay": "30s"} keeps it"""
    reconnect: dict[str, float | str] = {"initial_delay": "10ms", "max_delay": "30s"}

    with running(echo) as server:
        client = probe.do(connect, server.url, relay_to=probe.pid, reconnect=reconnect)
        assert_receive(probe, topic="ws.join")
        probe.do(process.send, client.pid, "ws.send", "hello")
        assert_receive(probe, topic="ws.message")
        server.stop()
        assert_receive(probe, topic="ws.leave")
        server.start()
        assert_receive(probe, topic="ws.join")
        probe.do(process.send, client.pid, "ws.close")
        assert_receive(probe, topic="ws.leave")
        assert_event(probe, kind="EXIT", pid=client.pid)


def _forbidden(peer: Peer) -> None:
    peer.read_head()
    peer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno")


def test_the_errors_are_those_of_the_page() -> None:
    """Errors: ConnectionRefused, HandshakeFailed(status, body), ConnectionClosed(code, reason),
    Timeout, InvalidURL."""
    with running(echo) as server:
        server.stop()
        with pytest.raises(errors.ConnectionRefused):
            connect(server.url)
    with upstream(_forbidden) as url, pytest.raises(errors.HandshakeFailed) as refused:
        connect(url)
    with upstream(Peer.hang) as url, pytest.raises(errors.Timeout):
        connect(url, open_timeout="20ms")
    with pytest.raises(errors.InvalidURL):
        connect("ftp://127.0.0.1/")
    with upstream(Peer.accept) as url, pytest.raises(errors.ConnectionClosed) as closed:
        connect(url).receive()

    assert (refused.value.status, refused.value.body) == (403, b"no")
    assert (closed.value.code, closed.value.reason) == (1006, "connection closed by the server")


def test_a_slow_owner_makes_the_client_stop_reading_and_nothing_is_dropped() -> None:
    """A slow owner makes the client stop reading; nothing is dropped."""
    count = 10_000

    def script(peer: Peer) -> None:
        peer.accept(then=b"".join(frame(TEXT, str(number)) for number in range(count)))
        peer.hang()

    with upstream(script) as url:
        client = connect(url, queue=1)
        wait_for(lambda: client._conversation.is_full)

        got: list[Any] = [client.receive(timeout=30).data for _ in range(count)]
        client._conversation.abort("over")

    assert got == [str(number) for number in range(count)]


def test_a_close_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """deadlines for everything"""
    monkeypatch.setattr("greenrelay.transport.client_conversation.CLOSE_TIMEOUT", 0.02)

    with upstream(silent) as url, connect(url) as client:
        pass

    assert client.code == 1006
