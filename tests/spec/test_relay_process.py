"""WebSocket Relay: "The connection is a process"."""

from typing import Any

import pytest

from greenrelay import Timeout, process, spawn
from tests.probe import Probe, assert_nothing, assert_receive, wait_for
from tests.relaying import Bench, relaying
from tests.servers.http import upgrade_request
from tests.servers.raw import CLOSE, TEXT, frame
from tests.serving import WebSocketClient, dial

KEYS = {
    "code",
    "reason",
    "clean",
    "duration",
    "messages_in",
    "messages_out",
    "bytes_in",
    "bytes_out",
}


def test_it_is_addressable_monitorable_and_has_an_exit_with_a_value() -> None:
    """it has an EXIT like any other. Its value is ``{"code", "reason", …}``"""
    with relaying() as bench, Probe(bench.node) as watcher, bench.connect() as client:
        client_pid = bench.joined()
        watcher.do(process.monitor, client_pid)
        client.send("abc")
        client.send(b"de")
        bench.target.do(process.send, client_pid, "ws.send", "hello")
        client.recv()
        client.close(4000, "bye")

        event = assert_receive(watcher, kind="EXIT")
        assert event.pid == client_pid
        assert event.result.error is None
        value = event.result.value
        assert value.keys() == KEYS
        assert (value["code"], value["reason"], value["clean"]) == (4000, "bye", True)
        assert (value["messages_in"], value["messages_out"]) == (2, 1)
        # Two short messages and the close frame, masked; then head, message and close frame.
        assert value["bytes_in"] == (6 + 3) + (6 + 2) + (6 + 5)
        assert value["bytes_out"] > 2 + 5
        assert value["duration"] >= 0


def test_the_value_counts_what_came_with_the_handshake_too() -> None:
    with relaying() as bench, Probe(bench.node) as watcher, dial(bench.address) as sock:
        sock.sendall(upgrade_request("/ws") + frame(TEXT, b"hello"))
        watcher.do(process.monitor, bench.joined())
        sock.sendall(frame(CLOSE, b"\x03\xe8"))

        value = assert_receive(watcher, kind="EXIT").result.value
        assert (value["messages_in"], value["bytes_in"]) == (1, (6 + 5) + (6 + 2))


def test_the_leave_comes_before_the_exit() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.monitor, client_pid)
        client.close()
        assert_receive(bench.target, kind="EXIT")

        assert [item.topic for item in bench.target.items] == ["ws.leave"]  # type: ignore[union-attr]


def close_client(bench: Bench, client: WebSocketClient, client_pid: str) -> None:
    client.close(3999)


def close_server(bench: Bench, client: WebSocketClient, client_pid: str) -> None:
    bench.target.do(process.send, client_pid, "ws.close")
    client.wait_closed()


@pytest.mark.parametrize("end", [close_client, close_server])
def test_a_closing_handshake_ends_it_normally_whatever_the_code(end: Any) -> None:
    """It ends normally when a closing handshake happened (any code)"""
    with relaying() as bench, Probe(bench.node) as linked, bench.connect() as client:
        client_pid = bench.joined()
        linked.do(process.link, client_pid)
        linked.do(process.monitor, client_pid)
        end(bench, client, client_pid)

        assert assert_receive(linked, kind="EXIT").result.is_normal
        assert_nothing(linked)


def test_a_linked_process_ends_with_a_lost_client() -> None:
    """a linked process (a database stream, a subprocess, a model call) ends with a lost client"""
    ended: list[str] = []

    def stream(client_pid: str) -> None:
        process.link(client_pid)
        try:
            process.receive()
        finally:
            ended.append("stream")

    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        worker = bench.target.do(spawn, stream, client_pid)
        wait_for(lambda: bench.node.topology.links(worker))
        client.drop()

        bench.wait_gone(worker)
        assert ended == ["stream"]


def test_a_linked_process_that_crashes_ends_the_connection_abnormally() -> None:
    """Addressable, monitorable, linkable"""

    def worker(client_pid: str) -> None:
        process.link(client_pid)
        process.receive("crash")
        raise ValueError("secret detail")

    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.monitor, client_pid)
        pid = bench.target.do(spawn, worker, client_pid)
        bench.target.do(process.send, pid, "crash")
        code, reason = client.wait_closed()

        assert (code, reason) == (1011, "linked process failed")
        result = assert_receive(bench.target, kind="EXIT").result
        assert result.reason == "ValueError: secret detail"
        assert not result.is_normal
        leave = assert_receive(bench.target, topic="ws.leave").payload
        assert leave["clean"] is False


def test_a_linked_process_that_ends_normally_changes_nothing() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        worker = bench.target.do(spawn, process.link, client_pid)
        bench.wait_gone(worker)

        bench.target.do(process.send, client_pid, "ws.send", "still here")
        assert client.recv() == "still here"


def test_cancel_closes_it_with_1001() -> None:
    """``cancel(client_pid)`` closes it with 1001"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.cancel, client_pid, reason="enough")

        assert client.wait_closed() == (1001, "enough")
        leave = assert_receive(bench.target, topic="ws.leave").payload
        assert (leave["code"], leave["clean"]) == (1001, True)


def test_terminate_drops_it() -> None:
    """``terminate`` drops it"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.monitor, client_pid)
        bench.target.do(process.terminate, client_pid)

        assert client.wait_closed() == (1006, "")
        leave = assert_receive(bench.target, topic="ws.leave").payload
        assert (leave["code"], leave["clean"], leave["reason"]) == (1006, False, "killed")
        result = assert_receive(bench.target, kind="EXIT").result
        assert result.reason == "killed"
        assert result.value["code"] == 1006


def test_cancel_terminates_a_client_that_does_not_answer() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.cancel, client_pid, deadline=0.05)

        bench.wait_gone(client_pid)
        assert assert_receive(bench.target, topic="ws.leave").payload["clean"] is False
        client.drop()


def test_it_is_listed() -> None:
    """listable"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        client.send("one")
        assert_receive(bench.target, topic="ws.message")
        bench.target.do(process.send, client_pid, "ws.send", "a")
        bench.target.do(process.send, client_pid, "ws.send", "b")

        info = bench.target.do(process.info, client_pid)
        assert info is not None
        assert (info.pid, info.entry, info.host) == (client_pid, "websocket", "http")
        assert (info.messages_in, info.messages_out, info.depth) == (2, 1, 0)
        assert info.monitors == (bench.target.pid,)
        assert client_pid in [each.pid for each in bench.target.do(process.processes)]
        client.close()
        bench.wait_gone(client_pid)
        assert bench.target.do(process.info, client_pid) is None


def test_a_connection_may_have_a_name() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.register, "ann", client_pid)
        bench.target.do(process.send, "ann", "ws.send", "hello")

        assert client.recv() == "hello"
        client.close()
        bench.wait_gone(client_pid)
        wait_for(lambda: bench.node.names.owner("ann") is None)


def test_lifecycle_events_are_never_forwarded_to_a_browser() -> None:
    """Lifecycle events are never forwarded to a browser."""

    def watched() -> None:
        process.receive()

    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        connection = bench.connection(client_pid)
        other = bench.node.spawn(watched)
        bench.node.monitor(connection, other)
        bench.node.terminate(other)
        bench.wait_gone(other)
        bench.target.do(process.send, client_pid, "ws.send", "next")

        assert client.recv() == "next"


def test_a_call_to_a_connection_does_not_wait_for_ever() -> None:
    with relaying() as bench, bench.connect():
        client_pid = bench.joined()

        with pytest.raises(Timeout):
            bench.target.do(process.call, client_pid, "question", timeout=0.01)


def test_a_connection_may_be_the_target_of_another() -> None:
    with relaying() as bench, bench.connect() as first:
        first_pid = bench.joined()
        bench.target.do(process.register, "first", first_pid)
        with bench.connect() as second:
            second_pid = bench.joined()
            control = {"target_pid": first_pid, "metadata": {"not": object()}}
            bench.target.do(process.send, second_pid, "ws.control", control)
            second.send("hello")

            assert second.wait_closed() == (1011, "internal error")
        bench.target.do(process.send, first_pid, "ws.send", "unharmed")
        assert first.recv() == "unharmed"
