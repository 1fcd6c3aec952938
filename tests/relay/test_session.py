from __future__ import annotations

import json
from collections import OrderedDict

import pytest

from greenrelay.errors import InvalidCloseCode
from greenrelay.relay import session as relay
from greenrelay.relay.session import (
    BINARY,
    TEXT,
    Session,
    closing,
    outgoing,
    target_ended,
)
from greenrelay.websocket import frames

CLIENT = "{n1@ws|7}"
TARGET = "{n1@app:processes|3}"


def make_session() -> Session:
    return Session(
        CLIENT,
        TARGET,
        metadata={"user_id": 1},
        subprotocol="v1",
        path="/ws/chat",
        remote_addr="10.0.0.1",
    )


def test_a_session_begins_with_the_defaults_of_the_command() -> None:
    session = Session(CLIENT, TARGET)

    assert (session.message_topic, session.metadata, session.subprotocol) == (
        "ws.message",
        {},
        None,
    )
    assert (session.path, session.remote_addr, session.message_count) == ("/", "", 0)


@pytest.mark.parametrize("reason", ["connect", "transfer", "resume"])
def test_a_join_is_that_of_the_table(reason: str) -> None:
    """`client_pid`, `metadata`, `subprotocol`, `path`, `remote_addr`, `reason`"""
    assert make_session().join(reason) == {
        "client_pid": CLIENT,
        "metadata": {"user_id": 1},
        "subprotocol": "v1",
        "path": "/ws/chat",
        "remote_addr": "10.0.0.1",
        "reason": reason,
    }


def test_the_first_join_is_a_connect() -> None:
    assert make_session().join()["reason"] == "connect"


@pytest.mark.parametrize(
    ("is_text", "kind", "data"), [(True, "text", "hello"), (False, "binary", b"\0\1")]
)
def test_a_message_is_that_of_the_table(is_text: bool, kind: str, data: str | bytes) -> None:
    """`client_pid`, `type` (`text` / `binary`), `data` (str / bytes), `metadata`"""
    assert make_session().message(is_text, data) == {
        "client_pid": CLIENT,
        "type": kind,
        "data": data,
        "metadata": {"user_id": 1},
    }


def test_messages_are_counted() -> None:
    session = make_session()
    for _ in range(3):
        session.message(True, "x")

    assert session.message_count == 3


def test_a_leave_is_that_of_the_table() -> None:
    """`client_pid`, `reason`, `code`, `clean`, `metadata`"""
    assert make_session().leave("bye", 1000, True) == {
        "client_pid": CLIENT,
        "reason": "bye",
        "code": 1000,
        "clean": True,
        "metadata": {"user_id": 1},
    }


@pytest.mark.parametrize(
    ("payload", "opcode", "frame"),
    [
        ({"type": "text", "data": "héllo"}, TEXT, "héllo".encode()),
        ({"type": "text", "data": ""}, TEXT, b""),
        ({"type": "binary", "data": b"\0\xff"}, BINARY, b"\0\xff"),
        ({"type": "binary", "data": bytearray(b"ab")}, BINARY, b"ab"),
        ({"type": "binary", "data": memoryview(b"abcd")[1:3]}, BINARY, b"bc"),
        ({"type": "json", "data": {"a": [1, "é", None]}}, TEXT, '{"a":[1,"é",null]}'.encode()),
        ({"type": "json", "data": None}, TEXT, b"null"),
        ({"type": "json", "data": {"raw": b"\0\1"}}, TEXT, b'{"raw":"AAE="}'),
        (OrderedDict(data="x", type="text"), TEXT, b"x"),
        ("bare", TEXT, b"bare"),
        (b"bare", BINARY, b"bare"),
        (bytearray(b"bare"), BINARY, b"bare"),
        (memoryview(b"bare"), BINARY, b"bare"),
    ],
)
def test_ws_send_makes_one_real_frame(payload: object, opcode: int, frame: bytes) -> None:
    """one real text or binary frame"""
    assert outgoing("ws.send", payload) == (opcode, frame)


def test_a_bytearray_may_change_after_it_was_sent() -> None:
    data = bytearray(b"before")
    _, frame = outgoing("ws.send", data)

    data[:] = b"after!"

    assert frame == b"before"


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        ({"type": "text", "data": b"x"}, "data of type text is bytes; it must be str"),
        ({"type": "text", "data": 7}, "data of type text is int; it must be str"),
        ({"type": "text", "data": None}, "data of type text is NoneType; it must be str"),
        ({"type": "binary", "data": "x"}, "data of type binary is str; it must be bytes"),
        ({"type": "xml", "data": "x"}, "type is 'xml'; it must be 'text', 'binary' or 'json'"),
        ({"type": None, "data": "x"}, "type is None; it must be"),
        ({"type": [], "data": "x"}, r"type is \[\]; it must be"),
        ({"data": "x"}, "the keys are 'data'; they must be 'type' and 'data'"),
        ({"type": "text"}, "the keys are 'type'; they must be"),
        ({}, "the keys are none; they must be"),
        ({"type": "text", "data": "x", "code": 1}, "the keys are 'type', 'data', 'code'"),
        (None, "the payload is NoneType; it must be str, bytes or"),
        (7, "the payload is int"),
        (["x"], "the payload is list"),
        ("a\ud800", r"payload of 'ws.send': '\\ud800' at 1 cannot be sent as UTF-8"),
        ({"type": "text", "data": "\udfff"}, r"data of 'ws.send': '\\udfff' at 0"),
        ({"type": "json", "data": "\udfff"}, r"data of 'ws.send': '\\udfff' at 1"),
        ({"type": "json", "data": float("nan")}, "data of 'ws.send': Out of range float"),
        ({"type": "json", "data": object()}, "data of 'ws.send': object cannot be sent as JSON"),
    ],
)
def test_a_bad_ws_send_is_a_type_error_that_says_why(payload: object, message: str) -> None:
    """`TypeError` for text that is not `str`"""
    with pytest.raises(TypeError, match=message):
        outgoing("ws.send", payload)


@pytest.mark.parametrize(
    ("payload", "data"),
    [
        ({"room": 1}, {"room": 1}),
        (None, None),
        ("text", "text"),
        ([1, (2, 3)], [1, [2, 3]]),
        (b"\0\1", "AAE="),
        ({"a": [bytearray(b"x"), memoryview(b"y")]}, {"a": ["eA==", "eQ=="]}),
    ],
)
def test_any_other_topic_makes_a_text_frame_of_json(payload: object, data: object) -> None:
    """one text frame `{"topic": …, "data": …}`; bytes as base64"""
    opcode, frame = outgoing("chat.line", payload)

    assert opcode == TEXT
    assert json.loads(frame) == {"topic": "chat.line", "data": data}


def test_json_is_compact_and_in_utf8() -> None:
    assert outgoing("雑談", "é") == (TEXT, '{"topic":"雑談","data":"é"}'.encode())


def circle() -> list[object]:
    items: list[object] = []
    items.append(items)
    return items


def deep() -> list[object]:
    items: list[object] = []
    for _ in range(100_000):
        items = [items]
    return items


@pytest.mark.parametrize(
    "payload",
    [object(), {1, 2}, float("nan"), [float("inf")], {(1, 2): 3}, "\ud800", circle(), deep()],
    ids=["object", "set", "nan", "infinity", "key", "surrogate", "circle", "deep"],
)
def test_a_payload_that_is_not_json_able_is_a_type_error(payload: object) -> None:
    with pytest.raises(TypeError, match=r"payload of 'chat\.line': "):
        outgoing("chat.line", payload)


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (None, (1000, "")),
        ("bye", (1000, "bye")),
        ({}, (1000, "")),
        ({"code": 4001}, (4001, "")),
        ({"reason": "bye"}, (1000, "bye")),
        ({"code": 1001, "reason": "moved"}, (1001, "moved")),
    ],
)
def test_ws_close_takes_a_code_and_a_reason_a_reason_or_nothing(
    payload: object, expected: tuple[int, str]
) -> None:
    """`{"code": 1000, "reason": ""}` or a reason string or nothing"""
    assert closing(payload) == expected


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 2000, 5000, True, "1000", None])
def test_a_close_code_that_may_not_be_sent_is_refused(code: object) -> None:
    """`InvalidCloseCode` outside 1000-1003, 1007-1014, 3000-4999"""
    with pytest.raises(InvalidCloseCode) as caught:
        closing({"code": code})

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (4001, "ws.close: the payload is int"),
        (b"bye", "ws.close: the payload is bytes"),
        ({"code": 1000, "why": "x"}, "ws.close: the keys are 'code', 'why'; known are"),
        ({"reason": b"x"}, "ws.close: reason is bytes; it must be str"),
        ({"reason": None}, "ws.close: reason is NoneType; it must be str"),
        ("\ud800", "reason of 'ws.close'"),
        ({"code": 4000, "reason": "a\ud800"}, "reason of 'ws.close'"),
    ],
)
def test_a_bad_ws_close_is_a_type_error_that_says_why(payload: object, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        closing(payload)


def test_both_rooms_agree_on_opcodes_and_close_codes() -> None:
    assert (TEXT, BINARY) == (frames.TEXT, frames.BINARY)
    for code in (*range(5100), True, 1000.0, "1000", None):
        assert relay._is_sendable_code(code) == frames.is_sendable_code(code)


def test_the_end_of_the_target_ends_the_connection() -> None:
    """target ends normally | 1000 `target exited` ; abnormally | 1011 `target failed`"""
    assert target_ended(True) == (1000, "target exited")
    assert target_ended(False) == (1011, "target failed")
