"""Source: Configuration: "One or more YAML files"."""

from __future__ import annotations

from pathlib import Path

import pytest

from greenrelay.config.resolve import load
from greenrelay.errors import ConfigError


def test_several_files_are_one_configuration(tmp_path: Path) -> None:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text("namespace: web\nentries: [{name: g, kind: http.service, addr: ':80'}]\n")
    b.write_text(
        "namespace: shop\nentries:\n"
        "- {name: r, kind: http.router, meta.server: 'web:g'}\n"
        "- {name: f, kind: function.python, source: 'm:f'}\n"
        "- {name: e, kind: http.endpoint, meta.router: r, path: /, func: f}\n"
    )

    found = load([str(a), b])

    assert found.files == (str(a), str(b))
    assert found.namespace == "web"
    assert found.routers[0].server == "web:g"
    assert found.endpoints[0].router == "shop:r"
    assert found.import_path(found.endpoints[0].func) == "m:f"


def test_problems_of_several_files_come_file_by_file(tmp_path: Path) -> None:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    a.write_text("\n\n- {name: h, kind: process.host, max_processes: 0}\n")
    b.write_text("- {name: h, kind: process.host, inbox.limit: 0}\n")

    with pytest.raises(ConfigError) as caught:
        load([a, b])

    first, second, third = caught.value.problems
    assert first.startswith(f'{a}:3:33: process.host "app:h": max_processes: ')
    assert second.startswith(f'{b}:1:4: process.host "app:h": name: "h" is taken by the entry at ')
    assert third.startswith(f'{b}:1:33: process.host "app:h": inbox.limit: ')


def test_a_file_that_cannot_be_read_hides_no_problem_of_the_others(tmp_path: Path) -> None:
    a, b = tmp_path / "a.yaml", tmp_path / "b.yaml"
    b.write_text(
        "- {name: r, kind: http.router, meta.server: 'of-a'}\n"
        "- {name: g, kind: http.service, addr: nowhere}\n"
    )

    with pytest.raises(ConfigError) as caught:
        load([a, b])

    first, second = caught.value.problems
    assert first == f"{a}: cannot be read: No such file or directory"
    assert second.startswith(f'{b}:2:33: http.service "app:g": addr: ')
