"""The client's protocol is the server's, with masks given and taken."""

from __future__ import annotations

from itertools import pairwise
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.websocket.client_protocol import ClientProtocol, masked
from greenrelay.websocket.frames import BINARY, CLOSE, PING, TEXT, encode
from greenrelay.websocket.protocol import ERROR, Protocol
from tests.client.upstream import frame

KEY = b"\x01\x02\x03\x04"
PAYLOADS = st.binary(max_size=300) | st.integers(65_530, 65_540).map(bytes)
FRAMES = st.lists(st.tuples(st.sampled_from([BINARY, PING]), PAYLOADS), max_size=6)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut ``data`` at these places, wherever they are."""
    places = sorted({cut % (len(data) + 1) for cut in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def read(protocol: Protocol, parts: list[bytes]) -> list[object]:
    return [item for part in parts for item in protocol.receive(part)]


@given(FRAMES, st.lists(st.integers(0, 1 << 20), max_size=12))
def test_frames_cut_anywhere_are_read_whole(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    frames = [(op, data[:125] if op == PING else data) for op, data in frames]
    data = b"".join(frame(opcode, payload) for opcode, payload in frames)

    assert read(ClientProtocol(), pieces(data, cuts)) == frames


@given(FRAMES, st.lists(st.integers(0, 1 << 20), max_size=12))
def test_what_a_client_masks_a_server_reads(
    frames: list[tuple[int, bytes]], cuts: list[int]
) -> None:
    frames = [(op, data[:125] if op == PING else data) for op, data in frames]
    data = masked(b"".join(encode(opcode, payload) for opcode, payload in frames), lambda: KEY)

    protocol = Protocol(max_message_size=100_000)

    assert read(protocol, pieces(data, cuts)) == frames


@given(st.lists(st.binary(max_size=40), max_size=30))
def test_no_bytes_raise_and_nothing_comes_after_the_end(parts: list[bytes]) -> None:
    items = [kind for kind, _ in ClientProtocol(max_message_size=1000).receive(b"".join(parts))]

    assert not {ERROR, CLOSE} & set(items[:-1])


def test_nothing_to_mask_is_nothing() -> None:
    assert masked(b"", lambda: KEY) == b""


def test_each_frame_has_a_key_of_its_own() -> None:
    keys = iter([b"aaaa", b"bbbb"])

    data = masked(encode(PING, b"\0\0\0\0") + encode(PING, b"\0\0\0\0"), lambda: next(keys))

    assert data == b"\x89\x84aaaaaaaa" + b"\x89\x84bbbbbbbb"


def test_a_masked_frame_is_an_error_after_what_came_before() -> None:
    protocol = ClientProtocol()

    received = protocol.receive(frame(TEXT, "fine") + masked(encode(TEXT, b"x"), lambda: KEY))

    assert received == [(TEXT, "fine"), (ERROR, (1002, "frame from the server is masked"))]
    assert protocol.receive(frame(TEXT, "ignored")) == ()


def test_after_a_close_frame_a_masked_one_is_ignored() -> None:
    received = ClientProtocol().receive(frame(CLOSE, pack("!H", 1000)) + b"\x81\x80")

    assert received == [(CLOSE, (1000, ""))]


@pytest.mark.parametrize("size", [125, 126, 65535, 65536])
def test_heads_that_come_byte_by_byte(size: int) -> None:
    data = frame(BINARY, bytes(size))
    protocol = ClientProtocol()

    received = read(protocol, [data[i : i + 1] for i in range(12)] + [data[12:]])

    assert received == [(BINARY, bytes(size))]
