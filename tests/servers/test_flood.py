"""A client that sends more than anybody needs, all of it at once: the others go on being served.

Source: HTTP, "Servers it must run on". gunicorn's own HTTP parser, of ``-k gevent``, has no part
in this.
"""

from __future__ import annotations

import select
import socket

import pytest

from tests.servers.client import Client
from tests.servers.conftest import Site

pytestmark = pytest.mark.parametrize("shared", ["run", "worker"], indirect=True)

CHUNKED = (
    b"POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
)
GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


def is_answered(sock: socket.socket) -> bool:
    """Say whether there is anything to read."""
    return bool(select.select([sock], [], [], 0)[0])


def test_a_body_of_chunks_of_one_byte_is_read_beside_others(client: Client, site: Site) -> None:
    """The body is far from its end when another client has its answer."""
    with (
        client.opened(site.url("/ws/echo")) as other,
        socket.create_connection(site.host_and_port, 60) as flood,
    ):
        flood.sendall(CHUNKED + b"1\r\nx\r\n" * 100_000)

        other.send("hello")
        assert other.recv() == "hello"
        assert not is_answered(flood)
        flood.sendall(b"0\r\n\r\n")
        found = b""
        while data := flood.recv(65536):
            found += data
        assert found.endswith(b"\r\n\r\nPOST 100000")


def test_requests_that_are_all_there_are_answered_beside_others(client: Client, site: Site) -> None:
    """The last answer is still to come when another client has its own."""
    count = 4000
    with (
        client.opened(site.url("/ws/echo")) as other,
        socket.create_connection(site.host_and_port, 60) as flood,
    ):
        flood.sendall(GET * count)

        other.send("hello")
        assert other.recv() == "hello"
        found = flood.recv(1 << 24, socket.MSG_DONTWAIT) if is_answered(flood) else b""
        assert found.count(b"HTTP/1.1 200 ") < count
        while found.count(b"HTTP/1.1 200 ") < count:
            data = flood.recv(1 << 20)
            assert data, "the server has closed"
            found += data
