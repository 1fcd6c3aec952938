"""Server-sent Events Relay on each server; HTTP, "Servers it must run on"."""

from __future__ import annotations

import re
import signal
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.conftest import Site
from tests.servers.http import ask, connected, get
from tests.servers.kinds import SERVERS, address_of, gunicorn
from tests.servers.nginx import nginx_before
from tests.servers.running import running
from tests.streaming import EventClient

RESET = struct.pack("ii", 1, 0)


@contextmanager
def listening(address: str, path: str = "/events/work", **options: object) -> Iterator[EventClient]:
    """Open a stream; at the end leave it."""
    client = EventClient(address, path, timeout=20, **options)  # type: ignore[arg-type]
    try:
        yield client
    finally:
        client.drop()


def running_jobs(site: Site) -> int:
    return int(get(site.address, "/events/jobs").body)


def wait_for_no_job(site: Site, seconds: float) -> None:
    """Wait until no job runs; raises TimeoutError when the time is over."""
    with connected(site.address, seconds) as connection:
        assert ask(connection, "/events/jobs?most=0").body == "0"


def test_events_come_from_the_target(site: Site) -> None:
    with listening(site.address) as client:
        assert client.event() == (
            "hello",
            '{"last_event_id":null,"path":"/events/work"}',
            "1",
        )
        assert client.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert client.headers["set-cookie"] == "seen=yes; Path=/"
        assert client.comment() == "heartbeat"


def test_the_last_event_id_arrives(site: Site) -> None:
    with listening(site.address, headers={"Last-Event-ID": "ü 7"}) as client:
        assert client.event().json()["last_event_id"] == "ü 7"


def test_much_in_one_go_arrives_whole_and_the_end_says_why(site: Site) -> None:
    with listening(site.address, "/events/numbers") as client:
        *events, last = client.rest()

        assert [int(event.data.split()[0]) for event in events] == list(range(100))
        assert [int(event.last_event_id) for event in events] == list(range(1, 101))
        assert (last.name, last.json()) == ("done", {"reason": "target exited"})


@pytest.mark.parametrize("is_reset", [False, True])
def test_a_client_that_leaves_ends_its_job_within_a_second(site: Site, is_reset: bool) -> None:
    with listening(site.address) as client:
        client.event()
        assert running_jobs(site) == 1

        if is_reset:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        client.drop()

        wait_for_no_job(site, 1)


def test_a_view_that_does_not_stream_answers_as_http(site: Site) -> None:
    with connected(site.address) as connection:
        assert ask(connection, "/events/jobs").body == "0"
        assert ask(connection, "/events/private").status == 401
        assert ask(connection, "/events/work", method="HEAD").status in (400, 405)
        foreign = {"Origin": "https://elsewhere.example"}
        assert ask(connection, "/events/work", headers=foreign).status == 403
        assert ask(connection, "/events/jobs").body == "0"


def test_a_stream_can_follow_other_requests_on_a_connection(site: Site) -> None:
    with socket.create_connection(site.host_and_port, 30) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b"GET 0"):
            answer += sock.recv(65536)
        sock.sendall(b"GET /events/numbers HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while data := sock.recv(65536):
            answer += data

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b'event: done\ndata: {"reason":"target exited"}\n\n')


def test_http_1_0_can_listen(site: Site) -> None:
    with socket.create_connection(site.host_and_port, 30) as sock:
        sock.sendall(b"GET /events/numbers HTTP/1.0\r\n\r\n")
        answer = b""
        while data := sock.recv(65536):
            answer += data

    assert answer.endswith(b'event: done\ndata: {"reason":"target exited"}\n\n')


def test_the_access_log_has_one_line_of_a_stream(site: Site) -> None:
    with listening(site.address, "/events/work?logged=stream") as client:
        client.event()

    site.running.wait_for(r'"GET /events/work\?logged=stream HTTP/1.1" 200')
    assert len(re.findall("logged=stream", site.running.output)) == 1


def test_clients_that_vanish_at_any_moment_leave_no_trace(site: Site) -> None:
    for number in range(60):
        with socket.create_connection(site.host_and_port, 30) as sock:
            if number % 2:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            path = b"/events/numbers" if number % 3 else b"/events/work"
            sock.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
            if number % 5:
                sock.recv(1 if number % 7 else 65536)

    wait_for_no_job(site, 10)


@pytest.mark.parametrize("kind", SERVERS)
def test_sigterm_ends_each_stream_with_done_and_the_server_leaves(kind: str) -> None:
    with running(SERVERS[kind]) as server:
        address = address_of(server)
        with listening(address) as one, listening(address) as other:
            one.event()
            other.event()
            server.signal(signal.SIGTERM)

            for client in (one, other):
                (last,) = client.rest()
                assert (last.name, last.json()) == ("done", {"reason": "drain"})
        assert server.wait() == 0
        assert not server.trouble
        assert not server.has_left_processes


@pytest.mark.parametrize("worker", ["greenrelay.gunicorn.Worker", "gevent"])
def test_over_tls_a_client_that_leaves_ends_its_job_within_a_second(
    worker: str, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    command = gunicorn("-k", worker, "--certfile", str(cert), "--keyfile", str(key))
    trusting = ssl.create_default_context(cafile=str(cert))
    with running(command) as server:
        address = address_of(server)
        with listening(address, tls=trusting) as witness:
            witness.event()
            with listening(address, tls=trusting) as client:
                client.event()
            assert _jobs_over_tls(address, trusting, most=1) == 1
            server.signal(signal.SIGTERM)
            (last,) = witness.rest()
            assert last.json() == {"reason": "drain"}
        assert server.wait() == 0
        assert not server.trouble


def _jobs_over_tls(address: str, trusting: ssl.SSLContext, *, most: int) -> int:
    """Wait until no more than ``most`` jobs run, for a second, and return how many do."""
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host, int(port)), 1) as plain,
        trusting.wrap_socket(plain, server_hostname=host) as sock,
    ):
        head = f"GET /events/jobs?most={most} HTTP/1.1\r\nHost: localhost\r\n"
        sock.sendall(f"{head}Connection: close\r\n\r\n".encode())
        answer = b""
        while data := sock.recv(65536):
            answer += data
    return int(answer.rpartition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("kind", ["run", "worker", "gevent"])
def test_behind_nginx_events_come_at_once_and_a_departure_is_seen(
    kind: str, tmp_path: Path
) -> None:
    with (
        running(SERVERS[kind]) as server,
        nginx_before(f"http://{address_of(server)}", tmp_path) as address,
    ):
        site = Site(kind, address, server)
        with listening(address) as client:
            # It would be held back for its length if nginx buffered.
            assert client.event().name == "hello"
        wait_for_no_job(site, 1)
        assert not server.trouble
