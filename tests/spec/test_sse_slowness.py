"""Server-sent Events Relay: the same rules hold for slowness. WebSocket Relay, "Slowness"."""

from __future__ import annotations

import logging
from typing import Any

import gevent
import pytest

from greenrelay import InboxFull, process
from tests.probe import Probe, assert_event, assert_receive, settle, wait_for
from tests.relayed import COUNT, PAD
from tests.streaming import Event, EventClient, streaming


def numbers(client: EventClient) -> list[int]:
    """Read what has come, up to the word "end"."""
    found: list[int] = []
    while (event := client.event()).data != "end":
        found.append(int(event.data.split()[0]))
    return found


def test_a_client_that_does_not_read_costs_its_own_queue_and_nothing_else() -> None:
    """no send to it ever blocks another process, the supervisor, or the delivery to other
    clients"""
    with (
        streaming() as bench,
        Probe(bench.node) as watcher,
        bench.listen() as slow,
        bench.listen() as quick,
    ):
        slow_pid, quick_pid = bench.joined(), bench.joined()
        watcher.do(process.monitor, slow_pid)

        sent = bench.send_numbers(slow_pid)
        bench.node.send(quick_pid, "sse.message", "prompt")

        assert sent[0]
        assert not sent[-1]
        assert quick.event().data == "prompt"
        leave = assert_receive(bench.target, topic="sse.leave").payload
        assert (leave["reason"], leave["clean"]) == ("slow", False)
        result = assert_event(watcher, kind="EXIT").result
        assert (result.reason, result.value["reason"]) == ("slow", "slow")
        # What had begun is finished, and then it is told why.
        assert slow.rest()[-1] == Event("done", '{"reason":"slow"}', slow.parser.last_event_id)


def test_queue_bytes_bounds_what_waits() -> None:
    with streaming(queue_bytes="250kB") as bench, bench.listen():
        stream = bench.stream(bench.joined())
        most = 0
        while bench.node.send(stream.pid, "sse.message", PAD):
            most = max(most, stream.socket.queued_bytes)

        assert 0 < most <= 250_000


def test_queue_messages_bounds_what_waits() -> None:
    with streaming(queue_messages=3) as bench, bench.listen():
        stream = bench.stream(bench.joined())
        most = 0
        while bench.node.send(stream.pid, "sse.message", PAD):
            most = max(most, stream.depth())

        assert most == 3


def test_a_close_comes_after_all_that_was_sent_before() -> None:
    with streaming(queue_bytes="100MiB") as bench, bench.listen() as client:
        stream = bench.stream(bench.joined())
        bench.send_numbers(stream.pid)
        assert stream.depth()
        bench.node.send(stream.pid, "sse.close", "enough")
        settle(bench.node)
        # It is no more than what the client has still to take.
        assert not bench.node.send(stream.pid, "sse.message", "too late")

        *events, last = client.rest()

        assert [int(event.data.split()[0]) for event in events] == list(range(COUNT))
        assert [int(event.last_event_id) for event in events] == list(range(1, COUNT + 1))
        assert last.json() == {"reason": "enough"}
        leave = assert_receive(bench.target, topic="sse.leave").payload
        assert (leave["reason"], leave["clean"]) == ("enough", True)


def test_a_client_that_leaves_while_its_stream_closes_has_not_read_to_the_end() -> None:
    with streaming(queue_bytes="100MiB") as bench, bench.listen() as client:
        stream = bench.stream(bench.joined())
        bench.send_numbers(stream.pid)
        bench.node.send(stream.pid, "sse.close", "enough")

        client.drop()

        assert not assert_receive(bench.target, topic="sse.leave").payload["clean"]


def test_a_client_that_does_not_read_to_the_end_is_dropped() -> None:
    with streaming(queue_bytes="100MiB", drain_period="50ms") as bench, bench.listen():
        stream = bench.stream(bench.joined())
        bench.send_numbers(stream.pid)
        stream.close("enough")

        stream.abandon()

        leave = assert_receive(bench.target, topic="sse.leave").payload
        assert leave["reason"] == "the client did not read to the end"


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest"])
def test_events_are_dropped_and_the_stream_lives(
    policy: str, caplog: pytest.LogCaptureFixture
) -> None:
    with streaming(slow_policy=policy, queue_messages=4) as bench, bench.listen() as client:
        stream = bench.stream(bench.joined())

        assert bench.send_numbers(stream.pid) == [True] * COUNT

        assert stream.depth() == 4
        reading = gevent.spawn(numbers, client)
        wait_for(lambda: not stream.depth())
        bench.node.send(stream.pid, "sse.message", "end")
        found = reading.get(timeout=30)
        assert found == sorted(set(found))
        assert len(found) < COUNT
        if policy == "drop_newest":
            assert found == list(range(len(found)))
        else:
            assert found[-3:] == list(range(COUNT - 3, COUNT))
        assert stream.messages_out == len(found) + 1
        assert caplog.text.count(policy) == 1


def test_numbers_grow_whoever_had_to_wait() -> None:
    """``block <duration>``"""
    with (
        streaming(slow_policy="block 10s", queue_messages=2) as bench,
        Probe(bench.node) as one,
        Probe(bench.node) as other,
        bench.listen() as client,
    ):
        stream_pid = bench.joined()
        both = [gevent.spawn(each.do, bench.send_all, stream_pid) for each in (one, other)]
        wait_for(lambda: bench.stream(stream_pid).depth() == 2)

        count = 2 * (COUNT + 1)
        ids = [int(client.event().last_event_id) for _ in range(count)]

        assert ids == list(range(1, count + 1))
        assert [all(each.get(timeout=30)) for each in both] == [True, True]


def test_a_client_that_makes_no_room_in_time_is_let_go() -> None:
    with streaming(slow_policy="block 50ms", queue_messages=2) as bench, bench.listen():
        sent = bench.target.do(bench.send_all, bench.joined())

        assert sent[0]
        assert not sent[-1]


def test_who_is_no_process_cannot_wait_and_is_told_so() -> None:
    with streaming(slow_policy="block 10s", queue_messages=2) as bench, bench.listen():
        stream = bench.stream(bench.joined())
        with pytest.raises(InboxFull):
            bench.send_numbers(stream.pid)

        assert stream.is_open


def test_a_comment_that_finds_no_room_is_left_out_where_events_may_be() -> None:
    with (
        streaming(slow_policy="drop_newest", queue_messages=2, ping_interval="5ms") as bench,
        bench.listen() as client,
    ):
        stream = bench.stream(bench.joined())
        bench.send_numbers(stream.pid)
        before = stream.clock.deadline
        wait_for(lambda: stream.clock.deadline != before)
        assert stream.is_open

        reading = gevent.spawn(numbers, client)
        wait_for(lambda: not stream.depth())
        bench.node.send(stream.pid, "sse.message", "end")
        assert reading.get(timeout=30)


def test_a_comment_that_finds_no_room_is_one_too_many_for_a_slow_client() -> None:
    with (
        streaming(queue_messages=2, ping_interval="20ms") as bench,
        bench.listen(),
    ):
        stream = bench.stream(bench.joined())
        while stream.depth() < 2:
            bench.node.send(stream.pid, "sse.message", PAD)

        assert assert_receive(bench.target, topic="sse.leave").payload["reason"] == "slow"


def test_a_client_that_takes_nothing_for_too_long_is_given_up() -> None:
    """a dead peer is gone within 35 s"""
    options: dict[str, Any] = {"ping_interval": "100ms", "ping_timeout": "300ms"}
    with streaming(**options, queue_bytes="100MiB") as bench, bench.listen():
        stream_pid = bench.joined()
        # A window that stays shut is the nearest to a cable that is cut.
        bench.send_numbers(stream_pid)

        leave = assert_receive(bench.target, topic="sse.leave", timeout=30).payload
        assert leave["reason"].startswith("connection lost: ")


def test_what_waits_is_seen_in_the_heartbeat(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    with streaming(command={"heartbeat_interval": "10ms"}) as bench, bench.listen():
        stream = bench.stream(bench.joined())
        while not stream.depth():
            bench.node.send(stream.pid, "sse.message", PAD)
        bench.target.items.clear()

        assert assert_receive(bench.target, topic="sse.heartbeat").payload["queued"] >= 1
