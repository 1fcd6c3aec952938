"""Source: HTTP, "Servers it must run on", behind nginx; WebSocket Relay, "Origins": as seen after a
trusted proxy."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.servers.client import Client, Refused
from tests.servers.http import get
from tests.servers.kinds import DOOR, GEVENT_WEBSOCKET, SERVERS, address_of, gunicorn
from tests.servers.nginx import nginx_before
from tests.servers.running import Running, running

PROXIED = "tests.servers.proxied:app"
WORKERS = {
    "worker": ("-k", "greenrelay.gunicorn.Worker"),
    "gevent-websocket": ("-k", GEVENT_WEBSOCKET),
    "gevent+door": ("-k", "gevent", *DOOR),
}
each_worker = pytest.mark.parametrize("options", WORKERS.values(), ids=WORKERS.keys())


def proxied(*options: str) -> list[str]:
    # gunicorn itself looks at X-Forwarded-Proto, but only from addresses that it trusts.
    return gunicorn(*options, app=PROXIED)


@each_worker
def test_behind_nginx_with_tls_the_clients_own_origin_and_address_are_seen(
    options: tuple[str, ...], client: Client, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """The request's own scheme, host and port are always allowed, as seen after a trusted proxy."""
    with (
        running(proxied(*options)) as server,
        nginx_before(f"http://{address_of(server)}", tmp_path, certificate) as address,
    ):
        trusted = str(certificate[0])
        origin = f"https://{address}"
        url = f"wss://{address}/ws/who"
        with client.opened(url, trusted=trusted, origin=origin) as websocket:
            assert websocket.recv() == "/ws/who 127.0.0.1"
            for data in ("hello", b"\x80" * 100_000):
                websocket.send(data)
                assert websocket.recv() == data
        with pytest.raises(Refused) as refused:
            client.open(url, trusted=trusted, origin=f"http://{address}")
        assert refused.value.status == 403
        assert not server.trouble


def test_without_trust_in_the_proxy_the_log_tells_of_it(
    client: Client, certificate: tuple[Path, Path], tmp_path: Path
) -> None:
    """403; the log says the origin received, what is allowed, … and the proxy hint"""
    with (
        running(SERVERS["run"]) as server,
        nginx_before(f"http://{address_of(server)}", tmp_path, certificate) as address,
    ):
        with pytest.raises(Refused) as refused:
            client.open(
                f"wss://{address}/ws/echo",
                trusted=str(certificate[0]),
                origin=f"https://{address}",
            )

        assert refused.value.status == 403
        server.wait_for("ProxyFix")


def test_an_address_that_a_client_claims_is_not_believed(client: Client, tmp_path: Path) -> None:
    with (
        running(proxied(*WORKERS["worker"])) as server,
        nginx_before(f"http://{address_of(server)}", tmp_path) as address,
    ):
        claim = {"X-Forwarded-For": "203.0.113.9"}
        with client.opened(f"ws://{address}/ws/who", headers=claim) as websocket:
            assert websocket.recv() == "/ws/who 127.0.0.1"


def unix_servers(path: Path) -> dict[str, tuple[list[str], dict[str, str]]]:
    bound = f"unix:{path}"
    return {
        "run": (SERVERS["run"], {"GREENRELAY_TEST_ADDR": bound}),
        **{
            name: ([*proxied(*options)[:-1], "-b", bound, PROXIED], {})
            for name, options in WORKERS.items()
        },
    }


def started_on(server: Running) -> None:
    server.wait_for(r"greenrelay serves .* on unix:|Booting worker with pid: \d+")
    server.wait_for(r"clock runs in")


@pytest.mark.parametrize("kind", ["run", *WORKERS])
def test_over_a_unix_socket_behind_nginx(kind: str, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    command, env = unix_servers(path)[kind]
    with (
        running(command, env) as server,
        nginx_before(f"http://unix:{path}", tmp_path) as address,
    ):
        started_on(server)
        assert get(address, "/").status == 200
        with client.opened(f"ws://{address}/ws/echo", origin=f"http://{address}") as websocket:
            websocket.send("hello")
            assert websocket.recv() == "hello"
            server.signal(signal.SIGTERM)

            assert websocket.wait_closed() == (1012, "drain")
        assert server.wait() == 0
        assert not server.trouble


@pytest.mark.parametrize("kind", ["run", *WORKERS])
def test_over_a_unix_socket_without_a_proxy(kind: str, client: Client, tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    command, env = unix_servers(path)[kind]
    with running(command, env) as server:
        started_on(server)
        with client.opened("ws://localhost/ws/echo", unix=str(path)) as websocket:
            websocket.send("hello")
            assert websocket.recv() == "hello"
            assert websocket.close(4000) == (4000, "")
        assert server.stop() == 0
        assert not server.trouble
