"""Server-sent Events Relay: the stream, its events, its topics, its endings."""

from __future__ import annotations

import gc
import logging
from contextlib import ExitStack
from typing import Any

import gevent
import pytest

from greenrelay import inbox, process, receive, send, spawn
from greenrelay.errors import InvalidEventName
from greenrelay.transport.stream import Stream
from greenrelay.web import stream
from tests.probe import Probe, assert_event, assert_receive, settle, wait_for
from tests.streaming import Bench, Event, raw_command, streaming


def test_the_handler_answers_with_a_header_and_the_client_listens() -> None:
    """the handler answers with ``X-SSE-Relay``"""
    with (
        streaming(lambda b: ("", 201, raw_command(target_pid=b.target.pid))) as bench,
        bench.listen() as client,
    ):
        stream_pid = bench.joined()
        assert bench.node.send(stream_pid, "sse.message", "hello")

        assert client.event() == Event("sse.message", "hello", "1")
        assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert client.headers["cache-control"] == "no-cache, no-transform"
        assert client.headers["x-accel-buffering"] == "no"
        assert client.headers["connection"] == "close"
        assert "x-sse-relay" not in client.headers


def test_the_headers_of_the_view_come_along_but_not_what_would_break_the_stream() -> None:
    def view(bench: Bench) -> Any:
        response = stream(bench.target.pid)
        response.set_cookie("seen", "yes")
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Type"] = "text/html"
        response.headers["Content-Encoding"] = "gzip"
        return response

    with streaming(view) as bench, bench.listen() as client:
        assert client.headers["set-cookie"] == "seen=yes; Path=/"
        assert client.headers["cache-control"] == "no-store"
        assert client.headers["content-type"].startswith("text/event-stream")
        assert client.headers.keys().isdisjoint({"content-encoding", "content-length"})


def test_the_stream_is_a_process_with_a_pid() -> None:
    """the stream is a process with a PID"""
    with streaming() as bench, bench.listen(), Probe(bench.node) as watcher:
        stream_pid = bench.joined()
        info = watcher.do(process.info, stream_pid)
        assert info is not None
        assert (info.entry, info.depth) == ("stream", 0)

        watcher.do(process.monitor, stream_pid)
        bench.node.send(stream_pid, "sse.close", "bye")

        result = assert_event(watcher, kind="EXIT").result
        assert result.is_normal
        value = result.value
        assert value.pop("duration") >= 0
        assert value.pop("bytes_out") > 0
        assert value == {
            "code": None,
            "reason": "bye",
            "clean": True,
            "messages_in": 0,
            "messages_out": 0,
            "bytes_in": 0,
        }


def test_join_comes_before_anything_else_and_leave_after_it() -> None:
    """``sse.join``, ``sse.leave`` … to the target, shaped as the ``ws.`` ones"""
    with streaming(command={"metadata": {"user_id": 7}}) as bench, bench.listen() as client:
        join = assert_receive(bench.target)
        stream_pid = join.payload["client_pid"]
        client.drop()
        leave = assert_receive(bench.target)

    assert (join.topic, join.sender) == ("sse.join", stream_pid)
    assert join.payload == {
        "client_pid": stream_pid,
        "metadata": {"user_id": 7},
        "subprotocol": None,
        "path": "/events",
        "remote_addr": "127.0.0.1",
        "reason": "connect",
        "last_event_id": None,
    }
    assert (leave.topic, leave.sender) == ("sse.leave", stream_pid)
    assert leave.payload == {
        "client_pid": stream_pid,
        "reason": "connection closed by the client",
        "code": None,
        "clean": False,
        "metadata": {"user_id": 7},
    }


def test_the_last_event_id_is_handed_to_the_target() -> None:
    """A ``Last-Event-ID`` request header is handed to the target in ``sse.join``"""
    with streaming() as bench, bench.listen(headers={"Last-Event-ID": "41"}):
        payload = assert_receive(bench.target, topic="sse.join").payload

        assert (payload["last_event_id"], payload["reason"]) == ("41", "resume")


def test_events_are_numbered_from_1() -> None:
    """events named after the topic, with ``id:`` numbered from 1"""
    with streaming(command={"message_topic": "*"}) as bench, bench.listen() as client:
        stream_pid = bench.joined()
        for topic in ("a", "b", "sse.message"):
            bench.node.send(stream_pid, topic, topic)

        assert [client.event() for _ in range(3)] == [
            Event("a", "a", "1"),
            Event("b", "b", "2"),
            Event("sse.message", "sse.message", "3"),
        ]


def test_a_target_that_knows_what_came_before_goes_on_counting() -> None:
    """A ``Last-Event-ID`` request header is handed to the target in ``sse.join``"""

    def report() -> None:
        for message in inbox():
            payload: Any = message.payload
            if message.topic != "sse.join":
                return
            number = int(payload["last_event_id"]) + 1
            send(payload["client_pid"], "sse.control", {"next_id": number})
            send(payload["client_pid"], "sse.message", "what you have missed")

    headers = {"Last-Event-ID": "7"}
    with (
        streaming(lambda b: stream(spawn(report))) as bench,
        bench.listen(headers=headers) as client,
    ):
        assert client.event() == Event("sse.message", "what you have missed", "8")


def test_without_a_target_the_first_event_says_how_to_reach_the_stream() -> None:
    """absent: detached, first event ``ready`` with ``stream_pid`` and ``message_topic``"""
    with streaming(lambda b: stream(message_topic="news")) as bench, bench.listen() as client:
        ready = client.event()
        assert (ready.name, ready.last_event_id) == ("ready", "")
        fields = ready.json()
        assert fields == {"stream_pid": bench.streams()[0].pid, "message_topic": "news"}

        bench.node.send(fields["stream_pid"], "news", {"no": 1})

        assert client.event() == Event("news", '{"no":1}', "1")


def test_another_topic_goes_nowhere() -> None:
    """messages on ``message_topic`` become events"""
    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()

        assert bench.node.send(stream_pid, "other", "lost")
        assert bench.node.send(stream_pid, "sse.join", "lost")
        bench.node.send(stream_pid, "sse.message", "seen")

        assert client.event() == Event("sse.message", "seen", "1")


def test_the_relays_own_topics_never_reach_a_client() -> None:
    with streaming(command={"message_topic": "*"}) as bench, bench.listen() as client:
        stream_pid = bench.joined()
        for topic in ("sse.join", "sse.leave", "sse.heartbeat", "sse.control.failed"):
            assert bench.node.send(stream_pid, topic, {})
        bench.node.send(stream_pid, "seen")

        assert client.event() == Event("seen", "null", "1")


def test_newlines_in_an_event_name_are_refused_at_the_sender() -> None:
    """in an event name they are refused at the sender"""
    with streaming(command={"message_topic": "*"}) as bench, bench.listen() as client:
        stream_pid = bench.joined()
        with pytest.raises(InvalidEventName):
            bench.node.send(stream_pid, "a\ndata: injected", "x")
        with pytest.raises(TypeError):
            bench.node.send(stream_pid, "a", object())
        bench.node.send(stream_pid, "sane", "one\ntwo")

        assert client.event() == Event("sane", "one\ntwo", "1")


def test_a_heartbeat_is_a_comment_to_the_client_and_a_message_to_the_target() -> None:
    """a comment line to the client and ``sse.heartbeat`` to the target"""
    command = {"heartbeat_interval": "20ms", "metadata": {"a": 1}}
    with streaming(command=command) as bench, bench.listen() as client:
        stream_pid = bench.joined()
        bench.node.send(stream_pid, "sse.message", "x")

        assert client.comment() == "heartbeat"
        beat = assert_receive(bench.target, topic="sse.heartbeat")
        assert beat.sender == stream_pid
        assert beat.payload.pop("uptime") > 0
        assert beat.payload == {
            "client_pid": stream_pid,
            "message_count": 1,
            "metadata": {"a": 1},
            "rtt": None,
            "queued": 0,
        }


def test_a_detached_stream_beats_to_its_client() -> None:
    with (
        streaming(lambda b: stream(heartbeat_interval="10ms")) as bench,
        bench.listen() as client,
    ):
        assert [client.comment(), client.comment()] == ["heartbeat"] * 2


def test_a_silent_stream_is_kept_alive_by_comments() -> None:
    with streaming(ping_interval="10ms") as bench, bench.listen() as client:
        assert [client.comment(), client.comment()] == ["ping"] * 2


def test_a_browser_is_told_how_long_to_wait_before_it_comes_back() -> None:
    with streaming(retry="1500ms") as bench, bench.listen() as client:
        bench.node.send(bench.joined(), "sse.message", "")
        client.event()

        assert client.parser.retry == 1500


def test_a_retry_of_0_leaves_that_to_the_browser() -> None:
    with streaming(retry=0) as bench, bench.listen() as client:
        bench.node.send(bench.joined(), "sse.message", "")
        client.event()

        assert client.parser.retry is None


# endings


@pytest.mark.parametrize(
    ("payload", "reason"), [(None, "closed by server"), ("bye", "bye"), ({"reason": "x"}, "x")]
)
def test_a_close_is_the_last_event(payload: object, reason: str) -> None:
    """At the end the client gets a ``done`` event with ``{"reason"}``"""
    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()
        bench.node.send(stream_pid, "sse.message", "last words")
        bench.node.send(stream_pid, "sse.close", payload)

        words, last = client.rest()
        assert words == Event("sse.message", "last words", "1")
        assert (last.name, last.json()) == ("done", {"reason": reason})
        leave = assert_receive(bench.target, topic="sse.leave").payload
        assert (leave["reason"], leave["clean"]) == (reason, True)
        assert not bench.node.send(stream_pid, "sse.message", "too late")


@pytest.mark.parametrize(("end", "reason"), [(None, "target exited"), ("boom", "target failed")])
def test_the_end_of_the_target_is_the_end_of_the_stream(end: str | None, reason: str) -> None:
    def target() -> None:
        receive("end")
        if end:
            process.exit(end)

    with streaming(lambda b: stream(spawn(target, name="t"))) as bench, bench.listen() as client:
        bench.node.send("t", "end")

        (last,) = client.rest()
        assert last.json() == {"reason": reason}


def test_an_idle_stream_ends_and_heartbeats_keep_none_alive() -> None:
    """``idle_timeout``"""
    command = {"idle_timeout": "60ms", "heartbeat_interval": "10ms"}
    with streaming(command=command) as bench, bench.listen() as client:
        bench.joined()

        (last,) = client.rest()
        assert last.json() == {"reason": "idle timeout"}
        assert client.parser.comments
        leave = assert_receive(bench.target, topic="sse.leave").payload
        assert (leave["reason"], leave["clean"]) == ("idle timeout", True)


def test_a_busy_stream_ends_all_the_same_at_the_hard_timeout() -> None:
    """``hard_timeout``"""

    def chatter(client_pid: str) -> None:
        # More often than the idle timeout of a socket that has only real time.
        while send(client_pid, "sse.message", "x"):
            gevent.sleep(0.005)

    command = {"idle_timeout": "100ms", "hard_timeout": "200ms"}
    with streaming(command=command) as bench, bench.listen() as client:
        talker = bench.node.spawn(chatter, bench.joined())

        *_, last = client.rest()

        assert last.json() == {"reason": "hard timeout"}
        bench.wait_gone(talker)


def test_cancel_says_goodbye_and_terminate_does_not() -> None:
    with streaming() as bench:
        with bench.listen() as client:
            bench.node.cancel(bench.joined(), sender=None, deadline=1.0, reason="enough")
            assert [event.json() for event in client.rest()] == [{"reason": "enough"}]
        with bench.listen() as client:
            stream_pid = bench.joined()
            bench.node.terminate(stream_pid)
            assert client.rest() == []
            bench.wait_gone(stream_pid)


def test_a_client_that_leaves_takes_along_what_is_linked_to_its_stream() -> None:
    def job() -> None:
        join: Any = receive("sse.join")
        process.link(join.payload["client_pid"])
        receive("never")

    with streaming(lambda b: stream(spawn(job, name="job"))) as bench, Probe(bench.node) as watcher:
        with bench.listen():
            wait_for(bench.streams)
            settle(bench.node)
            watcher.do(process.monitor, "job")

        result = assert_event(watcher, kind="EXIT").result
        assert not result.is_normal
        assert "connection closed by the client" in result.reason


def test_a_linked_process_that_fails_ends_the_stream() -> None:
    with streaming() as bench, bench.listen() as client, Probe(bench.node) as linked:
        linked.do(process.link, bench.joined())
        bench.node.terminate(linked.pid)

        (last,) = client.rest()
        assert last.json() == {"reason": "linked process failed"}


def test_a_linked_process_that_ends_well_ends_nothing() -> None:
    def ends_well(client_pid: str) -> None:
        process.link(client_pid)

    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()
        bench.wait_gone(bench.node.spawn(ends_well, stream_pid))
        settle(bench.node)
        bench.node.send(stream_pid, "sse.message", "still here")

        assert client.event().data == "still here"


def test_a_stream_that_is_over_is_freed() -> None:
    with streaming() as bench, bench.listen() as client:
        bench.joined()
        assert open_streams()
        client.drop()
        assert_receive(bench.target, topic="sse.leave")

        wait_for(lambda: not open_streams())


def open_streams() -> list[object]:
    # What nothing refers to is gone at once; nothing is collected first.
    return [each for each in gc.get_objects() if isinstance(each, Stream)]


def test_what_a_client_says_beyond_its_request_is_no_concern() -> None:
    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()
        client.sock.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n" * 100)
        wait_for(lambda: bench.stream(stream_pid).socket.bytes_in)
        bench.node.send(stream_pid, "sse.message", "x")

        assert client.event().data == "x"
        assert bench.calls == 1


def test_the_log_says_when_a_stream_opens_and_closes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "greenrelay.transport")
    with streaming() as bench, bench.listen() as client:
        stream_pid = bench.joined()
        client.drop()
        assert_receive(bench.target, topic="sse.leave")

        lines = [r.getMessage() for r in caplog.records if stream_pid in r.getMessage()]
        assert lines[0].startswith(f"{stream_pid} opened: path=/events client=127.0.0.1 target=")
        assert lines[1].startswith(f"{stream_pid} closed: clean=False duration=")


def test_a_broadcast_reaches_every_stream_under_its_own_number() -> None:
    with streaming() as bench, bench.listen() as one, bench.listen() as other:
        first, second = bench.joined(), bench.joined()
        bench.node.send(first, "sse.message", "only one")
        with Probe(bench.node) as sender:
            for stream_pid in (first, second):
                sender.do(process.join, "all", stream_pid)
            sender.do(process.broadcast, "all", "sse.message", {"n": 1})

        assert one.event() == Event("sse.message", "only one", "1")
        found = {one.event(), other.event()}
        assert found == {
            Event("sse.message", '{"n":1}', "2"),
            Event("sse.message", '{"n":1}', "1"),
        }


def test_a_socket_is_never_left_open(caplog: pytest.LogCaptureFixture) -> None:
    """However the client leaves, the stream ends once and nothing is logged as an error."""
    with streaming() as bench:
        for _ in range(20):
            with bench.listen() as client:
                stream_pid = bench.joined()
                bench.node.send(stream_pid, "sse.message", "x" * 100_000)
                client.drop()
                bench.node.send(stream_pid, "sse.close")
                assert_receive(bench.target, topic="sse.leave")
        assert bench.streams() == []
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


def test_a_crowd_hears_one_message_and_leaves_no_trace() -> None:
    with streaming() as bench, ExitStack() as stack, Probe(bench.node) as sender:
        clients = [stack.enter_context(bench.listen()) for _ in range(300)]
        for _ in clients:
            sender.do(process.join, "crowd", bench.joined())

        assert sender.do(process.broadcast, "crowd", "sse.message", "hear, hear") == 300

        assert {client.event() for client in clients} == {Event("sse.message", "hear, hear", "1")}
        stack.close()
        wait_for(lambda: not bench.streams())
        assert sender.do(process.members, "crowd") == ()
