"""Our Protocol and the one of `websockets`: the same bytes must mean the same."""

from __future__ import annotations

from struct import pack

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import NegotiationError
from websockets.extensions.permessage_deflate import (
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame, Opcode
from websockets.headers import parse_extension

from greenrelay.websocket.deflate import Agreement, negotiate
from greenrelay.websocket.extension import parse_extensions
from greenrelay.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, TEXT
from greenrelay.websocket.protocol import ERROR, Protocol
from tests.websocket.conversations import (
    LIMIT,
    Conversation,
    check,
    conversations,
    our_meaning,
    their_end,
    their_meaning,
)
from tests.websocket.wire import byte_by_byte, frame, received


@settings(deadline=None)
@given(conversation=conversations(is_legal=True))
def test_legal_frames_mean_the_same_however_they_are_split(conversation: Conversation) -> None:
    check(conversation)

    assert our_meaning(conversation.pieces, conversation.agreement).code is None


@settings(deadline=None, max_examples=300)
@given(conversation=conversations())
def test_any_frames_mean_the_same_however_they_are_split(conversation: Conversation) -> None:
    check(conversation)


@settings(deadline=None, max_examples=30)
@given(conversation=conversations().filter(lambda each: len(each.data) < 5000))
def test_any_frames_mean_the_same_byte_by_byte(conversation: Conversation) -> None:
    pieces = list(byte_by_byte(conversation.data))

    check(Conversation(pieces, conversation.agreement, conversation.is_whole))


@settings(deadline=None)
@given(data=st.binary(max_size=300), splits=st.lists(st.integers(0, 300), max_size=6))
def test_garbage_never_raises_and_ends_the_same_however_it_is_split(
    data: bytes, splits: list[int]
) -> None:
    bounds = [0, *sorted(split % (len(data) + 1) for split in splits), len(data)]
    pieces = [data[bounds[index] : bounds[index + 1]] for index in range(len(bounds) - 1)]
    for agreement in (None, Agreement()):
        whole = our_meaning([data], agreement)

        assert our_meaning(pieces, agreement) == whole


# What an offer holds, legal or not.
PARAMETERS = st.sampled_from(
    [
        "server_no_context_takeover",
        "client_no_context_takeover",
        "server_no_context_takeover=1",
        "server_max_window_bits",
        "client_max_window_bits",
        "unknown",
        *(f"{side}_max_window_bits={bits}" for side in ("server", "client") for bits in (7, 9, 16)),
        *(f"{side}_max_window_bits={bits}" for side in ("server", "client") for bits in (10, 15)),
    ]
)


@settings(deadline=None)
@given(parameters=st.lists(PARAMETERS, max_size=4))
def test_offers_are_answered_alike(parameters: list[str]) -> None:
    offer = "; ".join(["permessage-deflate", *parameters])
    factory = ServerPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=12)
    [(_, theirs)] = parse_extension(offer)
    try:
        _, extension = factory.process_request_params(theirs, [])
    except NegotiationError:
        extension = None

    ours = negotiate(parse_extensions(offer))

    assert (ours is None) == (extension is None)
    if ours is not None:
        assert isinstance(extension, PerMessageDeflate)
        assert ours.client_max_window_bits == extension.remote_max_window_bits
        assert ours.server_max_window_bits == extension.local_max_window_bits
        assert ours.client_no_context_takeover == extension.remote_no_context_takeover
        assert ours.server_no_context_takeover == extension.local_no_context_takeover


@settings(deadline=None)
@given(
    texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=600), max_size=8),
    bits=st.integers(9, 15),
    keeps_context=st.booleans(),
)
def test_what_we_compress_they_read(texts: list[str], bits: int, keeps_context: bool) -> None:
    agreement = Agreement(server_no_context_takeover=not keeps_context, server_max_window_bits=bits)
    deflater = agreement.deflater()
    client = PerMessageDeflate(not keeps_context, False, bits, 15)
    for text in texts:
        for opcode in (TEXT, BINARY):
            data = deflater.encode(opcode, text.encode())
            start = {126: 4, 127: 10}.get(data[1], 2)
            sent = Frame(Opcode(opcode), data[start:], True, bool(data[0] & 0x40))

            assert bytes(client.decode(sent).data) == text.encode()


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

    opcode, ending = Protocol(max_message_size=LIMIT).receive(data)[-1]

    assert opcode == ERROR
    assert isinstance(ending, tuple)
    assert ending[0] == their_close.code


def test_a_close_inside_a_fragmented_message_is_where_we_differ() -> None:
    """RFC 6455, 5.4: control frames "MAY be injected in the middle of a fragmented message"."""
    data = frame(TEXT, b"never ended", final=False) + frame(CLOSE, pack("!H", 1001))

    assert their_end(data).parser_exc is not None
    assert their_meaning(data, None) == our_meaning([data], None)
    assert received(Protocol(), byte_by_byte(data)) == [(CLOSE, (1001, ""))]
