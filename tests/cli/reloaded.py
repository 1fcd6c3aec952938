"""Views, a blueprint and services for configurations that are read again while they are served.

As a program it serves the file it is given, as ``greenrelay run`` does, and heeds SIGHUP.
"""

from __future__ import annotations

import sys
from typing import Any

if __name__ == "__main__":
    from gevent import monkey

    monkey.patch_all()

import gevent
from flask import Blueprint, abort
from werkzeug.wrappers import Response

from greenrelay import inbox, send, spawn
from greenrelay.cli.hangup import Hangup
from greenrelay.extension import create_apps
from greenrelay.http.state import state_of
from greenrelay.transport.server import Server
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


def serve(path: str) -> None:
    """Serve ``path`` until SIGTERM."""
    apps = create_apps(path)
    hangup = Hangup(apps)
    server = Server(apps[0])
    server.start()
    state_of(apps[0]).start()
    print(f"serves on {server.url}", flush=True)
    try:
        gevent.get_hub().join()
    finally:
        hangup.stop()


if __name__ == "__main__":
    serve(sys.argv[1])
