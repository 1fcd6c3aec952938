"""Source: Configuration, the item on ``greenrelay routes``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay

TEXT = """\
- {name: gateway, kind: http.service, addr: ":80"}
- name: api
  kind: http.router
  meta.server: gateway
  prefix: /api
  post_middleware: [websocket_relay]
- name: pages
  kind: http.router
  meta.server: gateway
  prefix: /pages
  blueprint: tests.cli.reloaded:bp
- {name: code, kind: function.python, source: "tests.cli.reloaded:one"}
- {name: one, kind: http.endpoint, meta.router: api, path: "/a/{x...}", method: "get, put",
   func: code}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(TEXT)
    return path


def test_it_says_what_answers_where_with_its_middleware_and_where_it_is_declared(
    path: Path,
) -> None:
    done = greenrelay("routes", str(path))

    assert (done.status, done.err) == (0, "")
    rows = [line.split() for line in done.out.splitlines()]
    assert rows == [
        ["METHOD", "PATH", "ANSWERS", "SERVER", "MIDDLEWARE", "DECLARED"],
        [
            "GET,PUT",
            "/api/a/{x...}",
            "tests.cli.reloaded:one",
            "app:gateway",
            "websocket_relay",
            f"{path}:13",
        ],
        [
            "GET",
            "/pages/missing",
            "tests.cli.reloaded:bp,",
            "pages.missing",
            "app:gateway",
            "-",
            f"{path}:11",
        ],
        [
            "GET",
            "/pages/page",
            "tests.cli.reloaded:bp,",
            "pages.page",
            "app:gateway",
            "-",
            f"{path}:11",
        ],
        [
            "GET",
            "/pages/written",
            "tests.cli.reloaded:bp,",
            "pages.written",
            "app:gateway",
            "-",
            f"{path}:11",
        ],
    ]


def test_json_has_the_same(path: Path) -> None:
    done = greenrelay("routes", "--json", str(path))

    first, *others = json.loads(done.out)
    assert first == {
        "methods": ["GET", "PUT"],
        "path": "/api/a/{x...}",
        "answers": "tests.cli.reloaded:one",
        "entry": "app:one",
        "server": "app:gateway",
        "middleware": ["websocket_relay"],
        "declared": f"{path}:13",
    }
    assert [each["entry"] for each in others] == ["app:pages"] * 3


def test_a_file_without_routes_says_so(path: Path) -> None:
    path.write_text("[]\n")

    done = greenrelay("routes", str(path))

    assert (done.status, done.out.partition(":")[0]) == (0, "nothing answers")


def test_a_broken_file_is_refused(path: Path) -> None:
    path.write_text(TEXT.replace("reloaded:one", "reloaded:none"))

    done = greenrelay("routes", str(path))

    assert (done.status, done.out) == (2, "")
    assert f'{path}:12:39: function.python "app:code": source: ' in done.err
