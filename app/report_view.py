"""The endpoints of the reports: the page, the stream of one report, the stream of the board."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from app import report
from app.views import asset
from greenrelay import spawn
from greenrelay.web import stream

TITLE_LENGTH = 40


def page() -> Response:
    """Answer with the page."""
    return asset("report.html")


def run() -> ResponseReturnValue:
    """Start the report ``?title=`` and stream from it; 400 for a title that is none."""
    title = " ".join(request.args.get("title", "").split())
    if not 0 < len(title) <= TITLE_LENGTH or not title.isprintable():
        message = f"a title has 1 to {TITLE_LENGTH} characters"
        return {"error": "bad_request", "message": message}, 400
    job = spawn(report.run, title, host="app:processes")
    return stream(job, message_topic="*")


def board() -> ResponseReturnValue:
    """Stream what runs on this server."""
    return stream(report.BOARD, message_topic="reports", heartbeat_interval="20s")
