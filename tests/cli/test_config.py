"""Source: Configuration, the item on ``greenrelay config``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay

TEXT = """\
- name: pool
  kind: process.host
  max_processes: ${env:POOL_SIZE}
  inbox:
    overflow: block
  meta.password: hunter2
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    return path


def test_every_value_is_shown_with_where_it_comes_from(path: Path) -> None:
    environ = {"POOL_SIZE": "5", "GREENRELAY__POOL__INBOX__LIMIT": "6"}

    done = greenrelay("config", str(path), "--set", "pool.inbox.block_timeout=90", env=environ)

    assert (done.status, done.err) == (0, "")
    assert [" ".join(line.split()) for line in done.out.splitlines()] == [
        f"app:pool process.host {path}:1",
        f"meta.password *** {path}:6",
        f"max_processes 5 {path}:3, environment POOL_SIZE",
        "inbox.limit 6 environment GREENRELAY__POOL__INBOX__LIMIT",
        f"inbox.overflow block {path}:5",
        "inbox.block_timeout 1m30s --set pool.inbox.block_timeout",
    ]


def test_json_has_the_same_and_no_secret_either(path: Path) -> None:
    done = greenrelay("config", "--json", str(path), env={"POOL_SIZE": "5"})

    (entry,) = json.loads(done.out)
    assert (entry["id"], entry["kind"], entry["declared"]) == (
        "app:pool",
        "process.host",
        f"{path}:1",
    )
    assert {"name": "inbox.limit", "value": 10000, "origin": "default"} in entry["values"]
    assert "hunter2" not in done.out


def test_a_broken_file_is_refused(path: Path) -> None:
    done = greenrelay("config", str(path))

    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(f'{path}:3:18: process.host "app:pool": max_processes: environment ')
