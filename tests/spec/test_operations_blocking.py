"""Operations: "Blocking code"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from greenrelay import ConfigError, Node
from greenrelay.web import create_app
from tests.cli.commands import greenrelay
from tests.probe import end, wait_for_ever
from tests.servers.kinds import address_of
from tests.servers.running import GUNICORN, running
from tests.serving import http

CONFIG: dict[str, Any] = {
    "entries": [{"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0"}]
}
SITE = """\
import time
import greenrelay as gr

def busy():
    gr.pid()
    # Time of its own, not of the machine: only that counts.
    until = time.thread_time() + 0.5
    while time.thread_time() < until:
        pass
    return "done"
"""
ENTRIES = """\
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: api, kind: http.router, meta: {server: gateway}}
- {name: busy, kind: http.endpoint, meta: {router: api}, path: /busy, func: "busy_site:busy"}
"""


def configured(monkeypatch: pytest.MonkeyPatch, wanted: str | None) -> Node:
    """Return the node of an app that is made with that in GREENRELAY_WATCHDOG."""
    monkeypatch.delenv("GREENRELAY_WATCHDOG", raising=False)
    if wanted is not None:
        monkeypatch.setenv("GREENRELAY_WATCHDOG", wanted)
    node = Node()
    create_app(CONFIG, node=node)
    return node


@pytest.mark.parametrize(("wanted", "threshold"), [(None, 0.1), ("", 0.1), ("250ms", 0.25)])
def test_a_watchdog_looks_at_every_application_with_a_configuration(
    monkeypatch: pytest.MonkeyPatch, wanted: str | None, threshold: float
) -> None:
    """more than 100 ms (configurable)"""
    with configured(monkeypatch, wanted) as node:
        assert node.watchdog is not None
        assert node.watchdog.threshold == threshold
        # In a worker, so after the fork.
        assert not node.watchdog.is_running


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    with configured(monkeypatch, "off") as node:
        assert node.watchdog is None


@pytest.mark.parametrize("wanted", ["soon", "0", "-1s"])
def test_what_is_no_duration_is_refused_at_the_start(
    monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    with pytest.raises(ConfigError, match=r"^GREENRELAY_WATCHDOG: .*; off is for none$") as raised:
        configured(monkeypatch, wanted)

    assert repr(wanted) in str(raised.value)


def test_a_node_that_runs_by_then_is_watched_at_once() -> None:
    with Node() as node:
        end(node, node.spawn(wait_for_ever))
        create_app(CONFIG, node=node)

        assert node.watchdog is not None
        assert node.watchdog.is_running


def test_a_watchdog_of_the_nodes_own_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    with Node(watchdog="2s") as node:
        create_app(CONFIG, node=node)

        assert node.watchdog is not None
        assert node.watchdog.threshold == 2


def test_what_keeps_a_worker_busy_is_shown_without_a_dashboard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watchdog names the process, entry and stack that kept the hub busy"""
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "busy_site.py").write_text(SITE)
    (tmp_path / "config.yaml").write_text(ENTRIES)
    app = f'greenrelay.web:create_app("{tmp_path / "config.yaml"}")'
    options = ["--no-control-socket", "-k", "greenrelay.gunicorn.Worker", "-b", "127.0.0.1:0"]

    with running([GUNICORN, *options, app], {"GREENRELAY_ADMIN": "1"}) as server:
        assert http(address_of(server), "/busy")[2] == "done"
        server.wait_for("has kept the hub busy")
        found = json.loads(greenrelay("reports", "--hub", "--json").out)

    assert "(GET /busy) has kept the hub busy for" in found[0]["text"]
    assert "in busy" in found[0]["text"]
