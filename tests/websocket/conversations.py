"""What a client may do to us, good or bad, and what it means to us and to ``websockets``.

The two must agree on every message and on the close code. Where they may differ on purpose:
``websockets`` takes a close frame inside a fragmented message for an error, and it looks at a
frame when all of it is there, where we refuse at the first byte that is wrong. So a frame that is
too big and should not come at all is the one to us (1002) and the other to them (1009).
"""

from __future__ import annotations

import codecs
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack

from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN
from websockets.server import ServerProtocol

from greenrelay.websocket.deflate import TAIL, Agreement
from greenrelay.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from greenrelay.websocket.protocol import ERROR, Protocol, Received
from tests.websocket.wire import frame

LIMIT = 1 << 20
RSV1 = 0x40
MASKS = st.binary(min_size=4, max_size=4)
SIZES = st.one_of(st.integers(0, 140), st.integers(65530, 65545))
CODES = st.one_of(st.integers(1000, 1003), st.integers(1007, 1014), st.integers(3000, 4999))
BOMB = bytes(2 * LIMIT)
# Its first block is of a kind that there is not.
NO_DEFLATE = b"\x06"

AGREEMENTS = st.one_of(
    st.none(),
    st.builds(
        Agreement,
        client_no_context_takeover=st.booleans(),
        client_max_window_bits=st.integers(9, 15),
    ),
)


@dataclass(frozen=True, slots=True)
class Conversation:
    """What a client sends, as the pieces that are read; ``is_whole`` if its last frame is."""

    pieces: Sequence[bytes]
    agreement: Agreement | None
    is_whole: bool = True

    @property
    def data(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


class Packer:
    """The client's side of the compression that was agreed on."""

    def __init__(self, agreement: Agreement) -> None:
        self._agreement = agreement
        self._encoder: zlib._Compress | None = None

    def pack(self, payload: bytes, level: int = -1) -> bytes:
        """Return ``payload`` compressed, as the message of a client."""
        if self._encoder is None or self._agreement.client_no_context_takeover:
            bits = self._agreement.client_max_window_bits
            self._encoder = zlib.compressobj(level, wbits=-bits)
        data = self._encoder.compress(payload) + self._encoder.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(TAIL)


@st.composite
def control_frames(draw: st.DrawFn) -> bytes:
    opcode = draw(st.sampled_from([PING, PONG]))
    return frame(opcode, draw(st.binary(max_size=125)), mask=draw(MASKS))


@st.composite
def payloads(draw: st.DrawFn, opcode: int) -> bytes:
    if opcode == TEXT:
        return draw(st.text(st.characters(codec="utf-8"), max_size=60)).encode()
    return draw(st.binary(max_size=20)).ljust(draw(SIZES), b".")


@st.composite
def messages(draw: st.DrawFn, packer: Packer | None = None) -> bytes:
    """One message in any number of fragments, with control frames between them."""
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    payload = draw(payloads(opcode))
    reserved = 0
    if packer is not None and draw(st.booleans()):
        payload = packer.pack(payload, draw(st.integers(-1, 9)))
        reserved = RSV1
    return draw(fragmented(opcode, payload, reserved))


@st.composite
def fragmented(draw: st.DrawFn, opcode: int, payload: bytes, reserved: int = 0) -> bytes:
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=4)))
    bounds = [0, *cuts, len(payload)]
    data = b""
    for index in range(len(bounds) - 1):
        piece = payload[bounds[index] : bounds[index + 1]]
        is_last = index == len(bounds) - 2
        kind, bit = (CONTINUATION, 0) if index else (opcode, reserved)
        data += frame(kind, piece, final=is_last, reserved=bit, mask=draw(MASKS))
        if not is_last and draw(st.booleans()):
            data += draw(control_frames())
    return data


@st.composite
def close_frames(draw: st.DrawFn) -> bytes:
    """A close frame that may be sent."""
    reason = draw(st.text(st.characters(codec="utf-8"), max_size=30)).encode()
    payload = draw(st.sampled_from([b"", pack("!H", draw(CODES)) + reason]))
    return frame(CLOSE, payload, mask=draw(MASKS))


@st.composite
def any_frames(draw: st.DrawFn, packer: Packer | None = None) -> bytes:
    """One frame of any kind, which may be legal where it comes."""
    opcode = draw(st.integers(0, 15))
    reserved = draw(st.sampled_from([0, 0, 0, 0x10, 0x20, 0x40, 0x60]))
    payload = draw(st.binary(max_size=130))
    if packer is not None and reserved == RSV1 and opcode in (TEXT, BINARY):
        payload = NO_DEFLATE + payload
    data = frame(opcode, payload, final=draw(st.booleans()), reserved=reserved, mask=draw(MASKS))
    if draw(st.integers(0, 9)):
        return data
    return data[:1] + bytes((data[1] & 0x7F,)) + data[2:]


@st.composite
def misdeeds(draw: st.DrawFn, packer: Packer | None = None) -> bytes:
    """Something that is illegal, or so only at times."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(fragmented(TEXT, draw(st.binary(max_size=60))))
    if kind == 1:
        return frame(CLOSE, draw(st.binary(max_size=130)), mask=draw(MASKS))
    if kind == 2:
        size = LIMIT + draw(st.integers(1, 1 << 40))
        return pack("!BBQ", 0x80 | BINARY, 0xFF, size) + draw(MASKS)
    if kind == 3 and packer is not None:
        return frame(draw(st.sampled_from([TEXT, BINARY])), packer.pack(BOMB), reserved=RSV1)
    return draw(any_frames(packer))


@st.composite
def conversations(draw: st.DrawFn, *, is_legal: bool = False) -> Conversation:
    """Any sequence of messages and frames, read in any pieces."""
    agreement = draw(AGREEMENTS)
    packer = None if agreement is None else Packer(agreement)
    kinds = [messages(packer), control_frames()]
    if not is_legal:
        kinds += [any_frames(packer), misdeeds(packer)]
    data = b"".join(draw(st.lists(st.one_of(kinds), max_size=6)))
    if draw(st.booleans()):
        data += draw(close_frames())
    is_whole = is_legal or draw(st.integers(0, 3)) > 0
    if not is_whole:
        data = data[: draw(st.integers(0, len(data)))]
    splits = draw(st.lists(st.integers(0, len(data)), max_size=12))
    bounds = [0, *sorted(splits), len(data)]
    pieces = [data[bounds[index] : bounds[index + 1]] for index in range(len(bounds) - 1)]
    return Conversation(pieces, agreement, is_whole)


@dataclass(frozen=True, slots=True)
class Meaning:
    """The items that came out, and the close code of the error that ended them, if one did."""

    items: list[Received]
    code: int | None = None


def our_meaning(pieces: Sequence[bytes], agreement: Agreement | None) -> Meaning:
    """What ``pieces`` mean to us."""
    inflater = None if agreement is None else agreement.inflater()
    protocol = Protocol(max_message_size=LIMIT, inflater=inflater)
    items = [item for piece in pieces for item in protocol.receive(piece)]
    if items and items[-1][0] == ERROR:
        ending = items.pop()[1]
        assert isinstance(ending, tuple)
        return Meaning(items, ending[0])
    return Meaning(items)


def their_end(data: bytes, agreement: Agreement | None = None) -> ServerProtocol:
    """Return the protocol of ``websockets`` that has read ``data``."""
    server = ServerProtocol(state=OPEN, max_size=LIMIT)
    if agreement is not None:
        forgets = agreement.client_no_context_takeover
        bits = agreement.client_max_window_bits
        server.extensions = [PerMessageDeflate(forgets, False, bits, 15)]
    server.receive_data(data)
    return server


def their_meaning(data: bytes, agreement: Agreement | None) -> Meaning:
    """What ``data`` means to ``websockets``: its frames joined to messages, its text decoded."""
    server = their_end(data, agreement)
    items: list[Received] = []
    try:
        _join(server, items)
    except UnicodeDecodeError:
        return Meaning(items, 1007)
    received, sent = server.close_rcvd, server.close_sent
    if received is not None:
        items.append((CLOSE, (int(received.code), received.reason)))
    elif server.parser_exc is not None:
        assert sent is not None, "an error is told to the client"
        return Meaning(items, int(sent.code))
    return Meaning(items)


def _join(server: ServerProtocol, items: list[Received]) -> None:
    opcode, joined = 0, b""
    decode = codecs.getincrementaldecoder("utf-8")().decode
    for event in server.events_received():
        assert isinstance(event, Frame)
        data = bytes(event.data)
        if event.opcode in (Opcode.PING, Opcode.PONG):
            items.append((int(event.opcode), data))
        elif event.opcode is not Opcode.CLOSE:
            opcode = int(event.opcode) or opcode
            if opcode == TEXT:
                decode(data, event.fin)
            joined += data
            if event.fin:
                items.append((opcode, joined.decode() if opcode == TEXT else joined))
                joined = b""


def check(conversation: Conversation) -> None:
    """Assert that we and ``websockets`` take it for the same, however it is cut."""
    theirs = their_meaning(conversation.data, conversation.agreement)
    ours = our_meaning(conversation.pieces, conversation.agreement)

    assert our_meaning([conversation.data], conversation.agreement) == ours
    is_refused_earlier = theirs.code is None and not conversation.is_whole
    if is_refused_earlier or (ours.code, theirs.code) == (1002, 1009):
        assert ours.items == theirs.items
    else:
        assert ours == theirs
