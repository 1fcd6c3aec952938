"""The bytes of a NATS server, cut anywhere and wrong in any way."""

from __future__ import annotations

import random

import pytest

from greenrelay.cluster.nats.parser import (
    MAX_LINE,
    Err,
    Event,
    Fault,
    Info,
    Oversize,
    Parser,
    Ping,
    Pong,
)

STREAM = (
    b'INFO {"server_id":"x"} \r\n+OK\r\nPING\r\n'
    b"MSG foo.bar 7 5\r\nhello\r\n"
    b"MSG foo 7 _INBOX.1 0\r\n\r\n"
    b"MSG $SYS.A 8  2\r\n\r\n\r\n"
    b"HMSG foo 9 12 14\r\nNATS/1.0\r\n\r\nhi\r\n"
    b"HMSG foo 9 reply 12 12\r\nNATS/1.0\r\n\r\n\r\n"
    b"-ERR 'Unknown Protocol'\r\nPONG\r\n"
)
EVENTS: list[Event] = [
    Info(b'{"server_id":"x"}'),
    Ping(),
    (7, b"foo.bar", b"", b"", b"hello"),
    (7, b"foo", b"_INBOX.1", b"", b""),
    (8, b"$SYS.A", b"", b"", b"\r\n"),
    (9, b"foo", b"", b"NATS/1.0\r\n\r\n", b"hi"),
    (9, b"foo", b"reply", b"NATS/1.0\r\n\r\n", b""),
    Err("Unknown Protocol"),
    Pong(),
]


def test_a_stream_becomes_its_events() -> None:
    parser = Parser()

    assert parser.feed(STREAM) == EVENTS
    assert parser.held == 0


def test_a_stream_may_be_cut_anywhere() -> None:
    for cut in range(len(STREAM) + 1):
        parser = Parser()

        events = parser.feed(STREAM[:cut]) + parser.feed(STREAM[cut:])

        assert events == EVENTS, cut


def test_a_stream_may_come_byte_by_byte() -> None:
    parser = Parser()

    assert [event for byte in STREAM for event in parser.feed(bytes([byte]))] == EVENTS


def test_a_message_that_is_too_large_is_left_out_and_told() -> None:
    wire = b"MSG a 1 11\r\n0123456789x\r\nMSG a 1 2\r\nok\r\n"
    for cut in range(len(wire) + 1):
        parser = Parser(max_size=10)

        events = parser.feed(wire[:cut]) + parser.feed(wire[cut:])

        assert events == [Oversize(11), (1, b"a", b"", b"", b"ok")], cut


@pytest.mark.parametrize(
    "wire",
    [
        b"HTTP/1.1 400 Bad Request\r\n",
        b"MSG a 1\r\n",
        b"MSG a b 1\r\nx\r\n",
        b"MSG a 1 -1\r\n\r\n",
        b"MSG a 1 99999999999\r\n",
        b"MSG a 1 9999999999\r\n",
        b"MSG a 1 2\r\nabcd\r\n",
        b"HMSG a 1 9 2\r\nab\r\n",
        b"HMSG a 1 2\r\nab\r\n",
        b"\r\n",
        b"x" * MAX_LINE,
        b"\xff\xfe\r\n",
    ],
)
def test_what_is_no_nats_ends_in_one_fault_and_silence(wire: bytes) -> None:
    parser = Parser()

    events = parser.feed(b"PING\r\n" + wire)

    assert events[0] == Ping()
    assert len(events) == 2
    assert isinstance(events[1], Fault)
    assert parser.feed(STREAM) == []
    assert parser.held == 0


def test_a_hundred_thousand_chunks_of_anything_raise_nothing_and_hold_little() -> None:
    chance = random.Random(20)
    limit = 4096
    parser = Parser(limit)
    faults = messages = 0
    for _ in range(100_000):
        events = parser.feed(_chunk(chance))

        assert parser.held <= limit + MAX_LINE
        messages += sum(isinstance(event, tuple) for event in events)
        if events and isinstance(events[-1], Fault):
            faults += 1
            parser = Parser(limit)

    assert faults > 1000
    assert messages > 10_000


def _chunk(chance: random.Random) -> bytes:
    """Return a part of a stream, or one with a byte changed, or anything at all."""
    kind = chance.random()
    if kind < 0.6:
        return STREAM
    if kind < 0.7:
        start = chance.randrange(len(STREAM))
        return STREAM[start : start + chance.randrange(60)]
    if kind < 0.9:
        changed = bytearray(STREAM)
        changed[chance.randrange(len(STREAM))] = chance.randrange(256)
        return bytes(changed)
    if kind < 0.95:
        return b"MSG a 1 %d\r\n" % chance.choice((0, 5, 4096, 4097, 1 << 14, 9_999_999_999))
    return chance.randbytes(chance.randrange(300))
