"""The endpoints of the vault: its page, tokens that are made and revoked, and its WebSocket."""

from __future__ import annotations

from flask import Response, request
from flask.typing import ResponseReturnValue

from app import vault
from app.command import BadCommand, read_nick
from app.views import asset
from greenrelay import spawn
from greenrelay.web import relay, token_store

STORE = "app:passes"
LONGEST = 60


def page() -> Response:
    """Answer with the page."""
    return asset("vault.html")


def sign_in() -> ResponseReturnValue:
    """Make a token for ``name``, good for ``seconds``; a real one would ask for a password.

    400 for a bad name, and for seconds that are no number from 1 to 60.
    """
    given = _given()
    try:
        name = read_nick(given.get("name"))
    except BadCommand as problem:
        return _bad(str(problem))
    seconds = given.get("seconds")
    if not isinstance(seconds, int) or isinstance(seconds, bool) or not 0 < seconds <= LONGEST:
        return _bad(f"seconds: a token lasts from 1 to {LONGEST}")
    token = token_store(STORE).create(name, expires_in=seconds, groups=["visitors"])
    return {"token": token}, 201, {"Cache-Control": "no-store"}


def sign_out() -> ResponseReturnValue:
    """Revoke ``token``, which closes what it has opened; also if it is good for nothing."""
    token = _given().get("token")
    if not isinstance(token, str):
        return _bad("token: it must be text")
    token_store(STORE).revoke(token)
    return "", 204


def enter() -> ResponseReturnValue:
    """Open a WebSocket to a vault of one's own; the firewall has let the visitor in."""
    return relay(spawn(vault.run, host="app:processes"))


def _given() -> dict[str, object]:
    found = request.get_json(silent=True)
    return found if isinstance(found, dict) else {}


def _bad(message: str) -> ResponseReturnValue:
    return {"error": "bad_request", "message": message}, 400
