"""Frames as a client writes them, legal or not, for the tests of this room."""

from __future__ import annotations

from collections.abc import Iterable
from struct import pack

from greenrelay.websocket.protocol import Protocol, Received

MASK = b"\x37\xfa\x21\x3d"


def masked(payload: bytes, mask: bytes = MASK) -> bytes:
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)


def frame(
    opcode: int, payload: bytes = b"", *, final: bool = True, reserved: int = 0, mask: bytes = MASK
) -> bytes:
    first = (0x80 if final else 0) | reserved | opcode
    size = len(payload)
    if size < 126:
        head = pack("!BB", first, 0x80 | size)
    elif size < 65536:
        head = pack("!BBH", first, 0x80 | 126, size)
    else:
        head = pack("!BBQ", first, 0x80 | 127, size)
    return head + mask + masked(payload, mask)


def received(protocol: Protocol, pieces: Iterable[bytes]) -> list[Received]:
    return [item for piece in pieces for item in protocol.receive(piece)]


def byte_by_byte(data: bytes) -> Iterable[bytes]:
    return (data[index : index + 1] for index in range(len(data)))
