"""The demo's three endpoints: the page, its files and its WebSocket."""

from __future__ import annotations

import logging
from pathlib import Path

from flask import Response, request, send_from_directory
from flask.typing import ResponseReturnValue

from app import lobby
from app.command import BadCommand, read_nick, read_room_name
from greenrelay import ProcessDown, Timeout, UnknownName, call
from greenrelay.web import relay

STATIC = Path(__file__).parent / "static"
LOBBY_TIMEOUT = 3.0

log = logging.getLogger("app.views")

# The page needs nothing from elsewhere and no inline code. Pictures are blobs, made of frames.
_CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)


def index() -> Response:
    """Answer with the page."""
    return _file("chat.html")


def asset(name: str) -> Response:
    """Answer with a file of the page, 404 where there is none."""
    return _file(name)


def chat() -> ResponseReturnValue:
    """Open a WebSocket to the room ``?room=`` as ``?nick=``; starts the room if need be.

    400 for a bad room or nick, 503 when the lobby is not there or has no place for another room.
    """
    try:
        room = read_room_name(request.args.get("room"))
        nick = read_nick(request.args.get("nick"))
    except BadCommand as problem:
        return {"error": "bad_request", "message": str(problem)}, 400
    try:
        target = call(lobby.NAME, "lobby.open", room, timeout=LOBBY_TIMEOUT)
    except (UnknownName, ProcessDown, Timeout) as problem:
        log.warning("room %s: the lobby does not answer: %s", room, problem)
        return _unavailable("no_lobby", "the lobby is not there, try again in a moment")
    if target is None:
        return _unavailable("full", "there are too many rooms, go to one of those there are")
    return relay(str(target), metadata={"nick": nick, "room": room}, heartbeat_interval="30s")


def _unavailable(error: str, text: str) -> ResponseReturnValue:
    return {"error": error, "message": text}, 503, {"Retry-After": "2"}


def _file(name: str) -> Response:
    response = send_from_directory(STATIC, name)
    response.headers["Content-Security-Policy"] = _CONTENT_SECURITY_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
