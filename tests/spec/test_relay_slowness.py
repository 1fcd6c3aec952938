"""WebSocket Relay: "Slowness", and the options that bound it."""

from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag
from websockets.frames import Opcode

from greenrelay import ConfigError, inbox, process
from greenrelay.runtime.host import Host
from greenrelay.transport import socket as client_socket
from greenrelay.transport.backlog import READ_AHEAD
from greenrelay.transport.connection import Connection
from greenrelay.web import relay, websocket_relay
from tests.probe import Probe, assert_receive, settle, wait_for
from tests.relaying import Bench, relaying
from tests.serving import WebSocketClient

BIG = b"x" * 100_000


def fill(bench: Bench, client_pid: str) -> int:
    """Send to a client that does not read until its connection takes no more."""
    count = 0
    while bench.node.send(client_pid, "ws.send", BIG):
        count += 1
        assert count < 10_000
    return count


def test_a_slow_consumer_is_closed_with_4008_and_nobody_else_is_delayed() -> None:
    """slow consumer: 4008 ``slow``; abnormal. A client that does not read costs its own queue and
    nothing else: no send to it ever blocks another process …"""
    with (
        relaying() as bench,
        Probe(bench.node) as watcher,
        bench.connect() as slow,
        bench.connect() as quick,
    ):
        slow_pid, quick_pid = bench.joined(), bench.joined()
        watcher.do(process.monitor, slow_pid)
        switches: list[str] = []
        gevent.get_hub().loop.run_callback(switches.append, "hub")

        # Not one send to the slow client gives the hub a turn.
        fill(bench, slow_pid)
        bench.node.send(quick_pid, "ws.send", "prompt")

        assert switches == []
        assert quick.recv() == "prompt"
        leave = assert_receive(bench.target, topic="ws.leave").payload
        assert (leave["code"], leave["reason"], leave["clean"]) == (4008, "slow", False)
        result = assert_receive(watcher, kind="EXIT").result
        assert (result.reason, result.value["code"]) == ("slow", 4008)
        assert slow.wait_closed() == (4008, "slow")


def test_queue_bytes_bounds_what_waits() -> None:
    """``wsrelay.queue.messages``, ``wsrelay.queue.bytes``: outgoing, per connection"""
    with relaying(queue_bytes="250kB") as bench, bench.connect() as slow:
        connection = bench.connection(bench.joined())
        most = 0
        while bench.node.send(connection.pid, "ws.send", BIG):
            most = max(most, connection.socket.queued_bytes)

        assert most <= 250_000
        slow.drop()


def test_queue_messages_bounds_what_waits() -> None:
    with relaying(queue_messages=3) as bench, bench.connect() as slow:
        connection = bench.connection(bench.joined())
        most = 0
        while bench.node.send(connection.pid, "ws.send", BIG):
            most = max(most, connection.depth())

        assert most == 3
        slow.drop()


def test_what_waits_is_seen_in_info_and_in_the_heartbeat() -> None:
    """``queued``"""
    with relaying(command={"heartbeat_interval": 0.01}) as bench, bench.connect() as slow:
        client_pid = bench.joined()
        connection = bench.connection(client_pid)
        while not connection.depth():
            bench.node.send(client_pid, "ws.send", BIG)
        bench.target.items.clear()

        assert assert_receive(bench.target, topic="ws.heartbeat").payload["queued"] == 1
        info = bench.target.do(process.info, client_pid)
        assert info is not None
        assert info.depth == 1
        slow.drop()


def test_a_client_that_reads_again_gets_everything_in_order() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        connection = bench.connection(client_pid)
        count = 0
        while connection.depth() < 50:
            bench.node.send(client_pid, "ws.send", f"{count} " + "x" * 20_000)
            count += 1
        bench.node.send(client_pid, "ws.close", {"code": 4001})

        numbers = [int(str(client.recv()).split()[0]) for _ in range(count)]
        assert numbers == list(range(count))
        assert client.wait_closed() == (4001, "")


@pytest.mark.parametrize("overflow", ["refuse", "block"])
def test_a_target_that_does_not_keep_up_slows_its_client_and_loses_nothing(overflow: str) -> None:
    """A target that does not keep up makes the relay stop reading that client's socket (TCP
    pushes back)"""
    go_on = Flag()
    got: list[Any] = []
    count, size = 3000, 3000

    def target() -> None:
        go_on.wait(30)
        for message in inbox():
            assert isinstance(message.payload, dict)
            got.append(message.payload.get("data", message.topic))
            if message.topic == "ws.leave":
                return

    with relaying(lambda b: relay(pids[0])) as bench:
        bench.node.add_host(Host("small", inbox_limit=5, overflow=overflow))
        pids = [bench.node.spawn(target, host="small")]
        with bench.connect() as client:
            sent: list[int] = []

            def flood() -> None:
                for number in range(count):
                    client.send(f"{number} ".ljust(size))
                    sent.append(number)
                client.close()

            flooding = gevent.spawn(flood)
            wait_for(bench.connections)
            connection = bench.connections()[0]
            wait_for(lambda: is_held_back(connection))
            held = len(sent)
            settle(bench.node)
            # TCP takes a few more into its buffers, then the client is held back as well.
            wait_for(lambda: bench.has_stopped(sent))
            assert held <= len(sent) < count
            assert read_ahead(connection) < 2 * READ_AHEAD
            go_on.set()
            flooding.join(30)
            bench.wait_gone(pids[0])

            assert got[0] == "ws.join"
            assert got[-1] == "ws.leave"
            assert [int(data.split()[0]) for data in got[1:-1]] == list(range(count))


def is_held_back(connection: Connection) -> bool:
    return connection.backlog is not None and connection.backlog.is_full


def read_ahead(connection: Connection) -> int:
    return 0 if connection.backlog is None else len(connection.backlog)


def test_pings_are_still_answered_while_the_target_is_slow() -> None:
    """while pings are still answered"""
    with relaying(lambda b: relay(pids[0])) as bench:
        bench.node.add_host(Host("small", inbox_limit=1))
        pids = [bench.node.spawn(process.receive, "never", host="small")]
        with bench.connect() as client:
            for number in range(READ_AHEAD // 2):
                client.send(str(number))
            client.ping(b"hello?")

            frame = client.frame()
            assert frame is not None
            assert (frame.opcode, bytes(frame.data)) == (Opcode.PONG, b"hello?")
        bench.node.terminate(pids[0])


def test_a_client_that_is_not_read_is_not_taken_for_a_silent_one() -> None:
    with relaying(lambda b: relay(pids[0]), ping_interval=0.02, ping_timeout=0.01) as bench:
        bench.node.add_host(Host("small", inbox_limit=1))
        pids = [bench.node.spawn(process.receive, "never", host="small")]
        with bench.connect() as client:
            for _ in range(4):
                client.send(b"x" * 60_000)
            client.send(b"x" * 60_000)
            wait_for(bench.connections)
            connection = bench.connections()[0]
            wait_for(lambda: is_held_back(connection))
            number = connection._pulse._number
            wait_for(lambda: connection._pulse._number >= number + 3)

            assert connection.pid in bench.node.processes
            client.drop()
        bench.node.terminate(pids[0])


def test_a_slow_target_that_ends_ends_the_connection_that_waits_for_it() -> None:
    with relaying(lambda b: relay(pids[0])) as bench:
        bench.node.add_host(Host("small", inbox_limit=1))
        pids = [bench.node.spawn(process.receive, "never", host="small")]
        with bench.connect() as client:
            for number in range(500):
                client.send(str(number))
            wait_for(bench.connections)
            wait_for(lambda: is_held_back(bench.connections()[0]))
            bench.node.terminate(pids[0])

            assert client.wait_closed() == (1011, "target failed")


def test_what_was_read_ahead_comes_before_the_leave() -> None:
    got: list[Any] = []
    go_on = Flag()

    def target() -> None:
        go_on.wait(30)
        for message in inbox():
            assert isinstance(message.payload, dict)
            got.append(message.payload.get("data", message.topic))
            if message.topic == "ws.leave":
                return

    with relaying(lambda b: relay(pids[0])) as bench:
        bench.node.add_host(Host("small", inbox_limit=1))
        pids = [bench.node.spawn(target, host="small")]
        with bench.connect() as client:
            for number in range(10):
                client.send(str(number))
            wait_for(lambda: bench.connections() and read_ahead(bench.connections()[0]) == 10)
            client.close()
            go_on.set()
            bench.wait_gone(pids[0])

        assert got == ["ws.join", *map(str, range(10)), "ws.leave"]


def test_a_broadcast_reaches_500_clients() -> None:
    count = 500
    clients: list[WebSocketClient] = []

    with relaying() as bench:
        try:
            clients.extend(WebSocketClient(bench.address, "/ws") for _ in range(count))
            pids = [bench.joined() for _ in clients]

            def broadcast() -> list[bool]:
                return [process.send(pid, "ws.send", "to all") for pid in pids]

            assert bench.target.do(broadcast) == [True] * count
            assert [client.recv() for client in clients] == ["to all"] * count
            for client in clients:
                client.protocol.send_close(1000)
                client._flush()
            leaves = [assert_receive(bench.target, topic="ws.leave") for _ in clients]
            assert {leave.payload["client_pid"] for leave in leaves} == set(pids)
            assert all(leave.payload["clean"] for leave in leaves)
        finally:
            for client in clients:
                client.drop()


def test_a_client_that_sends_thousands_at_once_does_not_keep_others_waiting() -> None:
    """A client that does not read costs its own queue and nothing else"""
    with relaying() as bench, bench.connect() as flooding, bench.connect() as victim:
        victim_pid = [bench.joined(), bench.joined()][1]
        for number in range(2000):
            flooding.protocol.send_text(str(number).encode())
        flooding._flush()
        victim.send("me")

        got = [assert_receive(bench.target, topic="ws.message").payload for _ in range(2001)]
        place = [payload["client_pid"] for payload in got].index(victim_pid)
        assert place < 2000
        numbers = [payload["data"] for payload in got if payload["client_pid"] != victim_pid]
        assert numbers == list(map(str, range(2000)))


def test_what_was_read_when_a_connection_is_terminated_reaches_the_target() -> None:
    got: list[str] = []

    def target() -> None:
        for message in inbox():
            payload: Any = message.payload
            if message.topic == "ws.message":
                got.append(payload["data"])
                if len(got) == 1:
                    process.terminate(payload["client_pid"])
            elif message.topic == "ws.leave":
                return

    with relaying(lambda b: relay(process.spawn(target))) as bench, bench.connect() as client:
        for number in range(500):
            client.protocol.send_text(str(number).encode())
        wait_for(bench.connections)
        connection = bench.connections()[0]
        client._flush()
        bench.wait_gone(connection.pid)
        bench.wait_gone(connection.session.target_pid)
        client.drop()

    assert got == list(map(str, range(connection.session.message_count)))


def test_messages_up_to_the_limit_pass() -> None:
    """``wsrelay.max.message.size``: 64 KiB"""
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        client.send(b"x" * 65536)
        assert len(assert_receive(bench.target, topic="ws.message").payload["data"]) == 65536
        client.send(b"x" * 65537)

        assert client.wait_closed() == (1009, "message of 65537 bytes is over 65536")


def test_1024_fragments_pass_and_one_more_does_not() -> None:
    """fragments at most 1024 a message"""
    with relaying() as bench, bench.connect() as client:
        bench.joined()
        for last in (1024, 1025):
            client.protocol.send_text(b"a", fin=False)
            for number in range(2, last + 1):
                client.protocol.send_continuation(b"a", fin=number == last)
            client._flush()

        assert assert_receive(bench.target, topic="ws.message").payload["data"] == "a" * 1024
        assert client.wait_closed()[0] == 1009


def test_a_slow_client_that_never_reads_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_socket, "LINGER", 0.01)
    with relaying() as bench, bench.connect() as slow:
        connection = bench.connection(bench.joined())
        fill(bench, connection.pid)

        wait_for(lambda: not connection.socket.is_open)
        slow.drop()


BAD_OPTIONS = [
    ({"alowed_origins": "*"}, "wsrelay.alowed.origins"),
    ({"max_message_size": "big"}, "wsrelay.max.message.size"),
    ({"max_connections": "many"}, "wsrelay.max.connections"),
    ({"ping_interval": "soon"}, "wsrelay.ping.interval"),
    ({"allowed_origins": "https://"}, "https://"),
    ({"drain_code": 1006}, "wsrelay.drain.code"),
    ({"subprotocols": "chat v1"}, "wsrelay.subprotocols"),
    ({"handshake_timeout": "soon"}, "wsrelay.handshake.timeout"),
    ({"slow_policy": "drop_some"}, "wsrelay.slow.policy"),
    ({"slow_policy": "block"}, "wsrelay.slow.policy"),
    ({"slow_policy": "block 0s"}, "wsrelay.slow.policy"),
    ({"slow_policy": "block for ever"}, "wsrelay.slow.policy"),
    ({"slow_policy": "close 5s"}, "wsrelay.slow.policy"),
    ({"compression": "gzip"}, "wsrelay.compression"),
    ({"max_connections_per_ip": -1}, "wsrelay.max.connections.per.ip"),
    ({"max_connections_per_user": "few"}, "wsrelay.max.connections.per.user"),
    ({"max_connections": -1}, "wsrelay.max.connections"),
    ({"queue_messages": -1}, "wsrelay.queue.messages"),
    ({"rate_messages": -1}, "wsrelay.rate.messages"),
    ({"ping_interval": -1}, "wsrelay.ping.interval"),
    ({"max_message_size": -1}, "wsrelay.max.message.size"),
]


@pytest.mark.parametrize(("options", "text"), BAD_OPTIONS)
def test_unknown_options_and_unreadable_values_are_configuration_errors(
    options: dict[str, Any], text: str
) -> None:
    """Unknown options and unreadable values are configuration errors …"""
    with pytest.raises(ConfigError) as caught:
        websocket_relay(**options)

    assert text in str(caught.value)
    assert len(caught.value.problems) == 1
