"""How ``greenrelay run`` writes its log: lines for people, or a JSON object on each.

Source: Operations, "Logs and traces".
"""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

TEXT, JSON = "text", "json"
FORMATS = (TEXT, JSON)


class JsonFormatter(logging.Formatter):
    """A record as one line: ``{"time", "level", "logger", "message"}``, ``"traceback"`` of a crash.

    ``time`` is UTC in ISO 8601, to the millisecond. What was logged with ``extra`` stands beside.
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
            found["traceback"] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = record.stack_info
        found |= {key: each for key, each in vars(record).items() if key not in _USUAL}
        return json.dumps(found, ensure_ascii=False, default=str)


# What every record has.
_USUAL = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def set_up(form: str) -> None:
    """Log to stderr from INFO on, in one of ``FORMATS``."""
    handler = logging.StreamHandler()
    text = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")
    handler.setFormatter(JsonFormatter() if form == JSON else text)
    logging.basicConfig(level=logging.INFO, handlers=[handler])
