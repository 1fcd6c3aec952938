"""HTTP, "The request as a process" and "Entries", the same on each server it must run on."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.http import get
from tests.servers.kinds import DOOR, GEVENT_WEBSOCKET, address_of, gunicorn
from tests.servers.running import GREENRELAY, Running, running

CONFIG = """\
version: "1.0"
namespace: test
entries:
  - name: gateway
    kind: http.service
    addr: 127.0.0.1:0
{fields}
  - {{name: pages, kind: http.router, meta: {{server: gateway}}, prefix: /}}
"""
ENDPOINT = (
    "  - {{name: {0}, kind: http.endpoint, meta: {{router: pages}}, path: /{0}, "
    "method: [GET, POST], func: tests.http.long_views:{0}}}\n"
)
VIEWS = ("plain", "linked", "stream", "count", "sized")
KINDS = ("run", "worker", "gevent-websocket", "gevent+door", "gevent")
every_server = pytest.mark.parametrize("kind", KINDS)


def command(kind: str, config: Path) -> list[str]:
    """Return the command line of one server for a configuration."""
    app = f'greenrelay.web:create_app("{config}")'
    options = {
        "worker": ("-k", "greenrelay.gunicorn.Worker"),
        "gevent-websocket": ("-k", GEVENT_WEBSOCKET),
        "gevent+door": ("-k", "gevent", *DOOR),
        "gevent": ("-k", "gevent"),
    }
    return [GREENRELAY, "run", str(config)] if kind == "run" else gunicorn(*options[kind], app=app)


def config_with(*fields: str) -> str:
    text = CONFIG.format(fields="".join(f"    {field}\n" for field in fields))
    return text + "".join(ENDPOINT.format(view) for view in VIEWS)


@contextmanager
def started(kind: str, folder: Path, *fields: str) -> Iterator[Running]:
    """Start a server whose http.service has these fields."""
    path = folder / "config.yaml"
    path.write_text(config_with(*fields))
    with running(command(kind, path)) as server:
        yield server


@contextmanager
def asked(address: str, request: bytes) -> Iterator[socket.socket]:
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), 30) as sock:
        sock.sendall(request)
        yield sock


def request(path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: test", *fields, "", ""]).encode()


def read_all(sock: socket.socket) -> bytes:
    found = b""
    while data := sock.recv(65536):
        found += data
    return found


def answers(sock: socket.socket) -> list[bytes]:
    """Return the answers that come back until the connection ends."""
    return read_all(sock).split(b"HTTP/1.1 ")[1:]


@every_server
def test_a_client_that_disconnects_ends_its_view_and_what_that_linked(
    kind: str, tmp_path: Path
) -> None:
    """a client that disconnects during a long view ends the view and what it linked within a
    second, on every supported server"""
    with started(kind, tmp_path) as server:
        address = address_of(server)
        for path in ("plain", "linked", "stream"):
            with asked(address, request(f"/{path}")):
                server.wait_for(f"{path} begins")

        server.wait_for("plain ends: client gone")
        server.wait_for("linked gets CANCEL: client gone")
        server.wait_for("the child ends")
        server.wait_for("stream ends")
        assert get(address, "/count").status == 200
        assert server.stop() == 0
        assert not server.trouble


@every_server
def test_a_view_beyond_its_deadline_is_ended(kind: str, tmp_path: Path) -> None:
    """``timeouts`` … ``.handler`` none"""
    with started(kind, tmp_path, "timeouts.handler: 200ms") as server:
        answer = get(address_of(server), "/plain")

        assert (answer.status, "took longer" in answer.body) == (503, True)
        server.wait_for("plain ends: request timeout")
        assert server.stop() == 0


@every_server
def test_a_body_beyond_the_limit_is_413(kind: str, tmp_path: Path) -> None:
    """``limits.body_size`` 16 MiB"""
    with started(kind, tmp_path, "limits.body_size: 1KiB") as server:
        address = address_of(server)
        sized = request("/count", "Content-Length: 2000", method="POST") + b"x" * 2000
        chunks = (b"200\r\n" + b"x" * 512 + b"\r\n") * 3 + b"0\r\n\r\n"
        in_chunks = request("/count", "Transfer-Encoding: chunked", method="POST") + chunks
        for body in (sized, in_chunks):
            with asked(address, body) as sock:
                assert sock.recv(65536).startswith(b"HTTP/1.1 413 ")

        assert server.stop() == 0
        assert not server.trouble


@every_server
def test_a_body_that_is_none_is_400(kind: str, tmp_path: Path) -> None:
    """A client that leaves amid its body has sent none, and so has one whose chunks are none."""
    short = request("/count", "Content-Length: 50", method="POST") + b"part"
    chunked = request("/count", "Transfer-Encoding: chunked", method="POST")
    with started(kind, tmp_path) as server:
        address = address_of(server)
        for body in (short, chunked + b"-3\r\nabc\r\n", chunked + b"\r\nabc\r\n0\r\n\r\n"):
            with asked(address, body) as sock:
                sock.shutdown(socket.SHUT_WR)
                assert sock.recv(65536).startswith(b"HTTP/1.1 400 ")

        assert server.stop() == 0
        assert not server.trouble


@every_server
def test_a_body_that_is_not_as_long_as_it_says_spoils_no_other_answer(
    kind: str, tmp_path: Path
) -> None:
    """RFC 9112, 6.3: what follows the length is the next answer"""
    last = request("/count", "Connection: close")
    with started(kind, tmp_path) as server:
        address = address_of(server)
        with asked(address, request("/sized?says=3") + last) as sock:
            assert [each.partition(b"\r\n\r\n")[2] for each in answers(sock)] == [
                b"abc",
                b"0 bytes",
            ]
        with asked(address, request("/sized?says=10") + last) as sock:
            assert [each.partition(b"\r\n\r\n")[2] for each in answers(sock)] == [b"abcdef"]

        server.wait_for("/sized: the body is 4 bytes shorter than it says")
        assert server.stop() == 0
        assert not server.trouble


@pytest.mark.parametrize("kind", ["run", "worker", "gevent-websocket"])
def test_the_timeouts_of_the_configuration_hold(kind: str, tmp_path: Path) -> None:
    fields = ("timeouts: {read: 100ms, idle: 100ms}", "limits.header_size: 1KiB")
    with started(kind, tmp_path, *fields) as server:
        address = address_of(server)
        with asked(address, b"GET /count HTTP/1.1\r\n") as sock:
            assert read_all(sock).startswith(b"HTTP/1.1 408 ")
        with asked(address, request("/count", "Content-Length: 9", method="POST")) as sock:
            assert read_all(sock).startswith(b"HTTP/1.1 408 ")
        with asked(address, request("/count", "X: " + "x" * 2000)) as sock:
            assert read_all(sock).startswith(b"HTTP/1.1 431 ")
        with asked(address, request("/count")) as sock:
            assert read_all(sock).endswith(b"0 bytes")

        assert server.stop() == 0
        assert not server.trouble


@pytest.mark.parametrize("kind", ["gevent+door", "gevent"])
def test_what_a_worker_cannot_apply_is_said(kind: str, tmp_path: Path) -> None:
    with started(kind, tmp_path, "timeouts.write: 5s") as server:
        address_of(server)

        server.wait_for(r"config\.yaml:7:5: timeouts\.write is not applied by gunicorn's worker")
        assert len(re.findall("is not applied", server.output)) == 1


def test_each_service_is_served_on_its_address(tmp_path: Path) -> None:
    path = tmp_path / "two.yaml"
    path.write_text(
        config_with()
        + "  - {name: admin, kind: http.service, addr: '127.0.0.1:0'}\n"
        + "  - {name: inner, kind: http.router, meta: {server: admin}, prefix: /}\n"
        + "  - {name: same, kind: http.endpoint, meta: {router: inner}, path: /count, "
        + "func: tests.http.views:plain}\n"
    )
    with running([GREENRELAY, "run", str(path)]) as server:
        pattern = r"greenrelay serves test:(?:gateway|admin) of \S+ on http://(\S+)"
        public, admin = server.wait_for(pattern, count=2)

        assert get(public, "/count").body == "0 bytes"
        assert get(admin, "/count").body == "plain"
        assert get(admin, "/plain").status == 404
        server.signal(signal.SIGTERM)
        assert server.wait() == 0
        assert not server.trouble
