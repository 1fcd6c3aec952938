from __future__ import annotations

import random
import tracemalloc
import zlib
from struct import pack

import pytest

from greenrelay.websocket.deflate import (
    FLOOR_BYTES,
    MAX_STREAMS,
    TAIL,
    Agreement,
    Deflater,
    Inflater,
    negotiate,
    wire_limit,
)
from greenrelay.websocket.extension import parse_extensions
from greenrelay.websocket.frames import BINARY, COMPRESSED, CONTINUATION, PING, TEXT
from greenrelay.websocket.protocol import ERROR, Protocol
from tests.websocket.wire import byte_by_byte, frame, received

HELLO = bytes.fromhex("f248cdc9c90700")
RSV1 = 0x40


def noise(size: int, seed: int = 7) -> bytes:
    return random.Random(seed).randbytes(size)


def deflated(payload: bytes, *, level: int = 6, bits: int = 15) -> bytes:
    encoder = zlib.compressobj(level, wbits=-bits)
    return (encoder.compress(payload) + encoder.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def inflated(payload: bytes, limit: int = 1 << 20, inflater: Inflater | None = None) -> bytes:
    inflater = inflater or Inflater()
    inflater.begin(limit)
    return inflater.add(payload) + inflater.end()


def protocol(limit: int = 65536, agreement: Agreement | None = None) -> Protocol:
    return Protocol(max_message_size=limit, inflater=(agreement or Agreement()).inflater())


def failure(data: bytes, limit: int = 65536) -> object:
    """The (code, reason) that ``data`` ends with, the same whole and byte by byte."""
    whole = protocol(limit).receive(data)
    assert received(protocol(limit), byte_by_byte(data)) == list(whole)
    assert whole[-1][0] == ERROR
    return whole[-1][1]


# the offer


@pytest.mark.parametrize(
    ("offer", "answer"),
    [
        ("permessage-deflate", ""),
        ("permessage-deflate; server_no_context_takeover", "; server_no_context_takeover"),
        ("permessage-deflate; client_no_context_takeover", "; client_no_context_takeover"),
        ("permessage-deflate; client_max_window_bits", "; client_max_window_bits=12"),
        ("permessage-deflate; client_max_window_bits=15", "; client_max_window_bits=12"),
        ("permessage-deflate; client_max_window_bits=9", "; client_max_window_bits=9"),
        ("permessage-deflate; client_max_window_bits=8", "; client_max_window_bits=8"),
        ("permessage-deflate; server_max_window_bits=15", "; server_max_window_bits=12"),
        ("permessage-deflate; server_max_window_bits=8", "; server_max_window_bits=8"),
        ('permessage-deflate; server_max_window_bits="10"', "; server_max_window_bits=10"),
        ("foo, permessage-deflate", ""),
        ("permessage-deflate; unknown, permessage-deflate", ""),
        (
            "permessage-deflate; server_max_window_bits=7, "
            "permessage-deflate; server_no_context_takeover, permessage-deflate",
            "; server_no_context_takeover",
        ),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10; "
            "client_no_context_takeover; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; "
            "client_max_window_bits=12",
        ),
    ],
)
def test_the_first_offer_that_can_be_accepted_is_answered(offer: str, answer: str) -> None:
    agreement = negotiate(parse_extensions(offer))

    assert agreement is not None
    assert agreement.answer == f"permessage-deflate{answer}"


@pytest.mark.parametrize(
    "parameters",
    [
        "unknown",
        "unknown=1",
        "server_no_context_takeover=true",
        "client_no_context_takeover=1",
        "server_max_window_bits",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=08",
        "server_max_window_bits=010",
        "server_max_window_bits=ten",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=+9",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "Server_No_Context_Takeover",
    ],
)
def test_an_offer_with_an_illegal_parameter_is_declined(parameters: str) -> None:
    """RFC 7692, 7.1: "A server MUST decline an extension negotiation offer … if …"."""
    assert negotiate(parse_extensions(f"permessage-deflate; {parameters}")) is None


@pytest.mark.parametrize("offer", ["", "foo", "permessage-bzip2", "x-webkit-deflate-frame"])
def test_without_an_offer_nothing_is_agreed(offer: str) -> None:
    assert negotiate(parse_extensions(offer)) is None


def test_a_client_that_cannot_choose_its_window_keeps_the_largest() -> None:
    """RFC 7692, 7.1.2.2: the server "MUST NOT include" what the offer did not."""
    agreement = negotiate(parse_extensions("permessage-deflate"))

    assert agreement is not None
    assert agreement.client_max_window_bits == 15


def test_a_server_that_may_drop_frames_says_that_it_keeps_no_context() -> None:
    agreement = negotiate(parse_extensions("permessage-deflate"), keeps_context=False)

    assert agreement is not None
    assert agreement.answer == "permessage-deflate; server_no_context_takeover"
    assert agreement.server_no_context_takeover


# from the client


def test_hello_is_the_compressed_example_of_the_rfc() -> None:
    """RFC 7692, 7.2.3.1: "A Message Compressed Using One Compressed DEFLATE Block"."""
    assert protocol().receive(frame(TEXT, HELLO, reserved=RSV1)) == [(TEXT, "Hello")]


def test_a_second_hello_may_refer_to_the_first() -> None:
    """RFC 7692, 7.2.3.2: "Sharing LZ77 Sliding Window"."""
    data = frame(TEXT, HELLO, reserved=RSV1) + frame(
        TEXT, bytes.fromhex("f200110000"), reserved=RSV1
    )

    assert protocol().receive(data) == [(TEXT, "Hello")] * 2
    assert received(protocol(), byte_by_byte(data)) == [(TEXT, "Hello")] * 2


def test_without_context_takeover_nothing_before_may_be_referred_to() -> None:
    forgetful = Agreement(client_no_context_takeover=True)
    data = frame(TEXT, HELLO, reserved=RSV1) + frame(
        TEXT, bytes.fromhex("f200110000"), reserved=RSV1
    )

    assert protocol(agreement=forgetful).receive(data)[-1] == (
        ERROR,
        (1002, "message is not valid deflate data"),
    )


@pytest.mark.parametrize(
    "payload",
    [
        "000500faff48656c6c6f00",  # 7.2.3.3: a block with no compression
        "f348cdc9c9070000",  # 7.2.3.4: a block marked as the last
        "f348cdc9c90700",  # the same without the padding
        "f248050000 00ffff cac9c90700",  # 7.2.3.5: two blocks in one message
    ],
)
def test_further_examples_of_the_rfc_are_hello(payload: str) -> None:
    data = frame(TEXT, bytes.fromhex(payload), reserved=RSV1) * 2

    assert protocol().receive(data) == [(TEXT, "Hello")] * 2
    assert received(protocol(), byte_by_byte(data)) == [(TEXT, "Hello")] * 2


def test_an_empty_message_is_one_byte_of_zero() -> None:
    """RFC 7692, 7.2.3.6: "Generating an Empty Fragment"."""
    data = frame(BINARY, b"\x00", reserved=RSV1) + frame(BINARY, b"", reserved=RSV1)

    assert protocol().receive(data + frame(TEXT, HELLO, reserved=RSV1)) == [
        (BINARY, b""),
        (BINARY, b""),
        (TEXT, "Hello"),
    ]


def test_fragments_of_a_compressed_message_have_the_bit_on_the_first_only() -> None:
    """RFC 7692, 7.2.3: the example of the fragmented "Hello"."""
    data = (
        frame(TEXT, HELLO[:3], final=False, reserved=RSV1)
        + frame(PING, b"p")
        + frame(CONTINUATION, HELLO[3:])
    )

    assert protocol().receive(data) == [(PING, b"p"), (TEXT, "Hello")]
    assert received(protocol(), byte_by_byte(data)) == [(PING, b"p"), (TEXT, "Hello")]


def test_plain_messages_may_come_between_compressed_ones() -> None:
    data = frame(TEXT, HELLO, reserved=RSV1) + frame(TEXT, b"plain") + frame(BINARY, b"too")

    assert protocol().receive(data) == [(TEXT, "Hello"), (TEXT, "plain"), (BINARY, b"too")]


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, HELLO[:3], final=False, reserved=RSV1) + frame(0, HELLO[3:], reserved=RSV1),
        frame(PING, HELLO, reserved=RSV1),
        frame(TEXT, HELLO, reserved=0x20),
        frame(TEXT, HELLO, reserved=RSV1 | 0x10),
    ],
)
def test_reserved_bits_where_none_may_be_are_a_protocol_error(data: bytes) -> None:
    assert failure(data) == (1002, "reserved bit set without an extension")


def test_the_bit_is_a_protocol_error_where_nothing_was_agreed() -> None:
    items = Protocol().receive(frame(TEXT, HELLO, reserved=RSV1))

    assert items == [(ERROR, (1002, "reserved bit set without an extension"))]


def test_what_is_no_deflate_data_is_a_protocol_error() -> None:
    assert failure(frame(BINARY, b"\xff" * 20, reserved=RSV1)) == (
        1002,
        "message is not valid deflate data",
    )


def test_bad_utf8_is_refused_as_soon_as_it_is_inflated() -> None:
    payload = deflated(b"good" + b"\xff" + noise(3000), level=0)
    data = frame(TEXT, payload, reserved=RSV1)

    assert protocol().receive(data[:30])[-1] == (
        ERROR,
        (1007, "text is not UTF-8: invalid start byte"),
    )


@pytest.mark.parametrize("size", [0, 1, 255, 65535, 65536])
def test_a_message_up_to_the_limit_is_taken(size: int) -> None:
    """`wsrelay.max.message.size` | 64 KiB | after inflating"""
    for payload in (bytes(size), noise(size)):
        data = frame(BINARY, deflated(payload), reserved=RSV1)

        assert protocol().receive(data) == [(BINARY, payload)]


@pytest.mark.parametrize("level", [0, 1, 9])
def test_incompressible_data_of_just_the_limit_is_taken_whatever_it_grew_to(level: int) -> None:
    payload = noise(65536)
    encoder = zlib.compressobj(level, wbits=-9, memLevel=1)
    flushed = [
        encoder.compress(payload[at : at + 64]) + encoder.flush(zlib.Z_SYNC_FLUSH)
        for at in range(0, 65536, 64)
    ]
    data = frame(BINARY, b"".join(flushed).removesuffix(TAIL), reserved=RSV1)

    assert protocol().receive(data) == [(BINARY, payload)]


def test_a_message_of_one_byte_over_the_limit_is_refused() -> None:
    data = frame(BINARY, deflated(bytes(65537)), reserved=RSV1)

    assert failure(data) == (1009, "message inflates to more than 65536 bytes")


def test_the_limit_is_over_all_fragments() -> None:
    payload = deflated(noise(4000))
    data = frame(BINARY, payload[:2000], final=False, reserved=RSV1)
    data += frame(CONTINUATION, payload[2000:])

    assert protocol(4000).receive(data) == [(BINARY, noise(4000))]
    assert failure(data, 3999) == (1009, "message inflates to more than 3999 bytes")


def test_a_bomb_is_refused_before_it_takes_memory() -> None:
    bomb = deflated(bytes(256 << 20), level=9)
    data = frame(BINARY, bomb, reserved=RSV1)
    victim = protocol(1 << 20)
    victim.receive(b"")

    tracemalloc.start()
    items = [
        item for at in range(0, len(data), 65536) for item in victim.receive(data[at:][:65536])
    ]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert items == [(ERROR, (1009, "message inflates to more than 1048576 bytes"))]
    assert peak < 8 << 20


def test_a_head_takes_no_memory_for_what_it_announces() -> None:
    head = b"\xc2\xff" + pack("!Q", 1 << 30) + bytes(4)
    victim = protocol(1 << 30)

    tracemalloc.start()
    items = victim.receive(head + b"\x00")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert items == []
    assert peak < 1 << 17


def test_data_that_inflates_to_nothing_is_bounded_too() -> None:
    limit = wire_limit(65536, 1024)
    payload = b"\x00\x00\x00\xff\xff" * (limit // 5 + 1)

    assert protocol().receive(frame(BINARY, payload, reserved=RSV1)) == [
        (ERROR, (1009, f"message of {len(payload)} bytes is over {limit}"))
    ]


def test_a_message_of_very_many_streams_is_refused() -> None:
    ended = b"\x03\x00"

    assert inflated(ended * MAX_STREAMS) == b""
    assert failure(frame(BINARY, ended * (MAX_STREAMS + 1), reserved=RSV1)) == (
        1002,
        f"message of more than {MAX_STREAMS} deflate streams",
    )


@pytest.mark.parametrize("bits", range(9, 16))
def test_windows_of_all_sizes_are_inflated(bits: int) -> None:
    payload = noise(300) * 200

    assert inflated(deflated(payload, bits=bits), inflater=Inflater(bits)) == payload


# to the client


def unframed(data: bytes) -> tuple[int, bytes]:
    """The first byte and the payload of a frame of ours."""
    start = {126: 4, 127: 10}.get(data[1], 2)
    return data[0], data[start:]


def test_a_short_message_is_sent_plain() -> None:
    first, payload = unframed(Deflater().encode(TEXT, b"a" * (FLOOR_BYTES - 1)))

    assert (first, payload) == (0x80 | TEXT, b"a" * (FLOOR_BYTES - 1))


def test_a_longer_message_is_compressed() -> None:
    first, payload = unframed(Deflater().encode(TEXT, b"a" * FLOOR_BYTES))

    assert first == 0x80 | COMPRESSED | TEXT
    assert inflated(payload) == b"a" * FLOOR_BYTES


def test_binary_data_that_is_dense_is_sent_plain() -> None:
    first, payload = unframed(Deflater().encode(BINARY, noise(5000)))

    assert (first, payload) == (0x80 | BINARY, noise(5000))


def test_what_does_not_get_shorter_is_sent_plain_and_never_referred_to() -> None:
    deflater, inflater = Deflater(), Inflater()
    for data in (b"a" * 400, noise(400), noise(400) + b"b" * 400):
        first, payload = unframed(deflater.encode(BINARY, data))

        plain = inflated(payload, inflater=inflater) if first & COMPRESSED else payload
        assert plain == data


@pytest.mark.parametrize("keeps_context", [True, False])
def test_only_with_context_a_message_refers_to_the_one_before(keeps_context: bool) -> None:
    text = noise(200).hex().encode()
    deflater, inflater = Deflater(15, keeps_context), Inflater(15, keeps_context)
    frames = [unframed(deflater.encode(TEXT, text)) for _ in range(2)]

    assert [inflated(payload, inflater=inflater) for _, payload in frames] == [text] * 2
    assert (len(frames[1][1]) < 20) is keeps_context


@pytest.mark.parametrize("bits", range(8, 16))
def test_no_message_refers_further_back_than_the_window(bits: int) -> None:
    deflater = Agreement(server_max_window_bits=bits).deflater()
    strict = zlib.decompressobj(-bits)
    text = noise(1 << (bits - 1)).hex().encode()

    for data in (text, text[:700] * 9, text):
        first, payload = unframed(deflater.encode(TEXT, data))

        assert first & COMPRESSED
        assert strict.decompress(payload + TAIL) == data


def test_both_ends_of_an_agreement_understand_each_other() -> None:
    agreement = Agreement(server_max_window_bits=9, client_max_window_bits=9)
    text = b'{"topic": "news", "data": [1, 2, 3]}' * 20

    first, payload = unframed(agreement.deflater().encode(TEXT, text))

    assert inflated(payload, inflater=agreement.inflater()) == text
    assert first == 0x80 | COMPRESSED | TEXT
