"""Source: Configuration, the items on errors and on ``greenrelay check``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay

GOOD = """\
- {name: gateway, kind: http.service, addr: ":80"}
- {name: api, kind: http.router, meta.server: gateway}
- {name: one, kind: http.endpoint, meta.router: api, path: /a, func: "tests.cli.reloaded:one"}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(GOOD)
    return path


def test_a_good_file_is_called_good(path: Path) -> None:
    done = greenrelay("check", str(path))

    assert (done.status, done.out) == (0, f"{path}: nothing is wrong with 3 entries\n")


def test_every_problem_is_told_at_once_also_what_cannot_be_imported(path: Path) -> None:
    text = GOOD.replace("path: /a", "path: a").replace("addr: ", "adr: ")
    path.write_text(text.replace("reloaded:one", "reloaded:none"))

    done = greenrelay("check", str(path))

    assert done.status == 2
    assert [line.partition(": http")[0] for line in done.err.splitlines()] == [
        f"{path}:1:3",
        f"{path}:1:39",
        f"{path}:3:54",
        f"{path}:3:63",
    ]
    assert "module 'tests.cli.reloaded' has no 'none'" in done.err
    assert done.out == ""


def test_a_broken_entry_is_not_said_to_be_no_code_as_well(path: Path) -> None:
    text = GOOD.replace('"tests.cli.reloaded:one"', "code")
    path.write_text(text + "- {name: code, kind: function.python, source: nowhere}\n")

    done = greenrelay("check", str(path))

    assert done.status == 2
    assert len(done.err.splitlines()) == 1
    assert f'{path}:4:39: function.python "app:code": source: is "nowhere"' in done.err


def test_a_blueprint_that_is_none_is_told(path: Path) -> None:
    path.write_text(GOOD.replace("gateway}", "gateway, blueprint: 'tests.cli.reloaded:one'}"))

    done = greenrelay("check", str(path))

    assert done.status == 2
    assert "tests.cli.reloaded:one is not a flask.Blueprint" in done.err


def test_a_blueprint_that_is_none_is_told_with_all_that_is_wrong(path: Path) -> None:
    text = GOOD.replace("gateway}", "gateway, blueprint: 'tests.cli.reloaded:one'}")
    path.write_text(text.replace("path: /a", "path: a"))

    done = greenrelay("check", str(path))

    assert [line.partition(": http")[0] for line in done.err.splitlines()] == [
        f"{path}:2:56",
        f"{path}:3:54",
    ]


def test_a_blueprint_whose_module_raises_is_a_problem_with_its_place(
    path: Path, tmp_path: Path
) -> None:
    (tmp_path / "breaking_blueprint.py").write_text("1 / 0\n")
    path.write_text(GOOD.replace("gateway}", "gateway, blueprint: 'breaking_blueprint:bp'}"))

    done = greenrelay("check", str(path))

    assert done.status == 2
    assert done.err.startswith(f'{path}:2:56: http.router "app:api": blueprint: importing ')
    assert "ZeroDivisionError: division by zero" in done.err


def test_several_files_are_checked_as_one(path: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.yaml"
    more.write_text("- {name: api, kind: http.router, meta.server: gatewy}\n")

    done = greenrelay("check", str(path), str(more))

    assert done.status == 2
    assert (
        f'{more}:1:4: http.router "app:api": name: "api" is taken by the entry at {path}:2:3'
        in (done.err)
    )


def test_json_has_place_and_message_of_each_problem(path: Path) -> None:
    path.write_text(GOOD.replace("addr:", "adr:"))

    done = greenrelay("check", "--json", str(path))

    facts = json.loads(done.out)
    assert (done.status, done.err) == (2, "")
    assert (facts["files"], facts["is_valid"]) == ([str(path)], False)
    first, second = facts["problems"]
    assert first == {
        "file": str(path),
        "line": 1,
        "column": 3,
        "message": 'http.service "app:gateway": addr: is missing; it is required',
    }
    assert (second["line"], second["column"]) == (1, 39)


def test_json_of_a_good_file_has_no_problems(path: Path) -> None:
    done = greenrelay("check", "--json", str(path))

    assert done.status == 0
    assert json.loads(done.out) == {"files": [str(path)], "is_valid": True, "problems": []}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = greenrelay("check", str(tmp_path / "no.yaml"))

    assert done.status == 2
    assert done.err == f"{tmp_path / 'no.yaml'}: cannot be read: No such file or directory\n"


def test_without_a_name_it_is_the_file_of_this_folder(path: Path) -> None:
    done = greenrelay("check", cwd=path.parent)

    assert done.status == 2
    assert done.err.startswith('config.yaml:3:64: http.endpoint "app:one": func: ')


def test_values_can_be_set_for_the_check(path: Path) -> None:
    done = greenrelay("check", str(path), "--set", "gateway.addr=nowhere")

    assert done.status == 2
    assert done.err.startswith('--set gateway.addr: http.service "app:gateway": addr: is "nowhere"')
