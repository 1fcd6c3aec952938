"""WebSocket Relay: "Transfer", and ``ws.control``."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag

from greenrelay import InvalidRelayCommand, inbox, process, spawn
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.runtime.host import Host
from greenrelay.web import relay
from tests.probe import Probe, assert_nothing, assert_receive, settle, wait_for
from tests.relaying import Bench, relaying


def control(bench: Bench, client_pid: str, **fields: object) -> Message:
    """Send ws.control from the target and return the answer."""
    bench.target.do(process.send, client_pid, "ws.control", fields)
    answer = bench.target.take(
        lambda item: isinstance(item, Message) and item.topic.startswith("ws.control"), 1
    )
    assert isinstance(answer, Message)
    assert answer.sender == client_pid
    return answer


def payloads(probe: Probe) -> list[tuple[str, Any]]:
    """Return (topic, data or reason) of what a probe has got."""
    settle(probe.node)
    found = []
    for item in probe.items:
        assert isinstance(item, Message)
        assert isinstance(item.payload, dict)
        found.append((item.topic, item.payload.get("data", item.payload.get("reason"))))
    return found


def test_a_transfer_moves_the_client_to_another_target() -> None:
    """The old target sees its last message, then ``ws.leave`` (reason ``transfer``, the old
    metadata); the new target sees ``ws.join`` before its first message."""
    with (
        relaying(command={"metadata": {"room": "old"}}) as bench,
        Probe(bench.node) as new,
        bench.connect() as client,
    ):
        client_pid = bench.joined()
        client.send("for the old")
        assert_receive(bench.target, topic="ws.message")
        done = control(bench, client_pid, target_pid=new.pid, metadata={"room": "new"})
        client.send("for the new")
        wait_for(lambda: len(new.items) == 2)

        assert done.topic == "ws.control.done"
        assert done.payload == {"client_pid": client_pid, "target_pid": new.pid}
        leave = assert_receive(bench.target, topic="ws.leave")
        assert leave.payload == {
            "client_pid": client_pid,
            "reason": "transfer",
            "code": None,
            "clean": True,
            "metadata": {"room": "old"},
        }
        assert_nothing(bench.target)
        join = assert_receive(new)
        assert (join.topic, join.sender) == ("ws.join", client_pid)
        assert join.payload == {
            "client_pid": client_pid,
            "metadata": {"room": "new"},
            "subprotocol": None,
            "path": "/ws",
            "remote_addr": "127.0.0.1",
            "reason": "transfer",
        }
        message = assert_receive(new, topic="ws.message")
        assert message.payload["data"] == "for the new"
        assert message.payload["metadata"] == {"room": "new"}
        client.close()
        assert assert_receive(new, topic="ws.leave").payload["metadata"] == {"room": "new"}


def test_the_pid_of_the_connection_stays() -> None:
    with relaying() as bench, Probe(bench.node) as new, bench.connect() as client:
        client_pid = bench.joined()
        control(bench, client_pid, target_pid=new.pid)

        assert bench.joined(new) == client_pid
        new.do(process.send, client_pid, "ws.send", "from the new")
        assert client.recv() == "from the new"


def test_a_target_may_be_named() -> None:
    with relaying() as bench, Probe(bench.node, name="lobby") as new, bench.connect():
        client_pid = bench.joined()

        done = control(bench, client_pid, target_pid="lobby")
        assert done.payload == {"client_pid": client_pid, "target_pid": new.pid}
        bench.joined(new)


def test_message_topic_can_be_changed() -> None:
    """``ws.control``: any of ``target_pid``, ``message_topic``, …; reconfigure or transfer"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        done = control(bench, client_pid, message_topic="chat.line")
        client.send("hello")

        assert done.topic == "ws.control.done"
        assert assert_receive(bench.target).topic == "chat.line"


def test_metadata_can_be_changed() -> None:
    with relaying(command={"metadata": {"a": 1}}) as bench, bench.connect() as client:
        client_pid = bench.joined()
        control(bench, client_pid, metadata={"b": 2})
        client.send("hello")

        message = assert_receive(bench.target)
        assert (message.topic, message.payload["metadata"]) == ("ws.message", {"b": 2})


def test_a_heartbeat_can_be_switched_on_changed_and_off() -> None:
    with relaying() as bench, bench.connect():
        client_pid = bench.joined()
        control(bench, client_pid, heartbeat_interval="10ms")
        assert_receive(bench.target, topic="ws.heartbeat")
        control(bench, client_pid, heartbeat_interval=0.005)
        assert_receive(bench.target, topic="ws.heartbeat")
        control(bench, client_pid, heartbeat_interval=0)
        bench.target.items.clear()

        assert bench.connection(client_pid)._pulse._beat_timer is None
        control(bench, client_pid, heartbeat_interval="10ms")
        control(bench, client_pid, heartbeat_interval=None)
        assert bench.connection(client_pid)._pulse._beat_timer is None


def test_heartbeats_go_to_the_new_target() -> None:
    with (
        relaying(command={"heartbeat_interval": 0.01}) as bench,
        Probe(bench.node) as new,
        bench.connect(),
    ):
        client_pid = bench.joined()
        control(bench, client_pid, target_pid=new.pid)
        bench.joined(new)
        bench.target.items.clear()

        assert_receive(new, topic="ws.heartbeat")
        assert bench.target.items == []


@pytest.mark.parametrize("target", ["{other.1@processes|7}", "nobody"])
def test_a_new_target_that_is_dead_changes_nothing(target: str) -> None:
    """If the new target is dead or unreachable nothing changes, the connection stays with the old
    target, and the requester gets ``ws.control.failed`` with the reason"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        failed = control(bench, client_pid, target_pid=target, message_topic="x", metadata={"b": 2})

        assert failed.topic == "ws.control.failed"
        assert failed.payload == {
            "client_pid": client_pid,
            "target_pid": target,
            "reason": "target_gone",
        }
        client.send("still yours")
        message = assert_receive(bench.target)
        assert (message.topic, message.payload["metadata"]) == ("ws.message", {})


def test_a_new_target_that_was_told_to_end_is_dead() -> None:
    go_on = Flag()

    def stays() -> None:
        try:
            process.receive()
        finally:
            go_on.wait(30)

    with relaying() as bench, bench.connect():
        client_pid = bench.joined()
        dying = bench.target.do(spawn, stays)
        settle(bench.node)
        bench.target.do(process.terminate, dying)
        assert dying in bench.node.processes

        assert control(bench, client_pid, target_pid=dying).topic == "ws.control.failed"
        assert_nothing(bench.target)
        go_on.set()


@pytest.mark.parametrize("interval", [10**400, "9" * 400, "soon"])
def test_a_transfer_with_a_bad_interval_changes_nothing(interval: object) -> None:
    wanted = {"heartbeat_interval": interval, "metadata": {"b": 2}}
    with relaying() as bench, Probe(bench.node) as new, bench.connect() as client:
        client_pid = bench.joined()
        with pytest.raises(InvalidRelayCommand, match="heartbeat_interval"):
            control(bench, client_pid, target_pid=new.pid, **wanted)
        client.send("still yours")

        message = assert_receive(bench.target)
        assert (message.topic, message.payload["metadata"]) == ("ws.message", {})
        assert_nothing(new)


def test_text_that_is_no_pid_is_an_error_at_the_sender() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()

        with pytest.raises(InvalidRelayCommand, match="target_pid"):
            bench.target.do(process.send, client_pid, "ws.control", {"target_pid": "{x"})
        with pytest.raises(ValueError, match="itself"):
            bench.target.do(process.send, client_pid, "ws.control", {"target_pid": client_pid})

        client.send("still yours")
        assert assert_receive(bench.target).topic == "ws.message"


def test_a_transfer_to_the_same_target_is_no_transfer() -> None:
    """Exactly one join and one leave per attachment"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        done = control(bench, client_pid, target_pid=bench.target.pid, message_topic="again")
        client.send("x")

        assert done.topic == "ws.control.done"
        assert assert_receive(bench.target).topic == "again"


def test_the_old_target_may_crash_after_a_transfer() -> None:
    def old() -> None:
        for message in inbox():
            if message.topic == "ws.leave":
                raise ValueError("out of order")

    with (
        relaying(lambda b: relay(spawn(old))) as bench,
        Probe(bench.node) as new,
        bench.connect() as client,
    ):
        wait_for(bench.connections)
        connection = bench.connections()[0]
        old_pid = connection.session.target_pid
        control(bench, connection.pid, target_pid=new.pid)
        bench.wait_gone(old_pid)
        settle(bench.node)

        client.send("still here")
        assert assert_receive(new, topic="ws.message").payload["data"] == "still here"


def test_the_new_target_is_monitored_and_the_old_one_no_more() -> None:
    with relaying() as bench, Probe(bench.node) as new, bench.connect():
        client_pid = bench.joined()
        control(bench, client_pid, target_pid=new.pid)

        info = bench.target.do(process.info, client_pid)
        assert info is not None
        assert info.monitors == (new.pid,)


def test_a_new_target_that_dies_at_once_closes_the_connection() -> None:
    def dies() -> None:
        process.receive("ws.join")
        raise ValueError("at once")

    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        control(bench, client_pid, target_pid=bench.target.do(spawn, dies))

        assert client.wait_closed() == (1011, "target failed")
        leaves = [p for p in payloads(bench.target) if p[0] == "ws.leave"]
        assert leaves == [("ws.leave", "transfer")]


def test_there_and_back_again() -> None:
    with relaying() as bench, Probe(bench.node) as new, bench.connect() as client:
        client_pid = bench.joined()
        for target in (new, bench.target):
            control(bench, client_pid, target_pid=target.pid)
            client.send(f"to {target.pid}")
            assert_receive(target, topic="ws.message")

        assert payloads(new) == [("ws.join", "transfer"), ("ws.leave", "transfer")]
        assert payloads(bench.target) == [("ws.leave", "transfer"), ("ws.join", "transfer")]


def test_a_transfer_of_a_closing_connection_does_nothing() -> None:
    with relaying() as bench, Probe(bench.node) as new, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.send, client_pid, "ws.close")
        fields = {"target_pid": new.pid}

        assert bench.target.do(process.send, client_pid, "ws.control", fields) is False
        client.wait_closed()
        assert_nothing(new)


@pytest.mark.parametrize("overflow", ["refuse", "block"])
def test_a_transfer_with_a_full_old_inbox_loses_nothing(overflow: str) -> None:
    """messages read before it went to the old target, messages after it go to the new one, and
    none is lost, doubled or overtaken"""
    count = 200
    got: dict[str, list[tuple[str, Any]]] = {"old": [], "new": []}
    gates = {"old": Flag(), "new": gevent.event.Event()}

    def target(name: str) -> None:
        gates[name].wait(30)
        for message in inbox():
            assert isinstance(message.payload, dict)
            got[name].append((message.topic, message.payload.get("data")))

    with relaying(lambda b: relay(old[0])) as bench:
        bench.node.add_host(Host("small", inbox_limit=4, overflow=overflow, block_timeout=0.2))
        old = [bench.node.spawn(target, "old", host="small")]
        new = bench.node.spawn(target, "new", host="small")
        with bench.connect() as client:
            for number in range(count):
                client.protocol.send_text(str(number).encode())
            client._flush()
            wait_for(bench.connections)
            connection = bench.connections()[0]
            wait_for(lambda: connection.backlog is not None and connection.backlog.is_full)

            control(bench, connection.pid, target_pid=new)
            gates["old"].set()
            gates["new"].set()
            wait_for(lambda: len(got["old"]) + len(got["new"]) == count + 3)

            assert [topic for topic, _ in got["old"]] == [
                "ws.join",
                *["ws.message"] * 3,
                "ws.leave",
            ]
            assert got["new"][0][0] == "ws.join"
            data = [data for name in ("old", "new") for topic, data in got[name] if data]
            assert data == [str(number) for number in range(count)]
            client.drop()


class Sink:
    """A target that keeps what it gets, in order, and can be slow."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.got: list[tuple[str, Any]] = []
        self._is_slow = is_slow

    def run(self) -> None:
        for message in inbox():
            assert isinstance(message.payload, dict)
            self.got.append((message.topic, message.payload.get("data")))
            if self._is_slow and len(self.got) % 7 == 0:
                # It is slow for letting the others run first; there is nothing it waits for.
                gevent.sleep(0)

    def attachments(self) -> list[list[int]]:
        """Return the numbers of each attachment; checks join first and leave last."""
        found: list[list[int]] = []
        is_attached = False
        for topic, data in self.got:
            if topic == "ws.join":
                assert not is_attached
                is_attached = True
                found.append([])
            elif topic == "ws.leave":
                assert is_attached
                is_attached = False
            else:
                assert is_attached, "a message outside of join and leave"
                found[-1].append(int(data))
        assert not is_attached
        return found


@pytest.mark.parametrize("limit", [10_000, 5])
def test_10_000_messages_across_100_transfers_arrive_once_and_in_order(limit: int) -> None:
    """none is lost, doubled or overtaken"""
    count, transfers = 10_000, 100
    sinks = [Sink(is_slow=number % 2 == 0) for number in range(5)]
    pids: list[Pid] = []

    def transfer(client_pid: str, is_read: Callable[[int], bool]) -> None:
        for number in range(1, transfers + 1):
            wait_for(partial(is_read, number * count // (transfers + 1)))
            process.send(client_pid, "ws.control", {"target_pid": pids[number % len(pids)]})
            assert process.receive(timeout=30).topic == "ws.control.done"  # type: ignore[union-attr]

    with relaying(lambda b: relay(pids[0])) as bench:
        bench.node.add_host(Host("small", inbox_limit=limit))
        pids.extend(bench.node.spawn(sink.run, host="small") for sink in sinks)
        with bench.connect() as client:
            wait_for(bench.connections)
            connection = bench.connections()[0]
            mover = bench.node.spawn(
                transfer, connection.pid, lambda count: connection.session.message_count >= count
            )
            for number in range(count):
                client.send(str(number))
                if number % 50 == 0:
                    # The server is to read and move while more comes, whatever it has done by then.
                    gevent.sleep(0)
            bench.wait_gone(mover)
            client.close()
        bench.wait_gone(connection.pid)
        wait_for(lambda: sum(len(s.got) for s in sinks) == count + 2 * (transfers + 1))

        attachments = [numbers for sink in sinks for numbers in sink.attachments()]
        assert len(attachments) == transfers + 1
        for numbers in attachments:
            assert (
                numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else True
            )
        # In order of their first number the attachments are the whole stream.
        stream = [n for numbers in sorted(filter(None, attachments)) for n in numbers]
        assert stream == list(range(count))
