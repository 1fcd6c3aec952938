"""Source: HTTP, "Servers it must run on": the same on each of them."""

from __future__ import annotations

import random
import re
import socket
import struct

import pytest

from tests.servers.client import Client, Refused
from tests.servers.conftest import Site
from tests.servers.http import UPGRADE, ask, connected, get, upgrade_request


@pytest.mark.parametrize("data", ["hello", "", b"\x00\xff", "ü" * 50_000, b"\x80" * 100_000])
def test_a_message_comes_back_from_the_target(
    client: Client, site: Site, data: str | bytes
) -> None:
    with client.opened(site.url("/ws/echo")) as websocket:
        websocket.send(data)

        assert websocket.recv() == data


def test_messages_sent_with_the_handshake_in_one_segment_are_not_lost(
    client: Client, site: Site
) -> None:
    assert client.send_early(site.url("/ws/echo"), "early") == "early"


def test_the_code_and_reason_of_the_target_arrive(client: Client, site: Site) -> None:
    with client.opened(site.url("/ws/echo")) as websocket:
        websocket.send("bye")

        assert websocket.wait_closed() == (4001, "bye")


def test_the_code_of_the_client_is_answered(client: Client, site: Site) -> None:
    with client.opened(site.url("/ws/echo")) as websocket:
        assert websocket.close(4000, "done") == (4000, "")


def test_a_crash_of_the_target_closes_with_1011(client: Client, site: Site) -> None:
    with client.opened(site.url("/ws/echo")) as websocket:
        websocket.send("crash")

        assert websocket.wait_closed() == (1011, "target failed")


def test_a_cookie_of_the_view_comes_with_the_101(client: Client, site: Site) -> None:
    with client.opened(site.url("/ws/echo")) as websocket:
        assert websocket.cookies == ["seen=yes; Path=/"]


def test_the_first_supported_subprotocol_is_chosen(client: Client, site: Site) -> None:
    with client.opened(site.url("/ws/echo"), subprotocols=["v1", "other"]) as websocket:
        assert websocket.subprotocol == "v1"


@pytest.mark.parametrize(("path", "status"), [("/ws/private", 401), ("/ws/dead", 503)])
def test_a_view_that_does_not_relay_answers_as_http(
    client: Client, site: Site, path: str, status: int
) -> None:
    with pytest.raises(Refused) as refused:
        client.open(site.url(path))

    assert refused.value.status == status


def test_a_foreign_origin_is_refused(client: Client, site: Site) -> None:
    with pytest.raises(Refused) as refused:
        client.open(site.url("/ws/echo"), origin="https://elsewhere.example")

    assert refused.value.status == 403


def test_a_get_without_an_upgrade_is_told_to_upgrade(site: Site) -> None:
    answer = get(site.address, "/ws/echo")

    assert answer.status == 426
    assert answer.headers["upgrade"] == "websocket"


def test_an_upgrade_with_another_method_is_refused(site: Site) -> None:
    with connected(site.address) as connection:
        assert ask(connection, "/ws/echo", method="POST", headers=UPGRADE).status == 400


def test_an_upgrade_of_an_ordinary_view_is_an_ordinary_request(site: Site) -> None:
    answer = get(site.address, "/", UPGRADE)

    assert (answer.status, answer.body) == (200, "GET 0")


def test_an_http_connection_survives_a_refused_upgrade(site: Site) -> None:
    with connected(site.address) as connection:
        assert ask(connection, "/").status == 200
        assert ask(connection, "/ws/private", headers=UPGRADE).status == 401
        assert ask(connection, "/", method="POST", body=b"12345").body == "POST 5"
        assert ask(connection, "/").body == "GET 0"


def test_an_http_connection_can_be_upgraded_later(client: Client, site: Site) -> None:
    with client.opened(site.url("/ws/echo"), get_first="/") as websocket:
        websocket.send("hello")

        assert websocket.recv() == "hello"
    assert get(site.address, "/").status == 200


def test_the_access_log_has_requests_and_upgrades(client: Client, site: Site) -> None:
    get(site.address, "/?logged=plain")
    with client.opened(site.url("/ws/echo?logged=upgrade")) as websocket:
        websocket.send("hello")
        websocket.recv()

    site.running.wait_for(r'"GET /\?logged=plain HTTP/1.1" 200')
    site.running.wait_for(r'"GET /ws/echo\?logged=upgrade HTTP/1.1" 101')
    lines = re.findall("logged=upgrade", site.running.output)
    assert len(lines) == 1


@pytest.mark.parametrize(
    "headers",
    [
        {"Connection": "keep-alive, Upgrade"},
        {"Upgrade": "WebSocket"},
        {"Content-Length": "0"},
        {"Expect": "100-continue"},
    ],
    ids=str,
)
def test_unusual_headers_do_not_disturb_an_upgrade(site: Site, headers: dict[str, str]) -> None:
    with socket.create_connection(site.host_and_port, 30) as sock:
        sock.sendall(upgrade_request("/ws/echo", headers))

        while b"HTTP/1.1 101 " not in (answer := sock.recv(65536)):
            assert answer == b"HTTP/1.1 100 Continue\r\n\r\n"
        # A close frame without a code, and the server's answer to it.
        sock.sendall(masked(b"\x88", b""))
        assert sock.recv(65536) == b"\x88\x00"
        assert sock.recv(65536) == b""


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Content-Length": "5"}, b"hello"),
        ({"Content-Length": "5"}, b""),
        ({"Transfer-Encoding": "chunked"}, b"5\r\nhello\r\n0\r\n\r\n"),
        ({"Transfer-Encoding": "chunked"}, b"nonsense"),
    ],
    ids=str,
)
def test_a_body_with_an_upgrade_hurts_nobody_else(
    site: Site, headers: dict[str, str], body: bytes
) -> None:
    with socket.create_connection(site.host_and_port, 30) as sock:
        sock.sendall(upgrade_request("/ws/echo", headers) + body)
        sock.recv(65536)

    assert get(site.address, "/").status == 200


def test_requests_sent_together_after_a_refused_upgrade_are_answered(site: Site) -> None:
    plain = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    with socket.create_connection(site.host_and_port, 30) as sock:
        sock.sendall(upgrade_request("/ws/private") + plain)
        answer = b""
        while data := sock.recv(65536):
            answer += data

    assert answer.startswith(b"HTTP/1.1 401 ")
    assert b"HTTP/1.1 200 OK" in answer
    assert answer.endswith(b"GET 0")


def test_http_1_0_cannot_upgrade(site: Site) -> None:
    with socket.create_connection(site.host_and_port, 30) as sock:
        sock.sendall(upgrade_request("/ws/echo").replace(b"HTTP/1.1", b"HTTP/1.0"))

        assert b" 400 " in sock.recv(65536).split(b"\r\n")[0]


def test_clients_that_vanish_at_any_moment_leave_no_trace(site: Site) -> None:
    chance = random.Random(7)
    frames = [
        b"",
        b"hello",
        masked(b"\x81", b"bye"),
        masked(b"\x81", b"crash"),
        masked(b"\x88", b""),
    ]
    for _ in range(200):
        with socket.create_connection(site.host_and_port, 30) as sock:
            if chance.random() < 0.5:
                # close() sends a reset.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.sendall(upgrade_request("/ws/echo") + chance.choice(frames))
            if chance.random() < 0.5:
                sock.recv(chance.choice([1, 65536]))

    assert get(site.address, "/").status == 200


def masked(first: bytes, payload: bytes) -> bytes:
    """Return a frame under the mask 0."""
    return first + bytes([0x80 | len(payload)]) + bytes(4) + payload
