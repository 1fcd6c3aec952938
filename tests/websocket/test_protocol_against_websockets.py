"""Our Protocol and the one of `websockets`: the same bytes must mean the same."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from greenrelay.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from greenrelay.websocket.protocol import ERROR, Protocol, Received
from tests.websocket.wire import byte_by_byte, frame, received

MASKS = st.binary(min_size=4, max_size=4)
SIZES = st.one_of(st.integers(0, 140), st.integers(65530, 65545))
CODES = st.one_of(st.integers(1000, 1003), st.integers(1007, 1014), st.integers(3000, 4999))


@st.composite
def control_frames(draw: st.DrawFn) -> bytes:
    opcode = draw(st.sampled_from([PING, PONG]))
    return frame(opcode, draw(st.binary(max_size=125)), mask=draw(MASKS))


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """One message in any number of fragments, with control frames between them."""
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    if opcode == TEXT:
        payload = draw(st.text(st.characters(codec="utf-8"), max_size=60)).encode()
    else:
        payload = draw(st.binary(max_size=20)).ljust(draw(SIZES), b".")
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    bounds = [0, *cuts, len(payload)]
    data = b""
    for index in range(len(bounds) - 1):
        piece = payload[bounds[index] : bounds[index + 1]]
        is_last = index == len(bounds) - 2
        kind = CONTINUATION if index else opcode
        data += frame(kind, piece, final=is_last, mask=draw(MASKS))
        if not is_last and draw(st.booleans()):
            data += draw(control_frames())
    return data


@st.composite
def conversations(draw: st.DrawFn) -> bytes:
    data = b"".join(draw(st.lists(st.one_of(messages(), control_frames()), max_size=6)))
    if draw(st.booleans()):
        reason = draw(st.text(st.characters(codec="utf-8"), max_size=30)).encode()
        payload = draw(st.sampled_from([b"", pack("!H", draw(CODES)) + reason]))
        data += frame(CLOSE, payload, mask=draw(MASKS))
    return data


def their_end(data: bytes) -> ServerProtocol:
    server = ServerProtocol(state=OPEN, max_size=1 << 20)
    server.receive_data(data)
    return server


def their_messages(server: ServerProtocol) -> list[Received]:
    """What `websockets` read, its fragments joined as our Protocol joins them."""
    items: list[Received] = []
    opcode, joined = 0, b""
    for event in server.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.PING, Opcode.PONG):
            items.append((int(event.opcode), bytes(event.data)))
        elif event.opcode is Opcode.CLOSE:
            close = server.close_rcvd
            assert close is not None
            items.append((CLOSE, (int(close.code), close.reason)))
        else:
            opcode = int(event.opcode) or opcode
            joined += bytes(event.data)
            if event.fin:
                items.append((opcode, joined.decode() if opcode == TEXT else joined))
                joined = b""
    return items


@settings(deadline=None)
@given(data=conversations(), splits=st.lists(st.integers(0, 1 << 18), max_size=12))
def test_legal_frames_mean_the_same_however_they_are_split(data: bytes, splits: list[int]) -> None:
    expected = their_messages(their_end(data))
    bounds = [0, *sorted(split % (len(data) + 1) for split in splits), len(data)]
    pieces = [data[bounds[index] : bounds[index + 1]] for index in range(len(bounds) - 1)]

    assert list(Protocol(max_message_size=1 << 20).receive(data)) == expected
    assert received(Protocol(max_message_size=1 << 20), pieces) == expected


@settings(deadline=None, max_examples=30)
@given(data=conversations().filter(lambda data: len(data) < 5000))
def test_legal_frames_mean_the_same_byte_by_byte(data: bytes) -> None:
    assert received(Protocol(), byte_by_byte(data)) == their_messages(their_end(data))


@settings(deadline=None)
@given(data=st.binary(max_size=300), splits=st.lists(st.integers(0, 300), max_size=6))
def test_garbage_never_raises_and_ends_the_same_however_it_is_split(
    data: bytes, splits: list[int]
) -> None:
    bounds = [0, *sorted(split % (len(data) + 1) for split in splits), len(data)]
    pieces = [data[bounds[index] : bounds[index + 1]] for index in range(len(bounds) - 1)]
    whole = list(Protocol().receive(data))
    codes = [item[0] for item in whole]

    assert ERROR not in codes[:-1]
    assert [item[0] for item in received(Protocol(), pieces)] == codes


ILLEGAL = {
    "opcode": frame(3),
    "control opcode": frame(11),
    "reserved bit": frame(TEXT, b"x", reserved=0x40),
    "no mask": b"\x81\x02no",
    "fragmented ping": frame(PING, b"x", final=False),
    "long ping": frame(PING, bytes(126)),
    "close of one byte": frame(CLOSE, b"x"),
    "close code 1005": frame(CLOSE, pack("!H", 1005)),
    "close code 1016": frame(CLOSE, pack("!H", 1016)),
    "close code 2999": frame(CLOSE, pack("!H", 2999)),
    "close reason": frame(CLOSE, pack("!H", 1000) + b"\xff"),
    "continuation": frame(CONTINUATION, b"x"),
    "message in a message": frame(TEXT, b"a", final=False) + frame(BINARY, b"b"),
    "too big": b"\x82\xff" + pack("!Q", (1 << 20) + 1) + bytes(4),
    "too big in fragments": frame(BINARY, bytes(1 << 20), final=False) + frame(CONTINUATION, b"x"),
}


@pytest.mark.parametrize("name", ILLEGAL)
def test_illegal_frames_are_refused_with_the_same_code(name: str) -> None:
    data = ILLEGAL[name]
    their_close = their_end(data).close_sent
    assert their_close is not None

    opcode, ending = Protocol(max_message_size=1 << 20).receive(data)[-1]

    assert opcode == ERROR
    assert isinstance(ending, tuple)
    assert ending[0] == their_close.code
