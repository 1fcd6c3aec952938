"""Source: Operations, "Logs and traces": ``--log-format json``."""

from __future__ import annotations

import json
import logging
import sys
from pathlib import Path

from greenrelay.cli.logs import JsonFormatter
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


def test_every_line_that_run_logs_is_json(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(SITE)
    command = ["greenrelay", "run", "--log-format", "json", str(tmp_path / "config.yaml")]

    with Program(command, ROOT) as program:
        program.address()
        assert program.stop() == 0

    lines = [line for line in program.output if not line.startswith("greenrelay serves")]
    assert [json.loads(line)["logger"] for line in lines]
