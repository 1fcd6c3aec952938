"""HTTP, "Middleware", row real_ip: what views, limits and relays see, on real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket

from greenrelay import ConfigError
from greenrelay.http.state import state_of
from greenrelay.transport.server import Server
from greenrelay.web import create_app
from tests.http.middleware.routed import calls, entries, routed
from tests.serving import connected, stop_at_once
from tests.streaming import EventClient

CLIENT = "203.0.113.7"
LOOPBACK = "127.0.0.1"


@pytest.mark.parametrize("header", ["True_Client_IP", "X_Real_IP", "X_Forwarded_For"])
def test_a_trusted_peer_tells_the_address_of_its_client(header: str) -> None:
    """True-Client-IP, X-Real-IP, X-Forwarded-For from the right, only from trusted peers"""
    with routed("real_ip") as site:
        assert site.peer(**{header: CLIENT}) == CLIENT
        assert site.peer() == LOOPBACK


def test_an_earlier_header_wins() -> None:
    """True-Client-IP, X-Real-IP, X-Forwarded-For"""
    with routed("real_ip") as site:
        headers = {"X_Real_IP": "203.0.113.2", "X_Forwarded_For": "203.0.113.3"}
        assert site.peer(**headers, True_Client_IP=CLIENT) == CLIENT
        assert site.peer(**headers) == "203.0.113.2"


def test_what_a_client_has_put_in_front_is_not_believed() -> None:
    """X-Forwarded-For from the right"""
    with routed("real_ip") as site:
        assert site.peer(X_Forwarded_For=f"10.0.0.1, 198.51.100.1, {CLIENT}, 10.0.0.2") == CLIENT


def test_a_peer_that_is_not_trusted_is_not_asked() -> None:
    """only from trusted peers"""
    told = {"True_Client_IP": CLIENT, "X_Real_IP": CLIENT, "X_Forwarded_For": CLIENT}
    with routed("real_ip", {"real_ip.trusted.subnets": "10.0.0.0/8, fd00::/8"}) as site:
        assert site.peer(**told) == LOOPBACK


@pytest.mark.parametrize("empty", [[], ""])
def test_an_empty_list_trusts_nobody(empty: object) -> None:
    """an empty list trusts nobody"""
    with routed("real_ip", {"real_ip.trusted.subnets": empty}) as site:
        assert site.peer(X_Real_IP=CLIENT) == LOOPBACK


def test_everybody_may_be_trusted() -> None:
    """``.trust_all`` false"""
    options = {"real_ip.trusted.subnets": [], "real_ip.trust_all": True}
    with routed("real_ip", options) as site:
        assert site.peer(X_Forwarded_For=f"{CLIENT}, 8.8.8.8") == CLIENT


def test_a_header_in_several_lines_is_one_list() -> None:
    """X-Forwarded-For from the right"""
    lines = ["X-Forwarded-For: 198.51.100.1", f"X-Forwarded-For: {CLIENT}"]
    with routed("real_ip") as site:
        forwarded = raw(site.address, *lines, "X-Forwarded-For: 10.0.0.1")
        # Of two lines of the others nobody knows which is the proxy's.
        single = raw(site.address, f"X-Real-IP: {CLIENT}", "X-Real-IP: 198.51.100.1")

    assert (CLIENT in forwarded, "198.51.100.1" in forwarded) == (True, False)
    assert LOOPBACK in single


def test_a_bad_subnet_is_a_located_error() -> None:
    """options are typed and checked when the configuration is read"""
    text = """
version: "1.0"
entries:
  - name: api
    kind: http.router
    meta:
      server: gateway
    middleware: [real_ip]
    options:
      real_ip.trusted.subnets:
        - 10.0.0.0/8
        - 10.0.0.0/33
"""
    with pytest.raises(ConfigError) as raised:
        create_app(text)

    found = str(raised.value)
    assert found.startswith('<text>:10:7: http.router "app:api": options.real_ip.trusted.subnets: ')
    assert '"10.0.0.0/33" must be a subnet such as 10.0.0.0/8 or fd00::/8' in found


@pytest.mark.parametrize("middleware", ["real_ip", "cors, real_ip, ratelimit"])
def test_the_caps_of_websockets_count_the_clients(middleware: str) -> None:
    """``wsrelay.max.connections.per.ip``"""
    cap = {"wsrelay.max.connections.per.ip": 1}
    one, other = {"X-Real-IP": CLIENT}, {"X-Real-IP": "203.0.113.8"}
    with (
        routed(middleware, None, cap) as site,
        connected(site.address, "/ws/echo", headers=one) as client,
    ):
        client.send("hello")
        assert client.recv() == "hello"
        assert site.refusal(headers=one).status == 503
        with connected(site.address, "/ws/echo", headers=other) as second:
            second.send("hello")
            assert second.recv() == "hello"

    assert calls == ["echo", "echo"]


def test_the_caps_of_streams_count_the_clients() -> None:
    """``sserelay.max.connections.per.ip``"""
    with routed("real_ip", None, {"sserelay.max.connections.per.ip": 1}) as site:
        clients = [
            EventClient(site.address, "/sse/events", headers={"X-Real-IP": address})
            for address in (CLIENT, CLIENT, "203.0.113.8")
        ]
        heard = [client.event().data for client in clients if client.status == 200]
        for client in clients:
            client.drop()

    assert [client.status for client in clients] == [200, 503, 200]
    assert heard == [CLIENT, "203.0.113.8"]


def test_a_proxy_at_a_unix_socket_is_on_this_machine(tmp_path: Path) -> None:
    """only from trusted peers"""
    assert CLIENT in over_unix_socket(tmp_path / "one", {})
    assert CLIENT not in over_unix_socket(tmp_path / "two", {"real_ip.trusted.subnets": []})


def over_unix_socket(path: Path, options: dict[str, object]) -> str:
    app = create_app(entries("real_ip", options, {}))
    server = Server(app, path=str(path))
    server.start()
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            return answer(sock, f"X-Real-IP: {CLIENT}")
    finally:
        server.close()
        stop_at_once(state_of(app))
        server.stop(timeout=1)


def raw(address: str, *lines: str) -> str:
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as sock:
        return answer(sock, *lines)


def answer(sock: Any, *lines: str) -> str:
    head = ["GET /api/peer HTTP/1.1", "Host: test", "Connection: close", *lines, "", ""]
    with gevent.Timeout(30):
        sock.sendall("\r\n".join(head).encode())
        found = b""
        while data := sock.recv(65536):
            found += data
    assert found.startswith(b"HTTP/1.1 200 ")
    return found.decode().partition("\r\n\r\n")[2]
