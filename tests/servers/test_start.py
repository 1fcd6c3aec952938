"""Source: HTTP, "Servers it must run on": what runs where, and which workers are refused."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.servers.client import Client
from tests.servers.http import get
from tests.servers.kinds import APP, DOOR, SERVERS, address_of, gunicorn
from tests.servers.running import BIN, running

COMMAND = "`greenrelay run config.yaml` or `gunicorn -k greenrelay.gunicorn.Worker`"


@pytest.mark.parametrize("kind", ["run", "worker", "gevent-websocket", "gevent+door", "gevent"])
def test_services_run_before_the_first_request(kind: str) -> None:
    with running(SERVERS[kind]) as server:
        (where,) = server.wait_for(r"clock runs in (\d+)")

        workers = server.wait_for(r"Booting worker with pid: (\d+)") if kind != "run" else []
        assert [where] == (workers or [str(server.pid)])
        assert "HTTP/1.1" not in server.output


def test_with_preload_each_worker_is_a_node_of_its_own_and_the_master_is_none() -> None:
    command = gunicorn("-k", "greenrelay.gunicorn.Worker", "--preload", "-w", "2")
    with running(command) as server:
        address = address_of(server)
        workers = set(server.wait_for(r"Booting worker with pid: (\d+)", 2))
        clocks = server.wait_for(r"clock runs in (\d+)", 2)

        seen: dict[str, str] = {}
        while len(seen) < 2:
            state = json.loads(get(address, "/state").body)
            seen[str(state["pid"])] = state["node"]

        assert set(clocks) == set(seen) == workers
        assert len(set(seen.values())) == 2
        assert server.stop() == 0
        assert not server.trouble


def test_gunicorn_says_that_the_address_of_the_file_is_not_used() -> None:
    with running(gunicorn("-k", "greenrelay.gunicorn.Worker")) as server:
        (where,) = server.wait_for(r"greenrelay: gunicorn listens; (.*) and its TLS are not used")

        assert where.endswith("echo.yaml:8:5: addr 127.0.0.1:0")


@pytest.mark.parametrize(
    "options",
    [
        ("-k", "sync", *DOOR),
        ("-k", "gthread", *DOOR),
        ("-k", "sync"),
        ("-k", "gthread"),
        ("--threads", "4"),
        ("-k", "sync", "--preload"),
    ],
    ids=" ".join,
)
def test_a_worker_that_is_not_gevents_is_refused_with_the_command_to_use(
    options: tuple[str, ...],
) -> None:
    with running(gunicorn(*options)) as server:
        assert server.wait() != 0

        assert COMMAND in server.output
        assert "gunicorn's worker " in server.output
        assert "Traceback" not in server.output


@pytest.mark.parametrize("worker", ["greenrelay.gunicorn.Worker", "gevent", "gevent_pywsgi"])
def test_gunicorn_with_tls_relays_and_drains(
    worker: str, client: Client, certificate: tuple[Path, Path]
) -> None:
    cert, key = map(str, certificate)
    with running(gunicorn("-k", worker, "--certfile", cert, "--keyfile", key)) as server:
        url = f"wss://{address_of(server)}/ws/echo"
        with client.opened(url, trusted=cert) as websocket:
            websocket.send(b"\x80" * 100_000)
            assert websocket.recv() == b"\x80" * 100_000
            server.signal(signal.SIGTERM)

            assert websocket.wait_closed() == (1012, "drain")
            assert server.wait() == 0
        assert not server.trouble


def test_an_app_that_is_imported_without_a_server_needs_none() -> None:
    module = APP.partition(":")[0]
    with running([str(BIN / "python"), "-c", f"import {module}"]) as it:
        assert it.wait() == 0
        assert it.output == ""
