"""A blueprint whose views relay in either way, or change their mind; routers in tests name it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, g, request

from greenrelay import inbox, send, spawn
from greenrelay.web import relay, stream

both = Blueprint("both", __name__)
# The targets that the views have spawned, the last one last.
spawned: list[str] = []


class Changed(Exception):
    """A view has changed its mind."""


def target() -> None:
    """Greet the clients of either relay."""
    for message in inbox():
        payload: Any = message.payload
        if message.topic == "ws.join":
            send(payload["client_pid"], "ws.send", "hello")
        elif message.topic == "sse.join":
            send(payload["client_pid"], "sse.message", "hello")


def spawn_target() -> str:
    """Return a target of this request's own."""
    spawned.append(spawn(target))
    return spawned[-1]


@both.before_request
def let_in() -> None:
    """Let in who has not been thrown out."""
    if "out" in request.args:
        abort(401)
    g.seen = "yes"


@both.after_request
def mark(response: Any) -> Any:
    """Say that the blueprint's functions have run."""
    response.headers["X-Seen"] = g.get("seen", "no")
    return response


@both.errorhandler(Changed)
def changed(error: Exception) -> tuple[str, int]:
    """Answer where the view could not make up its mind."""
    return "changed", 409


@both.get("/plain")
def plain() -> str:
    """Answer without a relay."""
    return "plain"


@both.get("/socket")
def socket() -> Any:
    """Relay a WebSocket."""
    return relay(spawn_target())


@both.get("/stream")
def events() -> Any:
    """Relay events."""
    return stream(spawn_target())


@both.get("/either")
def either() -> Any:
    """Relay what the client has asked for."""
    wants_events = "text/event-stream" in request.headers.get("Accept", "")
    return stream(spawn_target()) if wants_events else relay(spawn_target())


@both.get("/fails/<how>/<what>")
def fails(how: str, what: str) -> Any:
    """Raise once it is known whom to relay to."""
    spawn_target()
    answer = relay if how == "socket" else stream
    answer(spawn_target())
    match what:
        case "handled":
            raise Changed
        case "aborted":
            abort(403)
        case _:
            raise ValueError(what)
