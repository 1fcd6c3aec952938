"""Server-sent Events Relay: ``sse.control``, and WebSocket Relay, "Transfer"."""

from __future__ import annotations

from typing import Any

import pytest

from greenrelay import process
from greenrelay.errors import InvalidRelayCommand
from greenrelay.web import stream
from tests.probe import Probe, assert_not_received, assert_receive, settle
from tests.streaming import Bench, streaming


def control(bench: Bench, requester: Probe, stream_pid: str, **fields: Any) -> Any:
    """Ask for a change and return the answer."""
    assert requester.do(process.send, stream_pid, "sse.control", fields)
    return assert_receive(requester)


def test_a_transfer_is_a_leave_and_a_join() -> None:
    """The old target sees … ``ws.leave`` (reason ``transfer``, the old metadata); the new target
    sees ``ws.join``"""
    with (
        streaming(command={"metadata": {"a": 1}}) as bench,
        bench.listen(headers={"Last-Event-ID": "3"}) as client,
        Probe(bench.node) as other,
    ):
        stream_pid = bench.joined()
        with Probe(bench.node) as requester:
            answer = control(bench, requester, stream_pid, target_pid=other.pid, metadata={"b": 2})

        assert (answer.topic, answer.sender) == ("sse.control.done", stream_pid)
        assert answer.payload == {"client_pid": stream_pid, "target_pid": other.pid}
        leave = assert_receive(bench.target, topic="sse.leave").payload
        assert (leave["reason"], leave["clean"], leave["metadata"]) == ("transfer", True, {"a": 1})
        join = assert_receive(other, topic="sse.join").payload
        assert (join["reason"], join["metadata"]) == ("transfer", {"b": 2})
        assert join["last_event_id"] == "3"

        # Only the new target's end concerns the stream now.
        bench.node.terminate(bench.target.pid)
        settle(bench.node)
        bench.node.terminate(other.pid)
        assert [event.json() for event in client.rest()] == [{"reason": "target failed"}]


def test_a_detached_stream_gets_a_target_and_loses_it_again() -> None:
    with (
        streaming(lambda b: stream()) as bench,
        bench.listen() as client,
        Probe(bench.node) as requester,
    ):
        stream_pid = client.event().json()["stream_pid"]
        control(bench, requester, stream_pid, target_pid=bench.target.pid)
        assert bench.joined() == stream_pid

        answer = control(bench, requester, stream_pid, target_pid=None)

        assert answer.payload == {"client_pid": stream_pid, "target_pid": None}
        assert assert_receive(bench.target, topic="sse.leave").payload["reason"] == "transfer"
        bench.node.terminate(bench.target.pid)
        settle(bench.node)
        bench.node.send(stream_pid, "sse.message", "still here")
        assert client.event().data == "still here"


def test_a_target_that_is_gone_changes_nothing() -> None:
    """If the new target is dead or unreachable nothing changes"""
    with streaming() as bench, bench.listen() as client, Probe(bench.node) as requester:
        stream_pid = bench.joined()

        for nobody in ("nobody", "{n@h|999}"):
            answer = control(
                bench, requester, stream_pid, target_pid=nobody, message_topic="changed"
            )
            assert answer.topic == "sse.control.failed"
            assert answer.payload == {
                "client_pid": stream_pid,
                "target_pid": nobody,
                "reason": "target_gone",
            }
        assert_not_received(bench.target, topic="sse.leave")
        bench.node.send(stream_pid, "sse.message", "as before")
        assert client.event().data == "as before"


def test_the_same_target_is_no_transfer() -> None:
    with streaming() as bench, bench.listen(), Probe(bench.node) as requester:
        stream_pid = bench.joined()

        answer = control(bench, requester, stream_pid, target_pid=bench.target.pid)

        assert answer.topic == "sse.control.done"
        assert_not_received(bench.target, topic="sse.leave")


def test_the_message_topic_and_the_next_number_change() -> None:
    with streaming() as bench, bench.listen() as client, Probe(bench.node) as requester:
        stream_pid = bench.joined()
        control(bench, requester, stream_pid, message_topic="news", next_id=100)
        bench.node.send(stream_pid, "sse.message", "unseen")
        bench.node.send(stream_pid, "news", "seen")

        assert client.event() == ("news", "seen", "100")


def test_a_heartbeat_begins_and_ends() -> None:
    with (
        streaming(ping_interval=0) as bench,
        bench.listen() as client,
        Probe(bench.node) as requester,
    ):
        stream_pid = bench.joined()
        control(bench, requester, stream_pid, heartbeat_interval="10ms")
        assert client.comment() == "heartbeat"

        control(bench, requester, stream_pid, heartbeat_interval=0)

        assert bench.stream(stream_pid).clock.deadline is None


@pytest.mark.parametrize("name", ["idle_timeout", "hard_timeout"])
def test_a_timeout_begins_now(name: str) -> None:
    with streaming() as bench, bench.listen() as client, Probe(bench.node) as requester:
        control(bench, requester, bench.joined(), **{name: "20ms"})

        (last,) = client.rest()
        assert last.json() == {"reason": name.replace("_", " ")}


def test_a_timeout_that_is_taken_back_ends_nothing() -> None:
    command = {"hard_timeout": "30s", "idle_timeout": "30s", "heartbeat_interval": "30s"}
    with (
        streaming(command=command, ping_interval=0) as bench,
        bench.listen(),
        Probe(bench.node) as requester,
    ):
        stream_pid = bench.joined()
        clock = bench.stream(stream_pid).clock
        assert clock.deadline is not None

        control(
            bench,
            requester,
            stream_pid,
            hard_timeout=None,
            idle_timeout=None,
            heartbeat_interval=None,
        )

        assert clock.deadline is None


@pytest.mark.parametrize(
    "fields", [{}, {"next_id": 0}, {"target_pid": "{nonsense"}, {"unknown": 1}, {"metadata": 7}]
)
def test_a_bad_control_is_an_error_at_the_sender(fields: dict[str, object]) -> None:
    """A bad payload is an error at the sender … the connection lives on"""
    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()
        with pytest.raises(InvalidRelayCommand, match=r"^sse\.control: "):
            bench.node.send(stream_pid, "sse.control", fields)
        with pytest.raises(InvalidRelayCommand, match="the stream itself"):
            bench.node.send(stream_pid, "sse.control", {"target_pid": stream_pid})
        bench.node.send(stream_pid, "sse.message", "still here")

        assert client.event().data == "still here"


def test_who_is_no_process_gets_no_answer() -> None:
    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()
        assert bench.node.send(stream_pid, "sse.control", {"message_topic": "*"})
        bench.node.send(stream_pid, "any", "x")

        assert client.event().name == "any"
