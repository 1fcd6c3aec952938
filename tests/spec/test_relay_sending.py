"""WebSocket Relay: "Topics to the connection"."""

import base64
import json
import math
from typing import Any

import pytest
from websockets.frames import Opcode

from greenrelay import InvalidCloseCode, InvalidRelayCommand, ReservedTopic, process
from greenrelay.relay.session import BINARY, TEXT
from greenrelay.websocket import frames
from tests.probe import assert_receive, wait_for
from tests.relaying import relaying

SENDS = [
    ({"type": "text", "data": "hello"}, "hello"),
    ({"type": "text", "data": ""}, ""),
    ({"type": "binary", "data": b"\x00\xff"}, b"\x00\xff"),
    ({"type": "binary", "data": bytearray(b"ab")}, b"ab"),
    ({"type": "binary", "data": memoryview(b"ab")}, b"ab"),
    ({"type": "json", "data": {"a": [1, None, "ü"]}}, '{"a":[1,null,"ü"]}'),
    ({"type": "json", "data": b"ab"}, '"YWI="'),
    ({"type": "text", "data": "x" * 70000}, "x" * 70000),
    ("bare", "bare"),
    (b"bare", b"bare"),
]


@pytest.mark.parametrize(("payload", "received"), SENDS)
def test_ws_send_becomes_one_real_frame(payload: object, received: str | bytes) -> None:
    """``ws.send``: … one real text or binary frame"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()

        assert bench.target.do(process.send, client_pid, "ws.send", payload) is True

        frame = client.frame()
        assert frame is not None
        assert frame.fin
        data = bytes(frame.data)
        assert (data.decode() if frame.opcode is Opcode.TEXT else data) == received


BAD_SENDS = [
    ({"type": "text", "data": b"bytes"}, "it must be str"),
    ({"type": "text", "data": 7}, "it must be str"),
    ({"type": "text", "data": "\ud800"}, "UTF-8"),
    ({"type": "binary", "data": "text"}, "it must be bytes"),
    ({"type": "json", "data": object()}, "JSON"),
    ({"type": "json", "data": math.nan}, "JSON"),
    ({"type": "ping", "data": "x"}, "'text', 'binary' or 'json'"),
    ({"type": "text"}, "'type' and 'data'"),
    ({"data": "x"}, "'type' and 'data'"),
    ({"type": "text", "data": "x", "more": 1}, "'type' and 'data'"),
    (7, "it must be str"),
    (None, "it must be str"),
]


@pytest.mark.parametrize(("payload", "text"), BAD_SENDS)
def test_a_bad_payload_raises_at_the_sender_and_the_connection_lives_on(
    payload: object, text: str
) -> None:
    """A bad payload is an error at the sender (``TypeError`` for text that is not ``str`` …);
    the connection lives on."""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()

        with pytest.raises(TypeError, match=text):
            bench.target.do(process.send, client_pid, "ws.send", payload)

        bench.target.do(process.send, client_pid, "ws.send", "fine")
        assert client.recv() == "fine"


def test_a_bad_payload_with_no_sender_is_one_logged_line(caplog: pytest.LogCaptureFixture) -> None:
    """… and one logged line otherwise; the connection lives on."""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()

        bench.node.send_after(0, client_pid, "ws.send", 7)
        wait_for(lambda: caplog.records)

        (record,) = [r for r in caplog.records if r.levelname == "WARNING"]
        assert "\n" not in record.getMessage()
        bench.target.do(process.send, client_pid, "ws.send", "fine")
        assert client.recv() == "fine"


@pytest.mark.parametrize("topic", ["@cancel", "@", ""])
def test_a_reserved_topic_is_an_error_at_the_sender(topic: str) -> None:
    with relaying() as bench, bench.connect():
        client_pid = bench.joined()

        with pytest.raises(ReservedTopic):
            bench.target.do(process.send, client_pid, topic, "x")


OTHERS: list[tuple[str, object, object]] = [
    ("news", {"a": [1, "ü"]}, {"a": [1, "ü"]}),
    ("news", None, None),
    ("news", "text", "text"),
    ("picture", b"\x00\xff", base64.b64encode(b"\x00\xff").decode()),
    ("deep", {"list": [b"a"]}, {"list": ["YQ=="]}),
    ("ws.message", {"data": "x"}, {"data": "x"}),
    ("ws.join", {}, {}),
    ("EXIT", 1, 1),
]


@pytest.mark.parametrize(("topic", "payload", "data"), OTHERS)
def test_any_other_topic_is_one_text_frame(topic: str, payload: object, data: object) -> None:
    """any other topic: one text frame ``{"topic": …, "data": …}``; bytes as base64"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.send, client_pid, topic, payload)

        frame = client.frame()
        assert frame is not None
        assert frame.opcode is Opcode.TEXT
        assert json.loads(bytes(frame.data)) == {"topic": topic, "data": data}


@pytest.mark.parametrize("payload", [object(), {1, 2}, math.inf, "\ud800"])
def test_another_payload_of_another_topic_is_an_error(payload: object) -> None:
    with relaying() as bench, bench.connect():
        client_pid = bench.joined()

        with pytest.raises(TypeError, match="news"):
            bench.target.do(process.send, client_pid, "news", payload)


CLOSES: list[tuple[Any, tuple[int, str]]] = [
    (None, (1000, "")),
    ("bye", (1000, "bye")),
    ({}, (1000, "")),
    ({"code": 4001, "reason": "bye"}, (4001, "bye")),
    ({"code": 3000}, (3000, "")),
    ({"reason": "ü"}, (1000, "ü")),
    ({"code": 1014, "reason": ""}, (1014, "")),
]


@pytest.mark.parametrize(("payload", "closed"), CLOSES)
def test_ws_close_is_a_closing_handshake_with_that_code(
    payload: object, closed: tuple[int, str]
) -> None:
    """``ws.close``: ``{"code": 1000, "reason": ""}`` or a reason string or nothing; closing
    handshake with that code. ``ws.close``: as given; clean"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()

        assert bench.target.do(process.send, client_pid, "ws.close", payload) is True

        assert client.wait_closed() == closed
        leave = assert_receive(bench.target, topic="ws.leave").payload
        assert (leave["code"], leave["reason"], leave["clean"]) == (*closed, True)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, "1000", True])
def test_a_code_that_may_not_be_sent_is_an_error_at_the_sender(code: object) -> None:
    """``InvalidCloseCode`` outside 1000-1003, 1007-1014, 3000-4999"""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()

        with pytest.raises(InvalidCloseCode):
            bench.target.do(process.send, client_pid, "ws.close", {"code": code})

        bench.target.do(process.send, client_pid, "ws.send", "fine")
        assert client.recv() == "fine"


@pytest.mark.parametrize("payload", [7, b"x", {"reason": 7}, {"because": "x"}, []])
def test_a_bad_ws_close_is_an_error_at_the_sender(payload: object) -> None:
    with relaying() as bench, bench.connect():
        client_pid = bench.joined()

        with pytest.raises(TypeError, match=r"ws\.close"):
            bench.target.do(process.send, client_pid, "ws.close", payload)


@pytest.mark.parametrize("payload", [None, 7, {}, {"nonsense": 1}, {"metadata": 1}])
def test_a_bad_ws_control_is_an_error_at_the_sender(payload: object) -> None:
    with relaying() as bench, bench.connect():
        client_pid = bench.joined()

        with pytest.raises(InvalidRelayCommand, match=r"ws\.control"):
            bench.target.do(process.send, client_pid, "ws.control", payload)


def test_what_was_queued_before_a_ws_close_is_sent_first() -> None:
    """what was queued before is sent first"""
    big = {"type": "binary", "data": bytes(200_000)}

    def work(client_pid: str) -> None:
        for _ in range(3):
            process.send(client_pid, "ws.send", big)
        process.send(client_pid, "ws.close", {"code": 4001, "reason": "bye"})

    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(work, client_pid)

        assert [len(client.recv() or b"") for _ in range(3)] == [200_000] * 3
        assert client.wait_closed() == (4001, "bye")


@pytest.mark.parametrize(
    ("reason", "cut"), [("x" * 200, "x" * 123), ("é" * 100, "é" * 61), ("🌍" * 40, "🌍" * 30)]
)
def test_close_reasons_are_cut_at_123_bytes_on_a_character_boundary(reason: str, cut: str) -> None:
    """Close reasons are cut at 123 UTF-8 bytes on a character boundary."""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        bench.target.do(process.send, client_pid, "ws.close", reason)

        assert client.wait_closed() == (1000, cut)


def test_sending_to_a_closed_connection_returns_false() -> None:
    """Sending to a closed connection returns False."""
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()
        send = bench.target.do
        send(process.send, client_pid, "ws.close")

        assert send(process.send, client_pid, "ws.send", "late") is False
        client.wait_closed()
        bench.wait_gone(client_pid)
        assert send(process.send, client_pid, "ws.send", "late") is False
        assert send(process.send, client_pid, "ws.send", 7) is False


def test_anybody_may_send_to_a_client() -> None:
    with relaying() as bench, bench.connect() as client:
        client_pid = bench.joined()

        assert bench.node.send(str(client_pid), "ws.send", "from outside")

        assert client.recv() == "from outside"


def test_the_two_rooms_agree_on_the_opcodes() -> None:
    assert (TEXT, BINARY) == (frames.TEXT, frames.BINARY)
