"""Views and blueprints that configurations in tests name."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, request

from greenrelay import process, spawn
from greenrelay.web import relay, websocket_relay


def echo() -> None:
    """Send each message back to its client."""
    for message in process.inbox():
        if message.topic == "ws.message":
            assert isinstance(message.payload, dict)
            process.send(message.payload["client_pid"], "ws.send", message.payload["data"])


def handler() -> None:
    """The target of the page's own example: keep clients in mind, answer messages."""
    echo()


def ws() -> Any:
    """Relay to a target of its own."""
    return relay(
        spawn("tests.http.views:handler", host="app:processes"),
        heartbeat_interval="30s",
        metadata={"user_id": request.args.get("user_id")},
    )


def user(id: str) -> str:
    """Say which user."""
    return f"user {id}"


def file(rest: str) -> str:
    """Say which file."""
    return f"file {rest}"


def both() -> str:
    """Say which method."""
    return request.method


NOT_CALLABLE = 7
bp = Blueprint("hand_written", __name__)
decorated = Blueprint("decorated", __name__)


@bp.get("/plain")
def plain() -> str:
    """Answer without a relay."""
    return "plain"


@bp.get("/ws")
def bp_ws() -> Any:
    """Relay; the middleware comes from the router."""
    return relay(spawn(echo))


@decorated.get("/ws")
@websocket_relay(allowed_origins=["https://app.example.com"])
def decorated_ws() -> Any:
    """Relay; the middleware is the decorator."""
    return relay(spawn(echo))
