"""Events as bytes, and what a stream's target hears. Source: Server-sent Events Relay; HTML
standard, "Parsing an event stream".
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.errors import InvalidEventName
from greenrelay.relay.sse import (
    HEARTBEAT,
    PING,
    StreamSession,
    closing,
    done,
    event,
    last_event_id,
    numbered,
    retry,
    target_ended,
)
from tests.streaming import Event, Parser

PID = "{n1@http|7}"


def parsed(data: bytes) -> list[Event]:
    """Return the events a browser finds in ``data``."""
    parser = Parser()
    parser.feed(data)
    return list(parser.events)


def test_an_event_is_named_after_its_topic_and_has_a_number() -> None:
    assert numbered(3, event("sse.message", "hello")) == (
        b"id: 3\nevent: sse.message\ndata: hello\n\n"
    )


def test_newlines_in_data_become_several_data_lines() -> None:
    assert event("t", "a\r\nb\rc\nd") == b"event: t\ndata: a\ndata: b\ndata: c\ndata: d\n\n"


def test_other_separators_of_python_are_no_lines() -> None:
    text = "a\x0bb\x0cc\x1cd\x85e\u2028f"

    assert parsed(event("t", text)) == [Event("t", text)]


@pytest.mark.parametrize(
    "text", ["", " ", " two spaces", ":", "id: 9", "\n", "\n\nevent: done\ndata: x\n\n", "\ufeffa"]
)
def test_text_arrives_as_it_was_sent(text: str) -> None:
    assert parsed(event("t", text)) == [Event("t", text)]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_arrives_with_its_line_ends_as_lf(text: str) -> None:
    wanted = text.replace("\r\n", "\n").replace("\r", "\n")

    assert parsed(numbered(1, event("t", text))) == [Event("t", wanted, "1")]


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        ({"a": [1, None], "ü": "\n"}, '{"a":[1,null],"ü":"\\n"}'),
        (None, "null"),
        (7, "7"),
        ({"b": b"\x00"}, '{"b":"AA=="}'),
        (b"\x00\xff", "AP8="),
        (bytearray(b"\x00"), "AA=="),
        (memoryview(b""), ""),
    ],
)
def test_what_is_no_text_is_json_and_bytes_are_base64(payload: object, data: str) -> None:
    assert parsed(event("t", payload)) == [Event("t", data)]


@pytest.mark.parametrize("payload", [object(), {1, 2}, float("nan"), "\ud800", {"a": "\ud800"}])
def test_what_cannot_be_sent_is_a_type_error(payload: object) -> None:
    with pytest.raises(TypeError, match="'t'"):
        event("t", payload)


@pytest.mark.parametrize("topic", ["a\nb", "a\rdata: x", "a\r\n\r\n", "\n"])
def test_newlines_in_an_event_name_are_refused(topic: str) -> None:
    with pytest.raises(InvalidEventName, match="line break") as caught:
        event(topic, "x")

    assert caught.value.topic == topic


@pytest.mark.parametrize("topic", ["ready", "done"])
def test_the_names_of_the_relays_own_events_are_refused(topic: str) -> None:
    with pytest.raises(InvalidEventName, match=f"event name '{topic}': the relay itself"):
        event(topic, "x")


def test_a_topic_that_utf_8_cannot_hold_is_refused() -> None:
    with pytest.raises(TypeError, match="topic"):
        event("\ud800", "x")


def test_the_last_event_says_why_and_has_no_number() -> None:
    (last,) = parsed(done("a\nb"))

    assert last == Event("done", '{"reason":"a\\nb"}')


def test_a_reason_that_utf_8_cannot_hold_does_no_harm() -> None:
    (last,) = parsed(done("a\ud800"))

    assert last.json() == {"reason": "a?"}


def test_comments_and_retry_are_no_events() -> None:
    parser = Parser()

    parser.feed(retry(2.5) + PING + HEARTBEAT)

    assert not parser.events
    assert (parser.retry, parser.comments) == (2500, ["ping", "heartbeat"])


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "closed by server"),
        ({}, "closed by server"),
        ({"reason": None}, "closed by server"),
        ("bye", "bye"),
        ("", ""),
        ({"reason": "bye"}, "bye"),
    ],
)
def test_a_close_has_a_reason(payload: object, reason: str) -> None:
    assert closing(payload) == reason


@pytest.mark.parametrize(
    "payload", [7, b"x", [], {"reason": 7}, {"code": 1000}, {1: 2}, "\ud800", {"reason": "a\ud800"}]
)
def test_another_close_is_a_type_error(payload: object) -> None:
    with pytest.raises(TypeError, match=r"sse\.close"):
        closing(payload)


@pytest.mark.parametrize(
    ("is_normal", "reason"), [(True, "target exited"), (False, "target failed")]
)
def test_the_end_of_the_target_has_a_reason(is_normal: bool, reason: str) -> None:
    assert target_ended(is_normal) == reason


@pytest.mark.parametrize(
    ("header", "text"),
    [(None, None), ("", None), ("7", "7"), ("Ã¼", "ü"), ("\xff", "\ufffd"), ("\u0416", "?")],
)
def test_the_last_event_id_is_utf_8(header: str | None, text: str | None) -> None:
    assert last_event_id(header) == text


def session(**options: Any) -> StreamSession:
    return StreamSession(PID, "{n1@app|1}", path="/e", remote_addr="127.0.0.1", **options)


def test_a_join_has_the_shape_of_a_websocket_and_the_last_event_id() -> None:
    assert session(metadata={"u": 1}).join() == {
        "client_pid": PID,
        "metadata": {"u": 1},
        "subprotocol": None,
        "path": "/e",
        "remote_addr": "127.0.0.1",
        "reason": "connect",
        "last_event_id": None,
    }


def test_a_client_that_was_here_before_resumes() -> None:
    payload = session(last_event_id="7").join()

    assert (payload["reason"], payload["last_event_id"]) == ("resume", "7")
    assert session(last_event_id="7").join("transfer")["reason"] == "transfer"


def test_a_leave_has_the_shape_of_a_websockets() -> None:
    assert session().leave("drain", True) == {
        "client_pid": PID,
        "reason": "drain",
        "code": None,
        "clean": True,
        "metadata": {},
    }


def test_the_first_event_of_a_detached_stream_says_how_to_reach_it() -> None:
    (first,) = parsed(StreamSession(PID, None, message_topic="*").ready())

    assert first.name == "ready"
    assert json.loads(first.data) == {"stream_pid": PID, "message_topic": "*"}


@pytest.mark.parametrize(
    ("message_topic", "topic", "is_carried"),
    [
        ("sse.message", "sse.message", True),
        ("sse.message", "other", False),
        ("*", "other", True),
        ("*", "sse.message", True),
        ("*", "*", True),
        ("*", "sse.join", False),
        ("*", "sse.heartbeat", False),
        ("*", "sse.control.done", False),
    ],
)
def test_only_the_message_topic_is_carried(
    message_topic: str, topic: str, is_carried: bool
) -> None:
    assert session(message_topic=message_topic).carries(topic) is is_carried
