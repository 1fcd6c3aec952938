"""Source: Operations, "Logs and traces": ``--log-format json``."""

from __future__ import annotations

import json
import logging
import math
import signal
import sys
from pathlib import Path

import pytest

from greenrelay.cli.logs import JsonFormatter, TextFormatter
from tests.program import Program
from tests.servers.running import ROOT

SITE = "- {name: gateway, kind: http.service, addr: '127.0.0.1:0'}\n"


def record(message: str, *args: object, **fields: object) -> logging.LogRecord:
    made = {"name": "greenrelay.test", "levelname": "INFO", "msg": message, "args": args}
    return logging.makeLogRecord({**made, "created": 1_700_000_000.25, **fields})


def formatted(found: logging.LogRecord) -> dict[str, object]:
    line = JsonFormatter().format(found)
    assert "\n" not in line
    decoded: dict[str, object] = json.loads(line)
    return decoded


def test_a_record_is_one_line_of_json() -> None:
    found = formatted(record("%s opened\nfrom %s", "{a|1}", "here"))

    assert found == {
        "time": "2023-11-14T22:13:20.250+00:00",
        "level": "INFO",
        "logger": "greenrelay.test",
        "message": "{a|1} opened\nfrom here",
    }


def test_a_crash_has_its_traceback_beside_the_message() -> None:
    try:
        raise LookupError("of the test")
    except LookupError:
        found = formatted(record("it crashed", exc_info=sys.exc_info()))

    assert found["message"] == "it crashed"
    assert "LookupError: of the test" in str(found["traceback"])


def test_what_was_logged_beside_the_message_is_there_whatever_it_is() -> None:
    found = formatted(record("a request", request_id="r1", path=Path("/x")))

    assert (found["request_id"], found["path"]) == ("r1", "/x")


def test_what_json_has_no_form_for_is_its_text() -> None:
    cycle: dict[str, object] = {}
    cycle["itself"] = cycle
    line = JsonFormatter().format(
        record("odd", pid="{a|1}", nan=math.nan, far=[math.inf], pairs={(1, 2): 3}, cycle=cycle)
    )

    found = json.loads(line, parse_constant=pytest.fail)
    assert (found["message"], found["pid"]) == ("odd", "{a|1}")
    assert (found["nan"], found["far"]) == ("nan", "[inf]")
    assert (found["pairs"], found["cycle"]) == ("{(1, 2): 3}", "{'itself': {...}}")


def test_the_traceback_of_a_process_stands_beside_the_message_too() -> None:
    found = formatted(record("it crashed\n%s", "Traceback\nof it", traceback="Traceback\nof it"))

    assert (found["message"], found["traceback"]) == ("it crashed", "Traceback\nof it")


def test_what_a_terminal_obeys_is_escaped_in_json() -> None:
    line = JsonFormatter().format(record("grüße \x1b[2J\x9b2J\u202e", reason="\x9b"))

    assert line.isprintable()
    assert "grüße" in line
    assert json.loads(line)["message"] == "grüße \x1b[2J\x9b2J\u202e"


def test_text_shows_what_was_logged_beside_the_message_unless_it_is_told() -> None:
    found = record("{a|1} ended", pid="{a|1}", request_id="r\n1", code=3, traceback="its own")

    assert TextFormatter().format(found).endswith(" {a|1} ended request_id=r\\n1 code=3")


def test_the_first_line_of_a_text_shows_it() -> None:
    line = TextFormatter().format(record("crashed\nTraceback\n  of it", pid="{a|1}"))

    assert line.splitlines()[0].endswith(" crashed pid={a|1}")
    assert line.endswith("\nTraceback\n  of it")


def test_a_reload_that_fails_is_logged_in_the_form_that_was_chosen(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(SITE)
    command = ["greenrelay", "run", "--log-format", "json", str(config)]

    with Program(command, ROOT) as program:
        program.address()
        config.write_text(SITE.replace("addr", "adr"))
        program.signal(signal.SIGHUP)
        program.wait_for("nothing was changed")
        config.write_text(SITE)
        program.signal(signal.SIGHUP)
        program.wait_for("reload: done")

    found = [json.loads(line) for line in program.output if "reload: " in line]
    assert {each["level"] for each in found if f"{config}:1:" in each["message"]} == {"ERROR"}
    last = [(each["level"], each["message"]) for each in found[-2:]]
    assert last == [
        ("ERROR", "reload: nothing was changed"),
        ("INFO", "reload: done, 0 changes"),
    ]


def test_every_line_that_run_logs_is_json(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SITE)
    command = ["greenrelay", "run", "--log-format", "json", str(tmp_path / "config.yaml")]

    with Program(command, ROOT) as program:
        program.address()
        assert program.stop() == 0

    lines = [line for line in program.output if not line.startswith("greenrelay serves")]
    assert [json.loads(line)["logger"] for line in lines]
