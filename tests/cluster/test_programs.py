"""Cluster: "every gunicorn worker and every machine naming the same engine is one system"."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from greenrelay.boot import read
from greenrelay.cluster.server import DevelopmentServer
from tests.cli.commands import greenrelay
from tests.probe import wait_for
from tests.program import Program
from tests.servers.running import ROOT
from tests.serving import Refused, WebSocketClient, connected, http

SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: system, kind: cluster, engine: "${env:ENGINE|local}", app: test}
- {name: pages, kind: http.router, meta.server: gateway}
- {name: others, kind: http.endpoint, meta.router: pages, path: /others,
   func: "tests.cluster.views:others"}
- {name: sockets, kind: http.router, meta.server: gateway, prefix: /ws,
   post_middleware: [websocket_relay]}
- {name: join, kind: http.endpoint, meta.router: sockets, path: /join,
   func: "tests.cluster.views:join"}
"""
HUB = '- {name: hub, kind: process.service, process: "tests.cluster.views:hub"}\n'
Start = Callable[[str, str], Program]


@pytest.fixture
def start(tmp_path: Path, nats_server: DevelopmentServer) -> Start:
    """Return what starts a program of the same system."""

    def start_one(name: str, entries: str) -> Program:
        (tmp_path / f"{name}.yaml").write_text(entries)
        command = ["greenrelay", "run", str(tmp_path / f"{name}.yaml")]
        return Program(command, ROOT, {"ENGINE": nats_server.url})

    return start_one


def seen(program: Program) -> dict[str, Any]:
    """Return the other nodes that a program sees, and who the hub is there."""
    found: dict[str, Any] = json.loads(http(program.address(), "/others")[2])
    return found


def test_a_websocket_is_relayed_to_a_target_on_another_node(start: Start) -> None:
    """a WebSocket can be relayed to a target on another node"""
    with start("back", SITE + HUB) as back, start("front", SITE) as front:
        back.wait_for("hub is registered")
        wait_for(lambda: seen(front)["hub"], timeout="20s")

        with connected(front.address(), "/ws/join", timeout=20) as client:
            client.send("hello")
            assert client.recv() == "hub: hello"


def test_a_killed_node_closes_the_sockets_that_its_targets_had(start: Start) -> None:
    """EXIT ``noconnection`` exactly once, names free again"""
    with start("front", SITE) as front:
        with start("back", SITE + HUB) as back:
            back.wait_for("hub is registered")
            wait_for(lambda: seen(front)["hub"], timeout="20s")
            with connected(front.address(), "/ws/join", timeout=20) as client:
                client.send("hello")
                assert client.recv() == "hub: hello"

                back.signal(signal.SIGKILL)

                assert client.wait_closed()[0] == 1011
        wait_for(lambda: seen(front) == {"nodes": [], "hub": None}, timeout="30s")
        with pytest.raises(Refused, match="503"):
            WebSocketClient(front.address(), "/ws/join")


def test_without_a_cluster_nothing_external_is_needed() -> None:
    """The default engine is ``local``, with no server and no socket"""
    assert read(SITE).clusters[0].engine == "local"


@pytest.mark.parametrize(
    ("engine", "problem"),
    [
        ("redis://here", 'it must be "local", "nats://user:pass@host:4222,host2:4222"'),
        ("nats://", "nats://"),
    ],
)
def test_an_address_that_is_none_is_located(tmp_path: Path, engine: str, problem: str) -> None:
    (tmp_path / "config.yaml").write_text(SITE)

    done = greenrelay("check", str(tmp_path / "config.yaml"), env={"ENGINE": engine})

    assert done.status == 2
    assert 'cluster "app:system": engine: ' in done.err
    assert problem in done.err


def test_a_second_cluster_is_refused(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(SITE + "- {name: second, kind: cluster}\n")

    done = greenrelay("check", str(tmp_path / "two.yaml"))

    assert done.status == 2
    assert (
        'cluster "app:second": engine: is a second engine; app:system names the first' in done.err
    )


def test_an_engine_that_is_not_there_is_told_and_nothing_is_served(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SITE)

    done = greenrelay("run", str(tmp_path / "config.yaml"), env={"ENGINE": "nats://127.0.0.1:1"})

    assert done.status == 1
    assert "cluster engine nats://127.0.0.1:1: " in done.err
    assert "greenrelay serves" not in done.out


@pytest.mark.parametrize("worker", [["-k", "greenrelay.gunicorn.Worker"], ["-k", "gevent"]])
def test_a_gunicorn_worker_that_dies_while_the_engine_is_away_takes_no_other_with_it(
    worker: list[str], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(SITE)
    app = f"greenrelay.web:create_app('{tmp_path / 'config.yaml'}')"
    command = ["gunicorn", "-b", "127.0.0.1:0", "-w", "2", "-c", "python:greenrelay.gunicorn"]
    with DevelopmentServer() as engine:
        environment = {"ENGINE": engine.url}
        with Program([*command, *worker, app], ROOT, environment) as program:
            wait_for(lambda: "".join(program.output).count(" is connected to ") == 2)
            engine.kill()

            os.kill(first_worker(program), signal.SIGKILL)
            program.wait_for("; this worker ends, and gunicorn starts another")

            assert http(program.address(), "/others")[0] == 200
            with DevelopmentServer(port=engine.port, password=engine.password):
                wait_for(lambda: len(seen(program)["nodes"]) == 1, timeout="60s")
            assert "Traceback" not in "".join(program.output)


def first_worker(program: Program) -> int:
    """Return the process id of gunicorn's worker that it has started first."""
    line = next(line for line in program.output if "Booting worker with pid: " in line)
    return int(line.rpartition(": ")[2])


def test_dev_runs_an_engine_and_check_looks_at_it(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "cluster", "dev"], tmp_path) as engine:
        engine.wait_for("nats://")
        url = engine.output[-1].strip()

        done = greenrelay("cluster", "check", str(tmp_path / "config.yaml"), env={"ENGINE": url})

        assert done.status == 0, done.err
        assert done.out.endswith("0 nodes of 'test' are there\n")
        assert engine.stop() == 0
