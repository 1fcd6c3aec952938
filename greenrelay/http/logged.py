"""What lines of the log say of the request in which they are written.

Source: Operations, "Logs and traces": PID and request id on each line. It is added by filters, so
also to what Flask logs of a view that crashed, whose line names the path as the client has sent it.
"""

from __future__ import annotations

import logging

from flask import Flask
from greenlet import getcurrent

from greenrelay.core.log import one_line
from greenrelay.http.scope import RequestScope
from greenrelay.printable import printable

# Those that are written to in requests, with what clients have sent.
ROOMS = ("http", "dashboard", "security")
# How Flask's line of a crash begins.
_CRASH = "Exception on "


class RequestFacts(logging.Filter):
    """Adds ``pid`` (of a request that is a process), ``request_id`` and ``path`` to records."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add what there is; every record passes."""
        scope = getattr(getcurrent(), "greenrelay_scope", None)
        if not isinstance(scope, RequestScope):
            return True
        pid = None if scope.process is None else scope.process.pid
        found = {"pid": pid, "request_id": scope.request_id}
        facts = {key: each for key, each in found.items() if each}
        # What was logged with ``extra`` is nearer.
        vars(record).update({"path": scope.path, **facts, **vars(record)})
        if isinstance(record.msg, str) and record.msg.startswith(_CRASH):
            text = [record.getMessage(), *(f"{key}={each}" for key, each in facts.items())]
            record.msg, record.args = printable(" ".join(text)), ()
        return True


def add_request_facts(app: Flask) -> None:
    """Let the lines of ``app``, and ours, tell of the request they were written in."""
    loggers = [one_line(f"greenrelay.{room}") for room in ROOMS]
    # Not app.logger: that would be set up now, before the program has set up its logging.
    for logger in (*loggers, logging.getLogger(app.name)):
        if not any(isinstance(each, RequestFacts) for each in logger.filters):
            logger.addFilter(RequestFacts())
