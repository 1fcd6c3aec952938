"""What is on the wire when a client breaks the rules, and when it compresses."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from struct import pack
from typing import Any

import pytest
from gevent import Timeout, socket

import greenrelay as gr
from greenrelay import spawn
from greenrelay.web import relay
from greenrelay.websocket.deflate import TAIL
from greenrelay.websocket.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from tests.http.views import echo
from tests.probe import assert_receive
from tests.relaying import UPGRADE, Bench, relaying
from tests.websocket.wire import frame

RSV1 = 0x40
OFFER = "permessage-deflate; client_max_window_bits"
LIMIT = 5000


def deflated(payload: bytes) -> bytes:
    encoder = zlib.compressobj(wbits=-12)
    return (encoder.compress(payload) + encoder.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


class Wire:
    """A TCP connection that became a WebSocket, and the bytes on it."""

    def __init__(self, address: str, offer: str = "") -> None:
        host, _, port = address.rpartition(":")
        self._sock = socket.create_connection((host, int(port)))
        fields = {"Host": address, **UPGRADE}
        if offer:
            fields["Sec-WebSocket-Extensions"] = offer
        lines = [f"{name}: {value}\r\n" for name, value in fields.items()]
        self.send(f"GET /ws HTTP/1.1\r\n{''.join(lines)}\r\n".encode())
        self._held = b""
        while b"\r\n\r\n" not in self._held:
            self._held += self._sock.recv(65536)
        head, _, self._held = self._held.partition(b"\r\n\r\n")
        self.head = head.decode()

    @property
    def agreed(self) -> str | None:
        """What the server has answered to the offer."""
        for line in self.head.split("\r\n"):
            name, _, value = line.partition(": ")
            if name == "Sec-WebSocket-Extensions":
                return value
        return None

    def send(self, data: bytes) -> None:
        """Write ``data``."""
        self._sock.sendall(data)

    def frame(self) -> tuple[int, bytes]:
        """Read a frame; return its first byte and its payload."""
        first, size = self._take(2)
        if size == 126:
            size = int.from_bytes(self._take(2))
        return first, self._take(size)

    def ending(self) -> tuple[int, str]:
        """Read the close frame, and that nothing comes after it; return its code and reason."""
        first, payload = self.frame()
        assert first == 0x80 | CLOSE
        self._sock.shutdown(socket.SHUT_WR)
        with Timeout(30):
            assert self._held == self._sock.recv(1) == b""
        return int.from_bytes(payload[:2]), payload[2:].decode()

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def _take(self, size: int) -> bytes:
        with Timeout(30):
            while len(self._held) < size:
                data = self._sock.recv(65536)
                assert data, "the server closed before the end of a frame"
                self._held += data
        taken, self._held = self._held[:size], self._held[size:]
        return taken


def echoing(_: Bench) -> object:
    return relay(spawn(echo))


@contextmanager
def wired(offer: str = "", **options: Any) -> Iterator[Wire]:
    """A client of a view that echoes."""
    with relaying(echoing, max_message_size=LIMIT, **options) as bench:
        wire = Wire(bench.address, offer)
        try:
            yield wire
        finally:
            wire.close()


BROKEN = {
    "opcode": (frame(3), 1002),
    "control opcode": (frame(15), 1002),
    "reserved bit": (frame(TEXT, b"x", reserved=0x10), 1002),
    "no agreement": (frame(TEXT, deflated(b"x"), reserved=RSV1), 1002),
    "no mask": (b"\x81\x02no", 1002),
    "fragmented ping": (frame(PING, final=False), 1002),
    "long pong": (frame(PONG, bytes(126)), 1002),
    "continuation": (frame(CONTINUATION, b"x"), 1002),
    "message in a message": (frame(TEXT, b"a", final=False) + frame(TEXT, b"b"), 1002),
    "longer form": (b"\x82\xfe\x00\x01" + bytes(5), 1002),
    "close of one byte": (frame(CLOSE, b"x"), 1002),
    "close code": (frame(CLOSE, pack("!H", 1005)), 1002),
    "close reason": (frame(CLOSE, pack("!H", 1000) + b"\xff"), 1007),
    "text": (frame(TEXT, b"\xff"), 1007),
    "text in part": (frame(TEXT, b"good\xff" + bytes(1000))[:20], 1007),
    "text in fragments": (
        frame(TEXT, b"\xc3", final=False) + frame(CONTINUATION, b"\x28", final=False),
        1007,
    ),
    "text cut off": (frame(TEXT, b"\xc3"), 1007),
    "too big": (frame(BINARY, bytes(LIMIT + 1)), 1009),
    "too big at its head": (b"\x82\xff" + pack("!Q", 1 << 40) + bytes(4), 1009),
    "too big in fragments": (
        frame(BINARY, bytes(LIMIT), final=False) + frame(CONTINUATION, b"x", final=False),
        1009,
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_answered_with_its_close_code_and_the_end(name: str) -> None:
    """protocol error / bad UTF-8 / too big | 1002 / 1007 / 1009"""
    data, code = BROKEN[name]
    with wired() as wire:
        wire.send(data)

        assert wire.ending()[0] == code


COMPRESSED_BROKEN = {
    "bomb": (frame(BINARY, deflated(bytes(64 << 20)), reserved=RSV1), 1009),
    "one byte over": (frame(BINARY, deflated(bytes(LIMIT + 1)), reserved=RSV1), 1009),
    "one byte over in fragments": (
        frame(BINARY, deflated(bytes(LIMIT + 1))[:5], final=False, reserved=RSV1)
        + frame(CONTINUATION, deflated(bytes(LIMIT + 1))[5:], final=False),
        1009,
    ),
    "text": (frame(TEXT, deflated(b"\xff"), reserved=RSV1), 1007),
    "text cut off": (frame(TEXT, deflated(b"\xc3"), reserved=RSV1), 1007),
    "no deflate": (frame(TEXT, b"\x06", reserved=RSV1), 1002),
    "bit on a continuation": (
        frame(TEXT, deflated(b"x"), final=False, reserved=RSV1)
        + frame(CONTINUATION, b"", reserved=RSV1),
        1002,
    ),
    "bit on a ping": (frame(PING, b"", reserved=RSV1), 1002),
    "another bit": (frame(TEXT, b"", reserved=0x20), 1002),
}


@pytest.mark.parametrize("name", COMPRESSED_BROKEN)
def test_a_broken_rule_of_compression_is_answered_with_its_code(name: str) -> None:
    data, code = COMPRESSED_BROKEN[name]
    with wired(OFFER, compression="on") as wire:
        wire.send(data)

        assert wire.ending()[0] == code


def test_a_compressed_message_of_just_the_limit_is_taken() -> None:
    """`wsrelay.max.message.size` | 64 KiB | after inflating"""
    with wired(OFFER, compression="on") as wire:
        wire.send(frame(BINARY, deflated(bytes(LIMIT)), reserved=RSV1))

        first, payload = wire.frame()
        assert first == 0x80 | RSV1 | BINARY
        assert zlib.decompressobj(-15).decompress(payload + TAIL) == bytes(LIMIT)


def test_messages_before_a_broken_rule_are_answered_before_the_end() -> None:
    with wired() as wire:
        wire.send(frame(TEXT, b"one") + frame(PING, b"two") + frame(3) + frame(TEXT, b"late"))

        answers = {wire.frame(), wire.frame()}
        assert answers == {(0x80 | TEXT, b"one"), (0x80 | PONG, b"two")}
        assert wire.ending() == (1002, "opcode 3 is not defined")


def test_compression_is_off_unless_it_is_turned_on() -> None:
    """`wsrelay.compression` | `off`"""
    with wired(OFFER) as wire:
        assert wire.agreed is None


def test_a_client_that_does_not_offer_compression_gets_none() -> None:
    with wired(compression="on") as wire:
        wire.send(frame(TEXT, b"a" * 1000))

        assert wire.agreed is None
        assert wire.frame() == (0x80 | TEXT, b"a" * 1000)


def test_messages_are_compressed_from_the_floor_on_and_refer_to_each_other() -> None:
    """permessage-deflate `on` with a size floor"""
    text = b"".join(b"%d, " % number for number in range(200))
    reader = zlib.decompressobj(-12)
    with wired(OFFER, compression="on") as wire:
        wire.send(frame(TEXT, b"short") + frame(TEXT, text) * 2)

        assert wire.agreed == "permessage-deflate; client_max_window_bits=12"
        assert wire.frame() == (0x80 | TEXT, b"short")
        sizes = []
        for _ in range(2):
            first, payload = wire.frame()
            assert first == 0x80 | RSV1 | TEXT
            assert reader.decompress(payload + TAIL) == text
            sizes.append(len(payload))
        assert sizes[1] < sizes[0] / 10


@pytest.mark.parametrize("policy", ["drop_oldest", "drop_newest", "block 1s"])
def test_where_a_frame_may_be_lost_or_overtaken_none_refers_to_another(policy: str) -> None:
    with wired("permessage-deflate", compression="on", slow_policy=policy) as wire:
        assert wire.agreed == "permessage-deflate; server_no_context_takeover"


def test_a_broadcast_to_clients_that_compress_is_read_by_all_of_them() -> None:
    """A broadcast encodes its frame once."""
    with relaying(compression="on") as bench:
        wires = [Wire(bench.address, OFFER) for _ in range(3)]
        for _ in wires:
            pid = assert_receive(bench.target, topic="ws.join").payload["client_pid"]
            bench.target.do(gr.join, "room", pid)
        readers = [zlib.decompressobj(-12) for _ in wires]

        for text in ("a" * 1000, "b" * 1000):
            bench.target.do(gr.broadcast, "room", "ws.send", text)

            for wire, reader in zip(wires, readers, strict=True):
                first, payload = wire.frame()
                plain = reader.decompress(payload + TAIL) if first & RSV1 else payload
                assert plain == text.encode()
        for wire in wires:
            wire.close()
