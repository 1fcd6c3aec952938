"""When figures are written, and whose are shown."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from prometheus_client import REGISTRY

from greenrelay import ConfigError
from greenrelay.http.state import state_of
from greenrelay.metrics import instruments, publisher
from greenrelay.metrics.publisher import _forget_the_dead
from greenrelay.runtime.host import Host
from greenrelay.web import GreenRelay, operations
from tests.metrics.scraped import scrape
from tests.probe import end, wait_for, wait_for_ever
from tests.serving import http, serving


def shown() -> Flask:
    app = Flask("shown")
    GreenRelay(app)
    app.register_blueprint(operations)
    return app


def test_figures_are_written_from_time_to_time_though_nobody_asks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "PERIOD", 0.0)
    app = shown()
    with serving(app):
        node = state_of(app).node
        node.add_host(Host("rarely"))
        pid = node.spawn(wait_for_ever, host="rarely")

        wait_for(lambda: REGISTRY.get_sample_value("greenrelay_processes", {"host": "rarely"}) == 1)
        end(node, pid)
        wait_for(lambda: REGISTRY.get_sample_value("greenrelay_processes", {"host": "rarely"}) == 0)


def test_two_apps_of_one_process_are_added_up() -> None:
    one, other = shown(), shown()
    with serving(one) as address, serving(other):
        pids = []
        for app in (one, other):
            node = state_of(app).node
            node.add_host(Host("common"))
            pids.append((node, node.spawn(wait_for_ever, host="common")))

        assert scrape(address).value("greenrelay_processes", host="common") == 2
        for node, pid in pids:
            end(node, pid)


def test_many_processes_are_looked_at_in_parts_and_each_once() -> None:
    app = shown()
    with serving(app) as address:
        node = state_of(app).node
        node.add_host(Host("many"))
        pids = [node.spawn(wait_for_ever, host="many") for _ in range(1100)]
        for pid in pids:
            node.send(pid, "stone")

        assert scrape(address).value("greenrelay_inbox_messages", host="many") == 1100
        end(node, *pids)


def test_the_format_is_the_one_that_is_asked_for() -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    with serving(shown()) as address:
        status, headers, body = http(address, "/metrics", headers=accept)

    assert status == 200
    assert headers["content-type"].startswith("application/openmetrics-text")
    assert body.endswith("# EOF\n")


def test_only_gauges_of_the_dead_are_forgotten(tmp_path: Path) -> None:
    # No process has the largest number there may be.
    files = [
        f"gauge_livesum_{os.getpid()}.db",
        "gauge_livesum_4194304.db",
        "gauge_livemax_4194304.db",
        "counter_4194304.db",
    ]
    for name in files:
        (tmp_path / name).write_bytes(b"")

    _forget_the_dead(tmp_path)

    assert sorted(file.name for file in tmp_path.iterdir()) == sorted([files[0], files[3]])


@pytest.mark.parametrize("measures", [instruments.instruments, instruments.requests])
def test_a_directory_that_is_not_there_is_an_error_at_the_start(
    monkeypatch: pytest.MonkeyPatch, measures: Any, tmp_path: Path
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "none"))

    with pytest.raises(ConfigError, match=r"^PROMETHEUS_MULTIPROC_DIR: '.*none' is no directory; "):
        # Not the one that is kept for this OS process.
        measures.__wrapped__()
