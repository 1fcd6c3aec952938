from __future__ import annotations

from struct import pack

import pytest

from greenrelay.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from greenrelay.websocket.protocol import ERROR, Protocol
from tests.websocket.wire import MASK, byte_by_byte, frame, masked, received


def failure(data: bytes, max_message_size: int = 65536) -> object:
    """The (code, reason) that ``data`` ends with, the same whole and byte by byte."""
    whole = Protocol(max_message_size=max_message_size).receive(data)
    pieces = received(Protocol(max_message_size=max_message_size), byte_by_byte(data))
    assert list(whole) == pieces
    assert whole[-1][0] == ERROR
    return whole[-1][1]


def test_a_masked_hello_is_the_example_of_the_rfc() -> None:
    """RFC 6455, section 5.7: "A single-frame masked text message"."""
    data = bytes.fromhex("818537fa213d7f9f4d5158")

    assert Protocol().receive(data) == [(TEXT, "Hello")]


@pytest.mark.parametrize("size", [0, 1, 2, 125, 126, 127, 2047, 2048, 65535, 65536, 70000])
def test_messages_of_any_size_come_out_whole(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    data = frame(BINARY, payload) + frame(TEXT, b"a" * size)

    items = Protocol(max_message_size=70000).receive(data)

    assert items == [(BINARY, payload), (TEXT, "a" * size)]


@pytest.mark.parametrize("size", [0, 1, 5, 125, 126, 300])
def test_a_message_read_byte_by_byte_is_the_same(size: int) -> None:
    data = frame(BINARY, bytes(range(256))[:size] + bytes(max(0, size - 256))) * 2
    whole = list(Protocol().receive(data))

    assert received(Protocol(), byte_by_byte(data)) == whole


def test_a_large_message_in_small_reads_comes_out_whole() -> None:
    payload = bytes(range(256)) * 4096
    data = frame(BINARY, payload)
    pieces = (data[start : start + 1023] for start in range(0, len(data), 1023))

    assert received(Protocol(max_message_size=1 << 20), pieces) == [(BINARY, payload)]


def test_a_character_may_be_cut_by_reads_and_by_fragments() -> None:
    text = "日本語 🌱 é" * 30
    raw = text.encode()
    data = frame(TEXT, raw[:100], final=False) + frame(CONTINUATION, raw[100:])

    assert Protocol().receive(data) == [(TEXT, text)]
    assert received(Protocol(), byte_by_byte(data)) == [(TEXT, text)]


def test_line_breaks_in_text_are_left_alone() -> None:
    data = frame(TEXT, b"a\r\nb\r", final=False) + frame(CONTINUATION, b"\nc\n")

    assert Protocol().receive(data) == [(TEXT, "a\r\nb\r\nc\n")]


def test_fragments_make_one_message_with_control_frames_between_them() -> None:
    """RFC 6455, 5.4: "Control frames MAY be injected in the middle of a fragmented message"."""
    data = (
        frame(BINARY, b"one ", final=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, b"", final=False)
        + frame(PONG)
        + frame(CONTINUATION, b"two")
        + frame(TEXT, b"next")
    )
    expected = [(PING, b"p"), (PONG, b""), (BINARY, b"one two"), (TEXT, "next")]

    assert Protocol().receive(data) == expected
    assert received(Protocol(), byte_by_byte(data)) == expected


def test_several_messages_in_one_read_keep_their_order() -> None:
    data = b"".join(frame(TEXT, str(number).encode()) for number in range(50))

    assert Protocol().receive(data) == [(TEXT, str(number)) for number in range(50)]


def test_a_read_without_a_whole_message_gives_nothing() -> None:
    protocol = Protocol()

    assert not protocol.receive(b"")
    assert not protocol.receive(frame(TEXT, b"Hello")[:-1])


def test_a_close_frame_gives_its_code_and_reason() -> None:
    data = frame(CLOSE, pack("!H", 4001) + "さよなら".encode())

    assert Protocol().receive(data) == [(CLOSE, (4001, "さよなら"))]
    assert received(Protocol(), byte_by_byte(data)) == [(CLOSE, (4001, "さよなら"))]


def test_a_close_frame_without_a_code_gives_1005() -> None:
    """RFC 6455, 7.1.5: "If this Close control frame contains no status code, … 1005"."""
    assert Protocol().receive(frame(CLOSE)) == [(CLOSE, (1005, ""))]


def test_a_close_inside_a_fragmented_message_ends_it() -> None:
    data = frame(TEXT, b"never ended", final=False) + frame(CLOSE, pack("!H", 1001))

    assert Protocol().receive(data) == [(CLOSE, (1001, ""))]


def test_data_after_a_close_is_ignored() -> None:
    protocol = Protocol()

    assert protocol.receive(frame(CLOSE) + frame(TEXT, b"late")) == [(CLOSE, (1005, ""))]
    assert protocol.receive(frame(TEXT, b"later")) == ()


def test_data_after_an_error_is_ignored() -> None:
    protocol = Protocol()
    protocol.receive(frame(3))

    assert protocol.receive(frame(TEXT, b"late")) == ()


def test_good_messages_before_an_error_come_first() -> None:
    items = Protocol().receive(frame(TEXT, b"good") + frame(PING) + frame(3) + frame(TEXT, b"no"))

    assert items == [(TEXT, "good"), (PING, b""), (ERROR, (1002, "opcode 3 is not defined"))]


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 3999, 4000, 4999])
def test_close_codes_a_client_may_send_are_taken(code: int) -> None:
    assert Protocol().receive(frame(CLOSE, pack("!H", code))) == [(CLOSE, (code, ""))]


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535])
def test_other_close_codes_are_a_protocol_error(code: int) -> None:
    assert failure(frame(CLOSE, pack("!H", code))) == (1002, f"close code {code} is not allowed")


def test_a_close_payload_of_one_byte_is_a_protocol_error() -> None:
    assert failure(frame(CLOSE, b"x")) == (1002, "close frame with a payload of 1 byte")


def test_a_close_reason_that_is_not_utf8_is_1007() -> None:
    assert failure(frame(CLOSE, pack("!H", 1000) + b"\xce")) == (
        1007,
        "text is not UTF-8: unexpected end of data",
    )


@pytest.mark.parametrize("opcode", [TEXT, PING])
def test_an_unmasked_frame_is_a_protocol_error(opcode: int) -> None:
    """RFC 6455, 5.1: "a server MUST close a connection upon receiving a frame not masked"."""
    data = bytes((0x80 | opcode, 9)) + b"no mask !"

    assert failure(data) == (1002, "frame from the client is not masked")


@pytest.mark.parametrize("reserved", [0x10, 0x20, 0x40])
def test_a_reserved_bit_is_a_protocol_error(reserved: int) -> None:
    """RFC 6455, 5.2: RSV1-3 "MUST be 0 unless an extension is negotiated"."""
    assert failure(frame(TEXT, b"0123456789", reserved=reserved)) == (
        1002,
        "reserved bit set without an extension",
    )


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
def test_an_unknown_opcode_is_a_protocol_error(opcode: int) -> None:
    assert failure(frame(opcode)) == (1002, f"opcode {opcode} is not defined")


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_a_fragmented_control_frame_is_a_protocol_error(opcode: int) -> None:
    assert failure(frame(opcode, final=False)) == (1002, "control frame is fragmented")


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_a_control_frame_over_125_bytes_is_a_protocol_error(opcode: int) -> None:
    assert failure(frame(opcode, bytes(126))) == (1002, "control frame is over 125 bytes")


def test_a_control_frame_of_125_bytes_is_taken() -> None:
    assert Protocol().receive(frame(PING, bytes(125))) == [(PING, bytes(125))]


def test_a_continuation_of_nothing_is_a_protocol_error() -> None:
    assert failure(frame(TEXT, b"whole") + frame(CONTINUATION, b"more")) == (
        1002,
        "continuation frame without a message to continue",
    )


def test_a_new_message_inside_a_fragmented_one_is_a_protocol_error() -> None:
    assert failure(frame(TEXT, b"part", final=False) + frame(TEXT, b"another one")) == (
        1002,
        "new message inside a fragmented message",
    )


@pytest.mark.parametrize(
    ("head", "size"),
    [(b"\x82\xfe" + pack("!H", 125), 125), (b"\x82\xff" + pack("!Q", 65535), 65535)],
)
def test_a_size_not_in_its_shortest_form_is_a_protocol_error(head: bytes, size: int) -> None:
    """RFC 6455, 5.2: "the minimal number of bytes MUST be used to encode the length"."""
    assert failure(head + MASK) == (1002, f"frame size {size} is not in its shortest form")


def test_a_size_with_its_highest_bit_set_is_a_protocol_error() -> None:
    """RFC 6455, 5.2: "the most significant bit MUST be 0"."""
    assert failure(b"\x82\xff" + b"\xff" * 8 + MASK) == (1002, "frame size has its highest bit set")


def test_a_message_over_the_limit_is_refused_at_its_head() -> None:
    head = b"\x82\xff" + pack("!Q", 70112) + MASK

    assert failure(head) == (1009, "message of 70112 bytes is over 65536")


@pytest.mark.parametrize("size", [11, 126])
def test_a_whole_message_over_a_small_limit_is_refused(size: int) -> None:
    reason = f"message of {size} bytes is over 10"

    assert failure(frame(BINARY, bytes(size)), max_message_size=10) == (1009, reason)


def test_a_message_of_just_the_limit_is_taken() -> None:
    assert Protocol().receive(frame(BINARY, bytes(65536))) == [(BINARY, bytes(65536))]


def test_the_limit_counts_all_fragments() -> None:
    data = frame(BINARY, bytes(6), final=False) + frame(CONTINUATION, bytes(5), final=False)

    assert failure(data, max_message_size=10) == (1009, "message of 11 bytes is over 10")


def test_more_fragments_than_allowed_are_refused() -> None:
    """fragments at most 1024 a message"""
    data = frame(TEXT, final=False) + frame(CONTINUATION, final=False) * 1023

    assert Protocol().receive(data) == []
    assert failure(data + frame(CONTINUATION)) == (1009, "message of 1025 fragments is over 1024")


def test_the_fragments_of_the_next_message_count_anew() -> None:
    data = frame(TEXT, b"a", final=False) + frame(CONTINUATION, b"b")

    assert Protocol(max_fragments=2).receive(data * 3) == [(TEXT, "ab")] * 3


@pytest.mark.parametrize("padding", [0, 2, 200])
def test_text_that_is_not_utf8_is_1007(padding: int) -> None:
    data = frame(TEXT, b"\xce\xba\xff" + b"x" * padding)

    assert Protocol().receive(data) == [(ERROR, (1007, "text is not UTF-8: invalid start byte"))]


@pytest.mark.parametrize(
    "bad",
    [b"\xff", b"\xc0", b"\xed\xa0", b"\xf4\x90", b"\xe0\x80", b"\xf0\x80", b"\xc3(", b"\xf5"],
)
def test_bad_utf8_is_refused_inside_the_frame_at_its_first_bad_byte(bad: bytes) -> None:
    protocol = Protocol()
    good = "κόσμε".encode()
    data = frame(TEXT, good + bad + b"x" * 1000)
    position = 8 + len(good) + len(bad) - 1

    assert received(protocol, byte_by_byte(data[:position])) == []
    assert protocol.receive(data[position : position + 1])[0][0] == ERROR


def test_bad_utf8_is_refused_in_the_first_part_of_a_frame() -> None:
    data = frame(TEXT, b"\xff" + b"x" * 1000)

    assert Protocol().receive(data[:20])[-1][0] == ERROR


def test_a_character_left_open_at_the_end_of_a_message_is_1007() -> None:
    data = frame(TEXT, "é".encode()[:1], final=False) + frame(CONTINUATION, b"")

    assert failure(data) == (1007, "text is not UTF-8: unexpected end of data")


def test_a_mask_of_zeros_leaves_the_payload_as_it_is() -> None:
    data = frame(BINARY, b"plain", mask=bytes(4))

    assert b"plain" in data
    assert Protocol().receive(data) == [(BINARY, b"plain")]


def test_the_mask_goes_on_where_the_read_before_ended() -> None:
    payload = bytes(range(50))
    data = frame(BINARY, payload)

    for cut in range(len(data)):
        assert received(Protocol(), [data[:cut], data[cut:]]) == [(BINARY, payload)]


def test_masking_is_the_exclusive_or_of_the_rfc() -> None:
    assert masked(masked(b"Hello")) == b"Hello"


def test_a_size_that_is_too_big_is_refused_before_the_mask_has_come() -> None:
    head = b"\x82\xff" + (70112).to_bytes(8)

    assert failure(head) == (1009, "message of 70112 bytes is over 65536")
