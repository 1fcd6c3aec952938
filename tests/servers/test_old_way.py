"""Source: HTTP, "Servers it must run on", last sentence: code written for gevent-websocket."""

from __future__ import annotations

import pytest

from tests.servers.client import Client
from tests.servers.conftest import Site
from tests.servers.http import UPGRADE, ask, connected, get
from tests.servers.kinds import WITH_OLD_DOOR

pytestmark = pytest.mark.parametrize("shared", WITH_OLD_DOOR, indirect=True)


def test_the_view_receives_and_sends(client: Client, site: Site) -> None:
    with client.opened(site.url("/old")) as websocket:
        for data in ("hello", b"\x00\xff", "ü" * 1000):
            websocket.send(data)
            assert websocket.recv() == data


def test_the_socket_closes_when_the_view_closes_it(client: Client, site: Site) -> None:
    with client.opened(site.url("/old")) as websocket:
        websocket.send("bye")

        assert websocket.recv() == "bye"
        assert websocket.wait_closed() == (1005, "")


def test_the_socket_closes_when_the_view_fails(client: Client, site: Site) -> None:
    with client.opened(site.url("/old")) as websocket:
        websocket.send("fail")

        assert websocket.wait_closed() == (1005, "")


def test_the_view_hears_that_the_client_has_closed(client: Client, site: Site) -> None:
    with client.opened(site.url("/old?who=closer")) as websocket:
        websocket.close()

    site.running.wait_for(r'"GET /old\?who=closer HTTP/1.1" 101')


def test_a_view_that_ignores_the_websocket_answers_as_http(site: Site) -> None:
    with connected(site.address) as connection:
        answer = ask(connection, "/", headers=UPGRADE)

        assert (answer.status, answer.body) == (200, "GET 0")
        assert ask(connection, "/").status == 200


def test_a_plain_request_has_no_websocket(site: Site) -> None:
    assert get(site.address, "/old").body == "no websocket"


def test_a_handshake_of_another_version_is_an_ordinary_request(site: Site) -> None:
    answer = get(site.address, "/old", {**UPGRADE, "Sec-WebSocket-Version": "7"})

    assert (answer.status, answer.body) == (200, "no websocket")


def test_the_server_knows_its_clients(client: Client, site: Site) -> None:
    with client.opened(site.url("/old")) as one, client.opened(site.url("/old")) as other:
        other.send("hello")
        assert other.recv() == "hello"

        one.send("all")

        assert (one.recv(), other.recv()) == ("to all", "to all")


def test_an_environ_can_be_looked_at_without_a_handshake(site: Site) -> None:
    answer = get(site.address, "/copied", UPGRADE)

    assert answer.status == 200
    assert answer.body.startswith("False True ")
