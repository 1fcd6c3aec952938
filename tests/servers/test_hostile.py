"""Clients that mean harm, or are broken: each gets its code, costs bounded memory, and the others
go on being served.

Source: WebSocket Relay, "Options", "Slowness", "Endings and close codes" and "Refusals before the
upgrade". ``echo`` takes messages of 256 KiB, and 1 MiB may wait for a client.
"""

from __future__ import annotations

import contextlib
import socket
import zlib
from collections.abc import Iterator

import pytest

from tests.servers.client import Client
from tests.servers.conftest import Site
from tests.servers.http import UPGRADE, get, upgrade_request
from tests.servers.memory import costs_at_most
from tests.servers.raw import (
    BINARY,
    COMPRESSED,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    frame,
    head,
    raw_client,
)

# One for each way to serve: pywsgi of our own, pywsgi in gunicorn, gunicorn's own HTTP parser.
pytestmark = pytest.mark.parametrize("shared", ["run", "worker", "gevent+door"], indirect=True)

MIB = 1 << 20


@contextlib.contextmanager
def others_are_served(client: Client, site: Site) -> Iterator[None]:
    """Fail unless a client that was there before gets its answers, then and in the end."""
    with client.opened(site.url("/ws/echo")) as other:
        other.send("before")
        assert other.recv() == "before"
        yield
        other.send("after")
        assert other.recv() == "after"


def test_a_client_that_stops_reading_is_closed_with_4008(client: Client, site: Site) -> None:
    """slow consumer: 4008 ``slow``; ``wsrelay.queue.bytes``: 1 MiB outgoing, per connection"""
    message = frame(BINARY, bytes(65_000))

    with (
        others_are_served(client, site),
        raw_client(site, receive_buffer=16_384) as slow,
        costs_at_most(site, 6 * MIB),
    ):
        # The kernel holds some MiB for it, the server 1, and then it is too much.
        for _ in range(300):
            slow.send(message)

        assert slow.close_code() == 4008


def test_a_message_that_comes_a_byte_at_a_time_costs_nobody_else_anything(
    client: Client, site: Site
) -> None:
    with raw_client(site) as slow, costs_at_most(site, MIB):
        slow.send(head(TEXT, 3))
        for byte in (b"a", b"b"):
            slow.send(byte)
            with client.opened(site.url("/ws/echo")) as other:
                other.send("hello")
                assert other.recv() == "hello"
        slow.send(b"c")

        assert slow.read_frame() == (TEXT, b"abc")


@pytest.mark.parametrize("size", [256 * 1024 + 1, 1 << 30, 1 << 62])
def test_a_message_of_1_gib_is_refused_before_any_of_it_is_there(
    client: Client, site: Site, size: int
) -> None:
    """too big: 1009; ``wsrelay.max.message.size``"""
    with (
        others_are_served(client, site),
        costs_at_most(site, MIB),
        raw_client(site) as big,
    ):
        big.send(head(BINARY, size))

        assert big.close_code() == 1009


def test_a_message_of_1_gib_in_fragments_is_refused_when_it_passes_the_limit(
    client: Client, site: Site
) -> None:
    piece = bytes(200_000)
    with (
        others_are_served(client, site),
        costs_at_most(site, 2 * MIB),
        raw_client(site) as big,
    ):
        big.send(frame(BINARY, piece, final=False) + frame(CONTINUATION, piece, final=False))

        assert big.close_code() == 1009


@pytest.mark.parametrize("size", [65_537, 64 * MIB])
def test_a_decompression_bomb_is_refused_after_the_limit(
    client: Client, site: Site, size: int
) -> None:
    """``wsrelay.max.message.size``: 64 KiB after inflating"""
    packer = zlib.compressobj(9, wbits=-15)
    bomb = packer.compress(bytes(size)) + packer.flush(zlib.Z_SYNC_FLUSH)
    offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}

    with (
        others_are_served(client, site),
        costs_at_most(site, 2 * MIB),
        raw_client(site, "/packed/echo", headers=offer) as attacker,
    ):
        attacker.send(frame(BINARY | COMPRESSED, bomb[:-4]))

        assert attacker.close_code() == 1009


def test_a_flood_of_empty_fragments_ends_at_1024(client: Client, site: Site) -> None:
    """fragments at most 1024 a message"""
    with (
        others_are_served(client, site),
        costs_at_most(site, MIB),
        raw_client(site) as attacker,
    ):
        attacker.send(frame(TEXT, final=False) + frame(CONTINUATION, final=False) * 200_000)

        assert attacker.close_code() == 1009


def test_pings_whose_answers_are_not_read_are_4008(client: Client, site: Site) -> None:
    """A client that does not read costs its own queue and nothing else"""
    pings = frame(PING, bytes(125)) * 1000

    with (
        others_are_served(client, site),
        costs_at_most(site, 6 * MIB),
        raw_client(site, receive_buffer=16_384) as attacker,
    ):
        for _ in range(150):
            attacker.send(pings)

        assert attacker.close_code() == 4008


def test_each_ping_of_a_flood_is_answered_where_the_answers_are_read(
    client: Client, site: Site
) -> None:
    with (
        others_are_served(client, site),
        costs_at_most(site, 4 * MIB),
        raw_client(site) as attacker,
    ):
        attacker.send(b"".join(frame(PING, b"%d" % number) for number in range(2000)))

        for number in range(2000):
            assert attacker.read_frame() == (PONG, b"%d" % number)


@pytest.mark.parametrize(
    "data",
    [
        frame(TEXT, b"hello", masked=False),
        head(PING, 126),
        frame(PING, final=False),
        b"\x81\xfe\x00\x05\0\0\0\0hello",
        b"\x81\xff\0\0\0\0\0\0\0\x05\0\0\0\0hello",
        b"\x82\xff\x80\0\0\0\0\0\0\0\0\0\0\0",
        frame(CONTINUATION, b"hello"),
        frame(3, b"hello"),
        frame(TEXT | COMPRESSED, b"hello"),
    ],
    ids=[
        "unmasked",
        "long ping",
        "ping in fragments",
        "5 in 16 bits",
        "5 in 64 bits",
        "length with its highest bit",
        "continuation of nothing",
        "opcode 3",
        "compressed without leave",
    ],
)
def test_what_breaks_the_protocol_is_1002(client: Client, site: Site, data: bytes) -> None:
    """protocol error: 1002"""
    with (
        others_are_served(client, site),
        costs_at_most(site, MIB),
        raw_client(site) as broken,
    ):
        broken.send(data)

        assert broken.close_code() == 1002


def test_a_length_that_lies_waits_for_the_rest_and_ends_with_tcp(
    client: Client, site: Site
) -> None:
    with others_are_served(client, site), costs_at_most(site, MIB):
        for _ in range(20):
            with raw_client(site) as liar:
                liar.send(head(BINARY, 200_000) + b"not that much")


def test_a_handshake_of_1_mib_of_headers_is_431(client: Client, site: Site) -> None:
    lines = "".join(f"X-Filler-{number}: {'x' * 1000}\r\n" for number in range(1024))
    request = upgrade_request("/ws/echo").removesuffix(b"\r\n") + lines.encode() + b"\r\n"

    with (
        others_are_served(client, site),
        costs_at_most(site, 4 * MIB),
        socket.create_connection(site.host_and_port, 20) as sock,
    ):
        assert status_of(sock, request) == 431


def test_one_header_of_1_mib_is_refused(client: Client, site: Site) -> None:
    request = upgrade_request("/ws/echo", {"X-Filler": "x" * MIB})

    with (
        others_are_served(client, site),
        costs_at_most(site, 4 * MIB),
        socket.create_connection(site.host_and_port, 20) as sock,
    ):
        assert status_of(sock, request) in (400, 431)


def status_of(sock: socket.socket, request: bytes) -> int:
    # A server that has read enough may have closed before everything is sent.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        sock.sendall(request)
    return int(sock.recv(65536).split(b" ")[1])


def test_what_is_no_http_is_400(client: Client, site: Site) -> None:
    with (
        others_are_served(client, site),
        socket.create_connection(site.host_and_port, 20) as sock,
    ):
        assert status_of(sock, b"\x16\x03\x01\x02\x00\x01\x00\x01 this is not HTTP\r\n\r\n") == 400


def test_more_connections_than_allowed_are_503(client: Client, site: Site) -> None:
    """connection cap reached …: 503 with ``Retry-After``"""
    with others_are_served(client, site), contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(raw_client(site, "/tight/echo"))

        refused = get(site.address, "/tight/echo", UPGRADE)

        assert refused.status == 503
        assert refused.headers["retry-after"].isdecimal()
