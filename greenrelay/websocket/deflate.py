"""Compressed messages: what a server agrees to, and both directions of the compression.

Source: RFC 7692 (permessage-deflate); the switch and the floor from WebSocket Relay, "Options".

Theory. A message is one stretch of a raw deflate stream, flushed to a byte boundary, without the
four bytes every flush ends with (``TAIL``): the receiver puts them back. With context takeover
the stream goes on over all messages of one direction, so each message may refer to those before
it, and a frame that was compressed must be sent; without, each message begins a stream. Either
end may send what it likes uncompressed at any time, and may forget its past at any time.

Inflating is bounded while it happens: zlib is never asked for more than one byte over the room
that the message has left, however far the bytes at hand would unfold. What only takes in and
gives nothing out is bounded by ``wire_limit``.

Windows are of 12 bits where the client lets us choose: 4 KiB of past serve messages of a few
KiB as well as 32 KiB do, and cost a connection 50 KB where the largest cost 200. Nothing is
allocated before the first compressed message of a direction.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

from greenrelay.websocket.extension import Extension, Parameter
from greenrelay.websocket.frames import BINARY, COMPRESSED, encode
from greenrelay.websocket.violation import PROTOCOL_ERROR, TOO_BIG, Violation

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"
WINDOW_BITS = 12
MAX_WINDOW_BITS = 15
# From this size on a message is compressed. Below it not much more is saved than the heads of
# TCP and IP take anyway, for twenty times the work of a plain frame.
FLOOR_BYTES = 256
# Streams that may end inside one message; a client that ends them at all ends one.
MAX_STREAMS = 16
_MEMORY_LEVEL = 5
# Binary data of more than a sample is compressed when the sample shrinks below this part.
_SAMPLE_BYTES = 1024
_WORTH_IT = 0.9
_BITS = {str(bits): bits for bits in range(8, MAX_WINDOW_BITS + 1)}


@dataclass(frozen=True, slots=True)
class Agreement:
    """The parameters of one connection; ``answer`` is the element that says so in the 101."""

    server_no_context_takeover: bool = False
    client_no_context_takeover: bool = False
    server_max_window_bits: int = MAX_WINDOW_BITS
    client_max_window_bits: int = MAX_WINDOW_BITS
    answer: str = NAME

    def inflater(self) -> Inflater:
        """Return what reads the client's messages."""
        return Inflater(self.client_max_window_bits, not self.client_no_context_takeover)

    def deflater(self) -> Deflater:
        """Return what compresses ours."""
        return Deflater(self.server_max_window_bits, not self.server_no_context_takeover)


def negotiate(offers: Sequence[Extension], *, keeps_context: bool = True) -> Agreement | None:
    """Return what is agreed on the first offer that can be accepted, None when there is none.

    Without ``keeps_context`` no message of ours refers to another: the only way where a frame
    may be dropped after it was compressed.
    """
    for name, parameters in offers:
        if name == NAME and (agreement := _accept(parameters, keeps_context)) is not None:
            return agreement
    return None


def wire_limit(max_message_size: int, max_fragments: int) -> int:
    """Return how many bytes a message that may inflate to ``max_message_size`` can take.

    zlib makes the worst input an eighth longer at its smallest setting, and a flush takes 6 bytes.
    """
    return max_message_size + max_message_size // 4 + 8 * max_fragments


class Inflater:
    """Makes the client's compressed messages plain: ``begin``, ``add`` for each piece, ``end``."""

    __slots__ = (
        "_bits",
        "_decoder",
        "_is_between",
        "_keeps_context",
        "_limit",
        "_room",
        "_streams",
    )

    def __init__(self, window_bits: int = MAX_WINDOW_BITS, keeps_context: bool = True) -> None:
        self._bits = window_bits
        self._keeps_context = keeps_context
        self._decoder: zlib._Decompress | None = None
        # Nothing of a block has been read: there is none that TAIL could end.
        self._is_between = True
        self._limit = self._room = 0
        self._streams = 0

    def begin(self, limit: int) -> None:
        """Begin a message that may inflate to ``limit`` bytes."""
        self._limit = self._room = limit
        self._streams = 0
        self._is_between = True
        if self._decoder is None:
            self._decoder = zlib.decompressobj(-self._bits)

    def add(self, piece: bytes) -> bytes:
        """Return what ``piece`` inflates to; raise Violation when it is too much or no deflate."""
        plain = b""
        while piece:
            decoder = self._decoder
            assert decoder is not None, "a piece belongs to a message that was begun"
            self._is_between = False
            try:
                part = decoder.decompress(piece, self._room + 1)
            except zlib.error as error:
                raise Violation(PROTOCOL_ERROR, "message is not valid deflate data") from error
            self._room -= len(part)
            if self._room < 0:
                raise Violation(TOO_BIG, f"message inflates to more than {self._limit} bytes")
            plain = plain + part if plain else part
            piece = self._next_stream(decoder.unused_data) if decoder.eof else b""
        return plain

    def end(self) -> bytes:
        """Return what the end of the message adds to it."""
        plain = b"" if self._is_between else self.add(TAIL)
        if not self._keeps_context:
            self._decoder = None
        return plain

    def _next_stream(self, rest: bytes) -> bytes:
        """Begin anew after a block marked as the last, which a client may send: section 7.2.3.4."""
        self._streams += 1
        if self._streams > MAX_STREAMS:
            raise Violation(PROTOCOL_ERROR, f"message of more than {MAX_STREAMS} deflate streams")
        self._decoder = zlib.decompressobj(-self._bits)
        self._is_between = True
        return rest


class Deflater:
    """Turns our messages into frames, compressed where that pays."""

    __slots__ = ("_bits", "_encoder", "_keeps_context")

    def __init__(self, window_bits: int = WINDOW_BITS, keeps_context: bool = True) -> None:
        # zlib refuses a raw window of 8 bits. Of one of 9 it refers back 250 bytes at most, so a
        # client with 8 can read that.
        self._bits = max(window_bits, 9)
        self._keeps_context = keeps_context
        self._encoder: zlib._Compress | None = None

    def encode(self, opcode: int, payload: bytes) -> bytes:
        """Return the frame of a message, compressed if it is long enough and gets shorter."""
        if len(payload) < FLOOR_BYTES or (opcode == BINARY and _is_dense(payload)):
            return encode(opcode, payload)
        encoder = self._encoder
        if encoder is None:
            encoder = zlib.compressobj(wbits=-self._bits, memLevel=_MEMORY_LEVEL)
        data = encoder.compress(payload) + encoder.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(TAIL), "a flush ends with an empty block"
        is_shorter = len(data) - len(TAIL) < len(payload)
        # What is not sent compressed must not be referred to.
        self._encoder = encoder if is_shorter and self._keeps_context else None
        return (
            encode(opcode | COMPRESSED, data[: -len(TAIL)])
            if is_shorter
            else encode(opcode, payload)
        )


def _is_dense(payload: bytes) -> bool:
    """Whether binary data looks compressed already, from the middle, past any head."""
    if len(payload) <= _SAMPLE_BYTES:
        return False
    start = (len(payload) - _SAMPLE_BYTES) // 2
    sample = payload[start : start + _SAMPLE_BYTES]
    return len(zlib.compress(sample, 1)) > _SAMPLE_BYTES * _WORTH_IT


def _accept(parameters: Sequence[Parameter], keeps_context: bool) -> Agreement | None:
    """Return what an offer comes to; None for one with a parameter that declines it."""
    wanted = dict(parameters)
    if len(wanted) < len(parameters) or not all(map(_is_legal, wanted.items())):
        return None
    server_bits = _bits(wanted.get("server_max_window_bits"))
    client_bits = _bits(wanted.get("client_max_window_bits"))
    answer = [NAME]
    forgets = not keeps_context or "server_no_context_takeover" in wanted
    if forgets:
        answer.append("server_no_context_takeover")
    client_forgets = "client_no_context_takeover" in wanted
    if client_forgets:
        answer.append("client_no_context_takeover")
    if "server_max_window_bits" in wanted:
        answer.append(f"server_max_window_bits={server_bits}")
    # A client that does not say that it can choose its window cannot be asked to.
    if "client_max_window_bits" in wanted:
        answer.append(f"client_max_window_bits={client_bits}")
    else:
        client_bits = MAX_WINDOW_BITS
    return Agreement(forgets, client_forgets, server_bits, client_bits, "; ".join(answer))


def _is_legal(parameter: Parameter) -> bool:
    name, value = parameter
    if name in ("server_no_context_takeover", "client_no_context_takeover"):
        return value is None
    if name == "client_max_window_bits" and value is None:
        return True
    return name in ("server_max_window_bits", "client_max_window_bits") and value in _BITS


def _bits(value: str | None) -> int:
    return WINDOW_BITS if value is None else min(_BITS[value], WINDOW_BITS)
