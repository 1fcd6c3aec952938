"""``relay_to``: a client whose messages go to a process, and ``reconnect``, which keeps it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from greenrelay import Node, cancel, monitor, process, terminate
from greenrelay.client import RelayedClient, connect
from greenrelay.errors import (
    ConnectionRefused,
    InvalidCloseCode,
    ProcessDown,
    UnknownName,
)
from greenrelay.transport.client_bridge import parse_reconnect
from tests.client.upstream import (
    BINARY,
    PING,
    TEXT,
    Gone,
    Peer,
    close_frame,
    echo,
    frame,
    running,
    serve_echo,
    silent,
    upstream,
)
from tests.probe import Probe, assert_event, assert_nothing, assert_receive, wait_for

SOON: dict[str, float | str] = {"initial_delay": "10ms", "max_delay": "40ms"}


def bridged(probe: Probe, url: str, **options: Any) -> RelayedClient:
    client: Any = probe.do(connect, url, relay_to=probe.pid, **options)
    assert isinstance(client, RelayedClient)
    return client


def payload(probe: Probe, topic: str) -> dict[str, Any]:
    found = assert_receive(probe, topic=topic).payload
    assert isinstance(found, dict)
    return found


def test_a_relayed_client_has_the_topics_of_the_relay(probe: Probe) -> None:
    def script(peer: Peer) -> None:
        peer.accept("Sec-WebSocket-Protocol: chat", then=frame(TEXT, "hi") + frame(BINARY, b"\0"))
        serve_echo(peer)

    with upstream(script) as url:
        client = bridged(probe, f"{url}room?x=1", subprotocols=["chat"])
        join = assert_receive(probe, topic="ws.join")
        messages = [payload(probe, "ws.message") for _ in range(2)]
        probe.do(process.send, client.pid, "ws.send", "hello")
        probe.do(process.send, client.pid, "ws.send", {"type": "json", "data": [1]})
        back = [payload(probe, "ws.message")["data"] for _ in range(2)]
        probe.do(process.send, client.pid, "ws.close", {"code": 4000, "reason": "done"})
        leave = payload(probe, "ws.leave")
        assert_event(probe, kind="EXIT", pid=client.pid)

    assert join.sender == client.pid
    assert join.payload == {
        "client_pid": client.pid,
        "metadata": {},
        "subprotocol": "chat",
        "path": "/room?x=1",
        "remote_addr": "127.0.0.1",
        "reason": "connect",
    }
    assert [(m["type"], m["data"]) for m in messages] == [("text", "hi"), ("binary", b"\0")]
    assert back == ["hello", "[1]"]
    assert (leave["code"], leave["reason"], leave["clean"]) == (4000, "done", True)
    assert (client.code, client.reason) == (4000, "done")


def test_what_is_sent_has_a_mask_also_pongs_in_one_write(probe: Probe) -> None:
    frames: list[tuple[int, bytes]] = []

    def script(peer: Peer) -> None:
        peer.accept(then=frame(PING, b"1") + frame(PING, b"2"))
        frames.extend((peer.frame(), peer.frame()))
        serve_echo(peer)

    with upstream(script) as url:
        client = bridged(probe, url)
        wait_for(lambda: len(frames) == 2)
        client.close()
        assert_event(probe, kind="EXIT", pid=client.pid)

    assert [payload for _, payload in frames] == [b"1", b"2"]


def test_it_may_relay_to_another_process_than_its_owner(node: Node, probe: Probe) -> None:
    with upstream(echo) as url, Probe(node, name="room") as room:
        client = probe.do(connect, url, relay_to="room")
        assert_receive(room, topic="ws.join")
        client.close()

        assert_receive(room, topic="ws.leave")
        assert_event(probe, kind="EXIT", pid=client.pid)
        assert_nothing(room)


def test_outside_a_process_it_relays_as_well(node: Node, probe: Probe) -> None:
    with upstream(echo) as url:
        client = connect(url, relay_to=probe.pid)
        assert_receive(probe, topic="ws.join")
        client.close()

        assert_receive(probe, topic="ws.leave")


def test_it_is_transferred_like_any_connection(node: Node, probe: Probe) -> None:
    with upstream(echo) as url, Probe(node) as other:
        client = bridged(probe, url)
        probe.do(process.send, client.pid, "ws.control", {"target_pid": other.pid})
        assert payload(probe, "ws.leave")["reason"] == "transfer"
        assert payload(other, "ws.join")["reason"] == "transfer"
        probe.do(process.send, client.pid, "ws.send", "for the other")

        assert payload(other, "ws.message")["data"] == "for the other"
        client.close()
        assert_receive(other, topic="ws.leave")


def test_after_a_transfer_it_still_closes_with_its_owner(node: Node, probe: Probe) -> None:
    with upstream(echo) as url, Probe(node) as owner:
        client = bridged(owner, url)
        owner.do(process.send, client.pid, "ws.control", {"target_pid": probe.pid})
        assert_receive(probe, topic="ws.join")
        owner.close()

        assert payload(probe, "ws.leave")["reason"] == "owner exited"


@pytest.mark.parametrize(
    ("dest", "error"), [("nobody", UnknownName), ("{gone@host|1}", ProcessDown)]
)
def test_a_target_that_is_not_there_is_an_error(
    node: Node, dest: str, error: type[Exception]
) -> None:
    with running(echo) as server, pytest.raises(error):
        node.run(lambda: connect(server.url, relay_to=dest))

    assert server.count == 0


def test_reconnect_without_relay_to_is_an_error() -> None:
    with pytest.raises(TypeError, match="reconnect is for a client with relay_to"):
        connect("ws://127.0.0.1:1/", reconnect=SOON)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "options",
    [{"initial": "1s"}, {"initial_delay": 0}, {"initial_delay": "2s", "max_delay": "1s"}],
)
def test_delays_that_make_no_sense_are_errors(options: dict[str, float | str]) -> None:
    with pytest.raises(ValueError, match="reconnect: "):
        parse_reconnect(options)


def test_without_reconnect_the_first_loss_is_the_end(probe: Probe) -> None:
    with running(silent) as server:
        client = bridged(probe, server.url)
        server.stop()
        leave = payload(probe, "ws.leave")
        event = assert_event(probe, kind="EXIT", pid=client.pid)

    assert (leave["code"], leave["clean"]) == (1006, False)
    assert leave["reason"] == client.reason == "connection closed by the server"
    assert not event.result.is_normal


def test_a_server_that_leaves_during_the_closing_handshake_is_called_one(probe: Probe) -> None:
    def script(peer: Peer) -> None:
        peer.accept()
        peer.frame()

    with upstream(script) as url:
        bridged(probe, url).close(4000, "bye")

        assert payload(probe, "ws.leave")["reason"] == (
            "connection closed by the server during the closing handshake (4000 bye)"
        )


def test_the_target_s_end_closes_the_connection(node: Node, probe: Probe) -> None:
    with upstream(echo) as url, Probe(node) as room:
        client = probe.do(connect, url, relay_to=room.pid, reconnect=SOON)
        room.close()

        event = assert_event(probe, kind="EXIT", pid=client.pid)

    assert event.result.value["code"] == 1000
    assert event.result.value["reason"] == "target exited"


def test_the_owner_s_end_closes_the_connection(node: Node, probe: Probe) -> None:
    with upstream(echo) as url:
        node.spawn(lambda: connect(url, relay_to=probe.pid, reconnect=SOON))

        leave = payload(probe, "ws.leave")
        wait_for(lambda: len(node.processes) == 1)

    assert (leave["code"], leave["reason"]) == (1001, "owner exited")


# reconnect


def test_the_value_counts_what_came_with_the_handshake_too(probe: Probe) -> None:
    def script(peer: Peer) -> None:
        peer.accept(then=frame(TEXT, "hi") + close_frame(1000))
        peer.hang()

    with upstream(script) as url:
        client = bridged(probe, url)

        value = assert_event(probe, kind="EXIT", pid=client.pid).result.value

    assert (value["messages_in"], value["bytes_in"]) == (1, (2 + 2) + (2 + 2))


def test_a_lost_upstream_comes_back_under_the_same_pid(probe: Probe) -> None:
    with running(echo) as server:
        client = bridged(probe, server.url, reconnect=SOON)
        assert payload(probe, "ws.join")["reason"] == "connect"
        server.stop()
        assert payload(probe, "ws.leave")["code"] == 1006
        assert not probe.do(process.send, client.pid, "ws.send", "nobody hears this")
        assert (client.is_open, client.code) == (False, 1006)
        server.start()

        join = payload(probe, "ws.join")
        probe.do(process.send, client.pid, "ws.send", "again")
        assert payload(probe, "ws.message")["data"] == "again"
        assert (join["reason"], join["client_pid"]) == ("resume", client.pid)
        assert client.is_open
        client.close()
        assert_receive(probe, topic="ws.leave")
        assert_event(probe, kind="EXIT", pid=client.pid)
        assert_nothing(probe)


@pytest.mark.parametrize("ending", [close_frame(1000), close_frame(1012, "restart"), frame(3)])
def test_however_the_server_ends_it_it_is_opened_again(probe: Probe, ending: bytes) -> None:
    def script(peer: Peer) -> None:
        peer.accept(then=frame(TEXT, str(peer.number)))
        if peer.number < 4:
            peer.write(ending)
            with suppress(Gone):
                peer.frame()
        else:
            serve_echo(peer)

    with upstream(script) as url:
        client = bridged(probe, url, reconnect=SOON)
        got = [payload(probe, "ws.message")["data"] for _ in range(4)]
        joins = [payload(probe, "ws.join")["reason"] for _ in range(4)]
        client.close()
        assert_event(probe, kind="EXIT", pid=client.pid)

    assert got == ["1", "2", "3", "4"]
    assert joins == ["connect", "resume", "resume", "resume"]


def test_refused_handshakes_are_tried_again(probe: Probe) -> None:
    def script(peer: Peer) -> None:
        if peer.number == 1:
            peer.accept()
        elif peer.number < 4:
            peer.read_head()
            peer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
        else:
            echo(peer)

    with running(script) as server:
        client = bridged(probe, server.url, reconnect=SOON)
        assert payload(probe, "ws.join")["reason"] == "connect"
        assert payload(probe, "ws.join")["reason"] == "resume"
        client.close()
        assert_event(probe, kind="EXIT", pid=client.pid)

    assert server.count == 4


def test_the_first_connection_that_fails_is_an_error(node: Node) -> None:
    with pytest.raises(ConnectionRefused):
        node.run(lambda: connect("ws://127.0.0.1:1/", relay_to=process.pid(), reconnect=SOON))


def _close(client: RelayedClient, probe: Probe) -> None:
    client.close()


def _send_close(client: RelayedClient, probe: Probe) -> None:
    probe.do(process.send, client.pid, "ws.close")


def _cancel(client: RelayedClient, probe: Probe) -> None:
    probe.do(cancel, client.pid)


def _terminate(client: RelayedClient, probe: Probe) -> None:
    probe.do(terminate, client.pid)


@pytest.mark.parametrize("end", [_close, _send_close, _cancel, _terminate])
@pytest.mark.parametrize("delay", ["10ms", "1h"], ids=["trying", "waiting"])
def test_one_that_has_no_connection_can_be_ended(
    probe: Probe, end: Callable[[RelayedClient, Probe], None], delay: str
) -> None:
    def script(peer: Peer) -> None:
        if peer.number == 1:
            peer.accept()
        else:
            peer.hang()

    with running(script) as server:
        reconnect = {"initial_delay": delay, "max_delay": delay}
        client = bridged(probe, server.url, reconnect=reconnect)
        payload(probe, "ws.leave")
        if delay == "10ms":
            wait_for(lambda: server.count == 2)
        end(client, probe)

        event = assert_event(probe, kind="EXIT", pid=client.pid)

    assert event.result.value["code"] == 1006
    assert event.result.reason == ("killed" if end is _terminate else "normal")


def test_a_target_that_ends_meanwhile_ends_it(node: Node, probe: Probe) -> None:
    hour: dict[str, float | str] = {"initial_delay": "1h", "max_delay": "1h"}
    with upstream(Peer.accept) as url, Probe(node) as room:
        client = probe.do(connect, url, relay_to=room.pid, reconnect=hour)
        assert_receive(room, topic="ws.leave")
        room.close()

        assert_event(probe, kind="EXIT", pid=client.pid)


def test_an_owner_that_ends_meanwhile_ends_it(node: Node, probe: Probe) -> None:
    hour: dict[str, float | str] = {"initial_delay": "1h", "max_delay": "1h"}
    with upstream(Peer.accept) as url, Probe(node) as owner:
        client = owner.do(connect, url, relay_to=probe.pid, reconnect=hour)
        probe.do(monitor, client.pid)
        payload(probe, "ws.leave")
        owner.close()

        assert_event(probe, kind="EXIT", pid=client.pid)


def test_a_slow_target_makes_it_stop_reading(node: Node, probe: Probe) -> None:
    count = 30_000

    def target(results: list[int]) -> None:
        client = connect(url, relay_to=process.pid())
        for message in process.inbox():
            if message.topic == "ws.message":
                assert isinstance(message.payload, dict)
                results.append(int(message.payload["data"]))
            if message.topic == "ws.leave":
                return
        assert client

    def script(peer: Peer) -> None:
        peer.accept(then=b"".join(frame(TEXT, str(number)) for number in range(count)))
        peer.write(close_frame(1000))
        with suppress(Gone):
            peer.frame()

    results: list[int] = []
    with upstream(script) as url:
        node.run(target, results, timeout=20)
        wait_for(lambda: len(node.processes) == 1)

    assert results == list(range(count))


def test_a_heartbeat_goes_on_after_a_reconnection(probe: Probe) -> None:
    with running(echo) as server:
        client = bridged(probe, server.url, reconnect=SOON)
        probe.do(process.send, client.pid, "ws.control", {"heartbeat_interval": "10ms"})
        assert_receive(probe, topic="ws.heartbeat")
        server.stop()
        payload(probe, "ws.leave")
        probe.items.clear()
        server.start()

        assert payload(probe, "ws.join")["reason"] == "resume"
        assert_receive(probe, topic="ws.heartbeat")
        client.close()
        assert_event(probe, kind="EXIT", pid=client.pid)


def test_a_code_that_may_not_be_sent_is_refused(probe: Probe) -> None:
    with upstream(echo) as url:
        client = bridged(probe, url)
        with pytest.raises(InvalidCloseCode):
            client.close(1005)
        client.close()
        assert_event(probe, kind="EXIT", pid=client.pid)
