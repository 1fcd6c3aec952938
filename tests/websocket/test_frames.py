from __future__ import annotations

from enum import IntEnum

import pytest

from greenrelay.websocket.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    apply_mask,
    close_payload,
    encode,
    is_sendable_code,
)


class Code(IntEnum):
    GONE = 4001


def test_the_mask_function_is_the_one_in_c() -> None:
    assert type(apply_mask).__name__ == "builtin_function_or_method"


def test_the_opcodes_are_those_of_the_rfc() -> None:
    """RFC 6455, section 11.8: "WebSocket Opcode Registry"."""
    assert (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG) == (0, 1, 2, 8, 9, 10)


def test_hello_is_the_unmasked_example_of_the_rfc() -> None:
    """RFC 6455, section 5.7: "A single-frame unmasked text message"."""
    assert encode(TEXT, b"Hello") == bytes.fromhex("810548656c6c6f")


@pytest.mark.parametrize(
    ("size", "head"),
    [
        (0, "8200"),
        (125, "827d"),
        (126, "827e007e"),
        (65535, "827effff"),
        (65536, "827f0000000000010000"),
    ],
)
def test_the_size_is_written_in_its_shortest_form(size: int, head: str) -> None:
    """RFC 6455, 5.2: "the minimal number of bytes MUST be used to encode the length"."""
    payload = bytes(size)

    assert encode(BINARY, payload) == bytes.fromhex(head) + payload


@pytest.mark.parametrize("opcode", [CLOSE, PING, PONG])
def test_control_frames_are_encoded(opcode: int) -> None:
    assert encode(opcode, b"abc") == bytes((0x80 | opcode, 3)) + b"abc"


def test_a_control_frame_over_125_bytes_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="control frame of 126 bytes"):
        encode(PING, bytes(126))


def test_a_close_payload_is_the_code_and_the_reason() -> None:
    assert close_payload(1000, "target exited") == b"\x03\xe8target exited"


def test_a_close_reason_of_123_bytes_is_kept_whole() -> None:
    assert close_payload(1000, "x" * 123) == b"\x03\xe8" + b"x" * 123


@pytest.mark.parametrize("character", ["x", "é", "終", "🌱"])
def test_a_long_close_reason_is_cut_on_a_character_boundary(character: str) -> None:
    """Close reasons are cut at 123 UTF-8 bytes on a character boundary."""
    reason = close_payload(1000, character * 200)[2:]

    assert reason.decode() == character * (123 // len(character.encode()))


def test_a_lone_surrogate_in_a_close_reason_becomes_a_question_mark() -> None:
    assert close_payload(1000, "a\ud800b") == b"\x03\xe8a?b"


def test_the_sendable_codes_are_those_of_the_contract() -> None:
    """InvalidCloseCode outside 1000-1003, 1007-1014, 3000-4999."""
    sendable = {code for code in range(70000) if is_sendable_code(code)}

    assert sendable == {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)}


@pytest.mark.parametrize("code", [True, 1000.0, "1000", None, -1000])
def test_what_is_not_a_number_of_the_ranges_is_not_sendable(code: object) -> None:
    assert not is_sendable_code(code)


def test_a_code_may_be_an_enum_member() -> None:
    assert is_sendable_code(Code.GONE)
