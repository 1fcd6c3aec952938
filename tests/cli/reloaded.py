"""Views, a blueprint and services for configurations that are read again while they are served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gevent
from flask import Blueprint, abort, render_template_string
from werkzeug.wrappers import Response

from greenrelay import inbox, send, spawn
from greenrelay.web import relay

events: list[str] = []
bp = Blueprint("pages", __name__)


@bp.get("/page")
def page() -> str:
    return "page"


@bp.before_request
def note() -> None:
    events.append("asked for a page")


@bp.errorhandler(404)
def no_page(error: Exception) -> tuple[str, int]:
    return "no such page", 404


@bp.app_template_filter()
def loud(text: str) -> str:
    return text.upper()


@bp.app_template_test()
def quiet(text: str) -> bool:
    return text.islower()


@bp.app_template_global()
def place() -> str:
    return "here"


@bp.get("/written")
def written() -> str:
    return render_template_string("{{ 'x' is quiet }} {{ 'x' | loud }} {{ place() }}")


@bp.get("/missing")
def missing() -> str:
    abort(404)


def one() -> str:
    return "one"


def other() -> str:
    return "other"


def echo() -> Response:
    return relay(spawn(answer))


def answer() -> None:
    for message in inbox():
        if message.topic == "ws.message":
            payload: Any = message.payload
            send(payload["client_pid"], "ws.send", payload["data"])


def service(name: str) -> None:
    """A service that says when it starts and when it ends."""
    events.append(f"{name} starts")
    try:
        for _ in inbox():
            pass
    finally:
        events.append(f"{name} ends")


def slow(flag: str) -> None:
    """A service that has not started before there is a file of that name."""
    print("slow is on its way", flush=True)
    while not Path(flag).exists():
        gevent.sleep(0.01)
    for _ in inbox():
        pass
