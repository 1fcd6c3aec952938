"""How ``greenrelay run`` writes its log: lines for people, or a JSON object on each.

Source: Operations, "Logs and traces".
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from greenrelay.printable import printable

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)
TRACEBACK = "traceback"
_UNPRINTABLE = re.compile("[^ -~]")
# Raised for what JSON has no form for: NaN and infinity, keys that are a tuple, a cycle.
_NO_FORM = (TypeError, ValueError, RecursionError)


class TextFormatter(logging.Formatter):
    """A record as text, and what was logged with ``extra`` as key=value where the text lacks it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line, without the traceback that may follow."""
        line = super().formatMessage(record)
        head, is_long, rest = line.partition("\n")
        for key, each in _beside(record).items():
            text = printable(str(each))
            is_told = f"{key}=" in record.message or text in record.message
            if key != TRACEBACK and not is_told:
                head += f" {key}={text}"
        return f"{head}{is_long}{rest}"


class JsonFormatter(logging.Formatter):
    """A record as one line: ``{"time", "level", "logger", "message"}``, ``"traceback"`` of a crash.

    ``time`` is UTC in ISO 8601, to the millisecond. What was logged with ``extra`` stands beside,
    such as ``pid``, ``target``, ``code``, ``user``, ``path``, ``request_id``, ``reason``; what JSON
    has no form for is its text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        found: dict[str, object] = {
            "time": at,
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            found[TRACEBACK] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = record.stack_info
        found |= _beside(record)
        # The text of a crash has its traceback, too.
        trace = f"\n{found[TRACEBACK]}" if TRACEBACK in found else ""
        found["message"] = str(found["message"]).removesuffix(trace)
        line = _as_json(found)
        return line if line.isprintable() else _UNPRINTABLE.sub(_escaped, line)


def _as_json(found: Mapping[str, object]) -> str:
    try:
        return _encode(found)
    except _NO_FORM:
        return _encode({key: each if _has_form(each) else str(each) for key, each in found.items()})


def _has_form(value: object) -> bool:
    try:
        _encode(value)
    except _NO_FORM:
        return False
    return True


def _encode(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str, allow_nan=False)


def _escaped(found: re.Match[str]) -> str:
    # What json.dumps leaves as it is and a terminal obeys, such as the controls from 0x7f on.
    return found[0] if found[0].isprintable() else json.dumps(found[0])[1:-1]


def _beside(record: logging.LogRecord) -> dict[str, object]:
    return {key: each for key, each in vars(record).items() if key not in _USUAL}


# What every record has.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def set_up(form: str) -> None:
    """Log to stderr from INFO on, in one of ``FORMATS``."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter() if form == JSON else TextFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
