"""Source: Operations, "Command line": remote commands need the admin endpoint, and say so."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay
from tests.probe import wait_for
from tests.servers.client import Client
from tests.servers.kinds import address_of, gunicorn
from tests.servers.running import running


@pytest.fixture
def run_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


def test_each_worker_of_gunicorn_can_be_asked_and_leaves_nothing(
    run_dir: Path, client: Client
) -> None:
    command = gunicorn("-k", "greenrelay.gunicorn.Worker", "-w", "2")
    with running(command, {"GREENRELAY_ADMIN": "1"}) as server:
        address = address_of(server)
        wait_for(lambda: run_dir.exists() and len(list(run_dir.iterdir())) == 2, timeout="20s")
        pids = {int(each.name.partition(".")[0]) for each in run_dir.iterdir()}

        with client.opened(f"ws://{address}/ws/echo"):
            found = json.loads(greenrelay("ps", "--json").out)
            refused = greenrelay("drain")
            reloaded = json.loads(greenrelay("reload", "--json").out)

        assert server.stop() == 0
    assert "websocket" in [each["entry"] for each in found]
    assert refused.status == 1
    assert all(str(pid) in refused.err for pid in pids)
    assert {int(pid) for pid in reloaded} == pids
    assert list(run_dir.iterdir()) == []


def test_without_being_asked_to_gunicorn_opens_none(run_dir: Path) -> None:
    with running(gunicorn("-k", "greenrelay.gunicorn.Worker")) as server:
        server.wait_for("clock runs in")
        assert server.stop() == 0

    assert not run_dir.exists()
