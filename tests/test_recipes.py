"""The files of docs/operations/files do what the page says of them."""

from __future__ import annotations

import configparser
import json
import os
import re
import runpy
import shutil
import socket
import subprocess
from pathlib import Path

from tests.probe import wait_for
from tests.program import Program
from tests.servers.running import GUNICORN, ROOT, running
from tests.serving import connected, dial

FILES = ROOT / "docs" / "operations" / "files"
METRICS = ROOT / "docs" / "operations" / "metrics.md"
SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: ws, kind: http.router, meta.server: gateway, prefix: /ws,
   post_middleware: [websocket_relay]}
- {name: echo, kind: http.endpoint, meta.router: ws, path: /room, func: "tests.cli.reloaded:echo"}
"""


def test_every_query_of_the_grafana_dashboard_names_metrics_that_exist() -> None:
    known = set(re.findall(r"`(greenrelay_[a-z_]+)`", METRICS.read_text()))
    panels = json.loads((FILES / "grafana.json").read_text())["panels"]

    named = {
        re.sub("_bucket$", "", name)
        for panel in panels
        for target in panel["targets"]
        for name in re.findall(r"greenrelay_[a-z_]+", target["expr"])
    }

    assert named <= known
    # And every metric is seen somewhere but those of single entries, which would be too many.
    assert known - named == {"greenrelay_entry_processes"}


def test_panels_of_the_dashboard_do_not_lie_on_each_other() -> None:
    panels = json.loads((FILES / "grafana.json").read_text())["panels"]

    places = [(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels]

    assert len(set(places)) == len(places)


def test_gunicorn_takes_its_file() -> None:
    found = runpy.run_path(str(FILES / "gunicorn.conf.py"))

    command = [GUNICORN, "--check-config", "-c", str(FILES / "gunicorn.conf.py")]
    done = subprocess.run(
        [*command, "tests.servers.wsgi:app"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert found["worker_class"] == "greenrelay.gunicorn.Worker"


def test_the_unit_gives_a_drain_more_time_than_gunicorn_does() -> None:
    unit = configparser.RawConfigParser(strict=False)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(FILES / "greenrelay.service")
    gunicorn = runpy.run_path(str(FILES / "gunicorn.conf.py"))

    assert int(unit["Service"]["TimeoutStopSec"]) > gunicorn["graceful_timeout"]
    assert unit["Service"]["KillMode"] == "mixed"
    assert unit["Service"]["ExecStart"].startswith("/")


def test_through_haproxy_sockets_open_and_messages_pass(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SITE)
    with Program(["greenrelay", "run", str(tmp_path / "config.yaml")], ROOT) as program:
        address = program.address()
        text = (FILES / "haproxy.cfg").read_text()
        public = f"127.0.0.1:{_free_port()}"
        config = tmp_path / "haproxy.cfg"
        config.write_text(text.replace("127.0.0.1:8081", public).replace("127.0.0.1:8080", address))
        haproxy = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
        assert haproxy, "make test-setup installs it"
        with running([haproxy, "-db", "-f", str(config)]):
            wait_for(lambda: _listens(public), timeout="10s")

            with connected(public, "/ws/room") as client:
                client.send("through")
                assert client.recv() == "through"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _listens(address: str) -> bool:
    try:
        dial(address).close()
    except OSError:
        return False
    return True
