"""Source: HTTP, "Servers it must run on": SIGTERM, a reload and ``max_requests`` drain."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.servers.client import Client, PeerError, Refused, WebSocket
from tests.servers.conftest import Site
from tests.servers.http import UPGRADE, ask, connected, get, upgrade_request
from tests.servers.kinds import SERVERS, address_of
from tests.servers.memory import worker_of
from tests.servers.raw import CLOSE, frame, raw_client
from tests.servers.running import running

every_server = pytest.mark.parametrize("kind", SERVERS)
# One for each way to serve: pywsgi of our own, pywsgi in gunicorn, gunicorn's own HTTP parser.
each_family = pytest.mark.parametrize("kind", ["run", "worker", "gevent+door"])
# Those of the table in the page.
every_gunicorn = pytest.mark.parametrize(
    "kind", ["worker", "gevent-websocket", "gevent+door", "gevent"]
)


@contextmanager
def started(kind: str, *options: str) -> Iterator[Site]:
    """Start a server for one test."""
    command = SERVERS[kind]
    with running([*command[:-1], *options, command[-1]]) as server:
        yield Site(kind, address_of(server), server)


@contextmanager
def opened(client: Client, site: Site, count: int) -> Iterator[list[WebSocket]]:
    """Open sockets that echo; each has heard from its target."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(client.opened(site.url("/ws/echo"))) for _ in range(count)]
        for each in sockets:
            each.send("hello")
            assert each.recv() == "hello"
        yield sockets


@every_server
def test_sigterm_closes_each_socket_with_1012_and_the_server_leaves(
    client: Client, kind: str
) -> None:
    with started(kind) as site, opened(client, site, 5) as sockets:
        site.running.signal(signal.SIGTERM)

        assert [each.wait_closed() for each in sockets] == [(1012, "drain")] * 5
        assert site.running.wait() == 0
        assert not site.running.trouble
        assert not site.running.has_left_processes


@pytest.mark.parametrize("kind", ["run", "worker"])
def test_an_http_connection_that_waits_does_not_hold_the_server_up(kind: str) -> None:
    with started(kind) as site, connected(site.address) as connection:
        assert ask(connection, "/").status == 200

        # Longer than the wait for the end: graceful_timeout is what must not be waited for.
        assert site.running.stop() == 0
        assert "graceful timeout" not in site.running.output
        assert not site.running.trouble


@each_family
def test_a_request_that_has_begun_is_answered_though_the_server_stops(
    client: Client, kind: str
) -> None:
    with started(kind) as site, connected(site.address) as connection:
        connection.request("GET", "/slow")
        site.running.wait_for("slow has begun")

        site.running.signal(signal.SIGTERM)

        # The view spawns and hears from a process after the signal; nobody else gets in.
        site.running.wait_for("slow goes on")
        with pytest.raises((PeerError, Refused)):
            client.open(site.url("/ws/echo"))
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"spawned")
        assert site.running.wait() == 0
        assert not site.running.trouble


def test_ctrl_c_drains_the_embedded_server(client: Client) -> None:
    with started("run") as site, opened(client, site, 2) as sockets:
        site.running.signal(signal.SIGINT)

        assert [each.wait_closed() for each in sockets] == [(1012, "drain")] * 2
        assert site.running.wait() == 0
        assert not site.running.trouble


@every_gunicorn
def test_ctrl_c_drains_gunicorn(client: Client, kind: str) -> None:
    with started(kind) as site, opened(client, site, 2) as sockets:
        site.running.signal(signal.SIGINT)

        assert [each.wait_closed() for each in sockets] == [(1012, "drain")] * 2
        assert site.running.wait() == 0
        assert not site.running.trouble


@every_gunicorn
def test_a_reload_drains_the_old_worker_and_a_new_one_serves(client: Client, kind: str) -> None:
    with started(kind) as site, opened(client, site, 2) as sockets:
        (old,) = site.running.wait_for(r"Booting worker with pid: (\d+)")
        site.running.signal(signal.SIGHUP)

        assert [each.wait_closed() for each in sockets] == [(1012, "drain")] * 2
        site.running.wait_for(rf"Worker exiting \(pid: {old}\)")
        with opened(client, site, 1) as (again,):
            assert again.close() == (1000, "")
        assert len(site.running.wait_for(r"clock runs in (\d+)", 2)) == 2
        assert site.running.stop() == 0
        assert not site.running.trouble


@every_gunicorn
def test_max_requests_drains(client: Client, kind: str) -> None:
    with started(kind, "--max-requests", "3") as site, opened(client, site, 2) as sockets:
        get(site.address, "/")

        assert [each.wait_closed() for each in sockets] == [(1012, "drain")] * 2
        site.running.wait_for("Booting worker", 2)
        assert get(site.address, "/").status == 200
        assert site.running.stop() == 0
        assert not site.running.trouble


def test_a_client_that_does_not_answer_is_dropped_within_graceful_timeout() -> None:
    with (
        started("worker", "--graceful-timeout", "3") as site,
        socket.create_connection(site.host_and_port) as sock,
    ):
        sock.sendall(upgrade_request("/ws/echo"))
        assert sock.recv(65536).startswith(b"HTTP/1.1 101 ")

        assert site.running.stop() == 0
        assert "graceful timeout" not in site.running.output
        assert not site.running.trouble


@pytest.mark.parametrize("kind", ["run", "worker", "gevent-websocket"])
def test_a_socket_of_the_old_way_gets_1012_too(client: Client, kind: str) -> None:
    with started(kind) as site, client.opened(site.url("/old")) as websocket:
        websocket.send("hello")
        assert websocket.recv() == "hello"

        site.running.signal(signal.SIGTERM)

        assert websocket.wait_closed() == (1012, "drain")
        assert site.running.wait() == 0
        assert not site.running.trouble


def test_workers_whose_master_was_killed_say_goodbye_too(client: Client) -> None:
    with started("worker") as site, opened(client, site, 2) as sockets:
        site.running.signal(signal.SIGKILL)

        assert [each.wait_closed() for each in sockets] == [(1012, "drain")] * 2
        # Its output ends only with the last process that writes to it.
        assert site.running.wait() == -signal.SIGKILL
        assert site.running.has_ended
        assert not site.running.trouble


@pytest.mark.parametrize("kind", ["worker", "gevent-websocket", "gevent+door", "gevent"])
def test_a_worker_that_was_killed_loses_its_clients_and_the_next_one_serves(
    client: Client, kind: str
) -> None:
    with started(kind) as site, opened(client, site, 2) as sockets:
        os.kill(worker_of(site), signal.SIGKILL)

        # Nobody is left that could say goodbye.
        assert [each.wait_closed() for each in sockets] == [(1006, "")] * 2
        site.running.wait_for("Booting worker", 2)
        with opened(client, site, 1) as (again,):
            assert again.close() == (1000, "")
        assert len(site.running.wait_for(r"clock runs in (\d+)", 2)) == 2
        assert site.running.stop() == 0
        assert not site.running.has_left_processes


def test_while_it_drains_a_new_client_gets_503_and_others_their_answers(client: Client) -> None:
    """new upgrades get 503, each socket gets 1012 within the drain period"""
    with started("run") as site, raw_client(site) as silent:
        site.running.signal(signal.SIGTERM)
        # As long as this one does not answer, the drain goes on.
        assert silent.read_frame() == (CLOSE, b"\x03\xf4drain")

        refused = get(site.address, "/ws/echo", UPGRADE)

        assert refused.status == 503
        assert refused.headers["retry-after"].isdecimal()
        assert get(site.address, "/").status == 200
        silent.send(frame(CLOSE, b"\x03\xf4"))
        assert silent.close_code() == 1006
        assert site.running.wait() == 0
        assert not site.running.trouble
