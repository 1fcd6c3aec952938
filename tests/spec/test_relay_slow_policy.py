"""WebSocket Relay: "Options", row ``wsrelay.slow.policy``; ``close`` is in test_relay_slowness."""

import gevent
import pytest

from greenrelay import InboxFull, process
from greenrelay.web import relay
from tests.probe import Probe, assert_receive, settle, wait_for
from tests.relayed import COUNT, PAD
from tests.relaying import relaying
from tests.serving import WebSocketClient


def numbers(client: WebSocketClient) -> list[int]:
    """Read what has come, up to the word "end"."""
    found: list[int] = []
    while (message := client.recv()) != "end":
        assert message is not None, f"closed with {client.close_code} after {found}"
        found.append(int(str(message).split()[0]))
    return found


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_frames_are_dropped_and_the_connection_lives(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    """``wsrelay.slow.policy``: ``drop_oldest``, ``drop_newest``"""
    with relaying(slow_policy=policy, queue_messages=4) as bench, bench.connect() as client:
        connection = bench.connection(bench.joined())

        assert bench.send_numbers(connection.pid) == [True] * COUNT

        assert connection.depth() == 4
        assert connection.socket.queued_bytes <= 4 * 100_200
        reading = gevent.spawn(numbers, client)
        wait_for(lambda: not connection.depth())
        bench.node.send(connection.pid, "ws.send", "end")
        found = reading.get(timeout=30)
        assert found == sorted(set(found))
        assert len(found) < COUNT
        if policy == "drop_newest":
            assert found == list(range(len(found)))
        else:
            assert found[-3:] == list(range(COUNT - 3, COUNT))
        assert caplog.text.count(policy) == 1
        assert client.close() == (1000, "")
        result = assert_receive(bench.target, topic="ws.leave").payload
        assert result["clean"]


def test_what_was_dropped_does_not_count_as_sent() -> None:
    with (
        relaying(slow_policy="drop_newest", queue_messages=2) as bench,
        Probe(bench.node) as watcher,
        bench.connect() as client,
    ):
        client_pid = bench.joined()
        watcher.do(process.monitor, client_pid)
        connection = bench.connection(client_pid)
        bench.send_numbers(client_pid)
        reading = gevent.spawn(numbers, client)
        wait_for(lambda: not connection.depth())
        bench.node.send(client_pid, "ws.send", "end")
        found = reading.get(timeout=30)
        client.close()

        result = assert_receive(watcher, kind="EXIT").result
        assert result.value["messages_out"] == len(found) + 1


def test_a_ping_that_was_dropped_is_no_message_that_was() -> None:
    with relaying(slow_policy="drop_oldest", queue_messages=4) as bench, bench.connect() as client:
        connection = bench.connection(bench.joined())
        while not connection.depth():
            bench.node.send(connection.pid, "ws.send", PAD)
        sent = connection.messages_out
        for _ in range(3):
            connection.ping(b"")
        assert connection.depth() == 4

        bench.node.send(connection.pid, "ws.send", "in place of a ping")

        assert connection.messages_out == sent + 1
        assert connection.figures is not None
        assert connection.figures.drops["drop_oldest"] == 0
        client.drop()


def test_nothing_is_dropped_for_a_frame_that_is_larger_than_the_queue() -> None:
    with (
        relaying(slow_policy="drop_oldest", queue_bytes="400kB") as bench,
        bench.connect() as client,
    ):
        connection = bench.connection(bench.joined())
        while not connection.depth():
            bench.node.send(connection.pid, "ws.send", PAD)
        for _ in range(2):
            bench.node.send(connection.pid, "ws.send", "waits")
        depth, sent = connection.depth(), connection.messages_out

        assert bench.node.send(connection.pid, "ws.send", PAD * 5)

        assert (connection.depth(), connection.messages_out) == (depth, sent)
        assert connection.figures is not None
        assert connection.figures.drops["drop_oldest"] == 1
        client.drop()


def test_a_process_that_sends_waits_until_there_is_room() -> None:
    """``block <duration>``"""
    with (
        relaying(slow_policy="block 10s", queue_messages=4) as bench,
        Probe(bench.node) as other,
        bench.connect() as client,
        bench.connect() as quick,
    ):
        slow_pid, quick_pid = bench.joined(), bench.joined()
        connection = bench.connection(slow_pid)
        sending = gevent.spawn(other.do, bench.send_all, slow_pid)
        wait_for(lambda: connection.depth() == 4)
        settle(bench.node)

        # It waits, and nobody else does.
        assert not sending.ready()
        assert bench.target.do(process.send, quick_pid, "ws.send", "prompt")
        assert quick.recv() == "prompt"
        assert numbers(client) == list(range(COUNT))
        assert sending.get(timeout=30) == [True] * (COUNT + 1)


def test_two_processes_that_wait_for_one_client_both_get_through() -> None:
    with (
        relaying(slow_policy="block 10s", queue_messages=2) as bench,
        Probe(bench.node) as one,
        Probe(bench.node) as other,
        bench.connect() as client,
    ):
        client_pid = bench.joined()
        both = [gevent.spawn(each.do, bench.send_all, client_pid) for each in (one, other)]
        wait_for(lambda: bench.connection(client_pid).depth() == 2)

        found = [*numbers(client), *numbers(client)]

        assert sorted(found) == sorted([*range(COUNT), *range(COUNT)])
        assert [all(each.get(timeout=30)) for each in both] == [True, True]


def test_a_client_that_makes_no_room_in_time_is_closed_with_4008() -> None:
    with relaying(slow_policy="block 50ms", queue_messages=2) as bench, bench.connect() as client:
        client_pid = bench.joined()

        sent = bench.target.do(bench.send_all, client_pid)

        assert sent[0]
        assert not sent[-1]
        assert client.wait_closed() == (4008, "slow")


def test_a_sender_whose_client_leaves_goes_on() -> None:
    with relaying(slow_policy="block 10s", queue_messages=2) as bench, bench.connect() as client:
        client_pid = bench.joined()
        with Probe(bench.node) as sender:
            sending = gevent.spawn(sender.do, bench.send_all, client_pid)
            wait_for(lambda: bench.connection(client_pid).depth() == 2)
            client.drop()

            assert not sending.get(timeout=30)[-1]


def test_a_sender_that_is_told_to_end_does() -> None:
    with relaying(slow_policy="block 10s", queue_messages=2) as bench, bench.connect() as client:
        client_pid = bench.joined()
        sender = bench.node.spawn(bench.send_all, client_pid)
        wait_for(lambda: bench.connection(client_pid).depth() == 2)
        settle(bench.node)

        bench.node.terminate(sender)

        bench.wait_gone(sender)
        client.drop()


def test_who_ends_a_client_does_not_wait_for_another_one_that_is_its_target() -> None:
    """A client that does not read costs its own queue and nothing else"""
    pids: list[str] = []
    with (
        relaying(
            lambda b: relay(pids[0] if pids else b.target.pid),
            slow_policy="block 10s",
            queue_messages=2,
        ) as bench,
        bench.connect() as slow,
    ):
        pids.append(bench.joined())
        with bench.connect() as talker:
            assert slow.recv_json()["topic"] == "ws.join"
            with pytest.raises(InboxFull):
                bench.send_numbers(pids[0])
            (pid,) = (each.pid for each in bench.connections() if each.pid != pids[0])

            bench.target.do(process.terminate, pid)

            assert pid not in bench.node.processes
            assert bench.connection(pids[0]).is_open
            talker.drop()
        slow.drop()


def test_who_is_no_process_cannot_wait_and_is_told_so() -> None:
    with relaying(slow_policy="block 10s", queue_messages=2) as bench, bench.connect() as client:
        connection = bench.connection(bench.joined())
        with pytest.raises(InboxFull):
            bench.send_numbers(connection.pid)

        assert connection.is_open
        assert connection.depth() == 2
        client.drop()


def test_a_client_whose_target_is_another_slow_client_is_read_no_more() -> None:
    """A target that does not keep up makes the relay stop reading that client's socket"""
    pids: list[str] = []
    with (
        relaying(
            lambda b: relay(pids[0] if pids else b.target.pid),
            slow_policy="block 10s",
            queue_messages=2,
        ) as bench,
        bench.connect() as slow,
    ):
        pids.append(bench.joined())
        target = bench.connection(pids[0])
        with bench.connect() as talker:
            sent: list[int] = []

            def talk() -> None:
                for number in range(COUNT * 5):
                    talker.send(f"{number} {'x' * 60_000}")
                    sent.append(number)

            talking = gevent.spawn(talk)
            wait_for(lambda: target.depth() == 2)
            wait_for(lambda: bench.has_stopped(sent))

            assert len(sent) < COUNT * 5
            assert target.is_open
            # What goes through a connection is the JSON of the message, ws.join first.
            assert slow.recv_json()["topic"] == "ws.join"
            for number in range(COUNT * 5):
                assert slow.recv_json()["data"]["data"].split()[0] == str(number)
            talking.join(30)
