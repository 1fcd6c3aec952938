"""Frames as a server writes them: one final, unmasked frame from an opcode and its payload.

Source: RFC 6455, section 5 (framing) and section 7.4 (close codes); RFC 7692, section 6 (the bit
of a compressed message).
"""

from __future__ import annotations

from struct import Struct

# The C function, or a slow one in Python where its wheel has no C.
from websockets.frames import apply_mask  # type: ignore[attr-defined]  # not in its __all__

__all__ = [
    "BINARY",
    "CLOSE",
    "COMPRESSED",
    "CONTINUATION",
    "PING",
    "PONG",
    "TEXT",
    "apply_mask",
    "close_payload",
    "encode",
    "is_sendable_code",
]

CONTINUATION = 0
TEXT = 1
BINARY = 2
CLOSE = 8
PING = 9
PONG = 10
# Added to TEXT or BINARY: the bit RSV1 of a message that is compressed.
COMPRESSED = 0x40

MAX_CONTROL_SIZE = 125
MAX_REASON_SIZE = MAX_CONTROL_SIZE - 2

_FINAL = 0x80
_CONTROL = 8
_OPCODES = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, TEXT | COMPRESSED, BINARY | COMPRESSED)
# Most messages are short, and building two bytes costs more than looking them up.
_SHORT_HEADS = {
    opcode: tuple(bytes((_FINAL | opcode, size)) for size in range(126)) for opcode in _OPCODES
}
_pack_16_bit_head = Struct("!BBH").pack
_pack_64_bit_head = Struct("!BBQ").pack
_pack_code = Struct("!H").pack


def encode(opcode: int, payload: bytes) -> bytes:
    """Return one final unmasked frame; a control frame's payload has 125 bytes at most."""
    size = len(payload)
    if size < 126:
        return _SHORT_HEADS[opcode][size] + payload
    assert not opcode & _CONTROL, f"control frame of {size} bytes"
    if size < 65536:
        return _pack_16_bit_head(_FINAL | opcode, 126, size) + payload
    return _pack_64_bit_head(_FINAL | opcode, 127, size) + payload


def close_payload(code: int, reason: str) -> bytes:
    """Return the payload of a close frame, its reason cut at 123 UTF-8 bytes between characters."""
    text = reason.encode("utf-8", "replace")
    if len(text) > MAX_REASON_SIZE:
        text = text[:MAX_REASON_SIZE].decode("utf-8", "ignore").encode()
    return _pack_code(code) + text


def is_sendable_code(code: object) -> bool:
    """Whether ``code`` may stand in a close frame: 1000-1003, 1007-1014 or 3000-4999."""
    if not isinstance(code, int) or isinstance(code, bool):
        return False
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999
