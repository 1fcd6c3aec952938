"""A bridge: one process follows an upstream WebSocket and fans it out to every browser.

What the bridge receives, and from whom:

=============  =============  ====================================================
topic          from           what it does
=============  =============  ====================================================
ws.join        a browser      it gets the last message and all that come
ws.join        the upstream   the browsers hear that it is there, or there again
ws.message     the upstream   every browser gets it
ws.leave       the upstream   the browsers hear that it is gone; the client comes back by itself
bridge.follow  itself         the first connection has failed: it is tried again
=============  =============  ====================================================

Browsers get ``{"topic": "bridge.state", "data": {"is_up": bool}}`` and the upstream's own text.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Any

from flask.typing import ResponseReturnValue

from app import views
from greenrelay import (
    Cancel,
    Message,
    broadcast,
    join,
    pid,
    receive,
    register,
    send,
    send_after,
)
from greenrelay.client import connect
from greenrelay.errors import ConnectionRefused, HandshakeFailed, Timeout
from greenrelay.web import relay

NAME = "bridge"
BROWSERS = "bridge.browsers"
UPSTREAM = "ws://127.0.0.1:8081/ticks"
RETRY = "1s"

log = logging.getLogger("app.bridge")


@dataclass(slots=True)
class State:
    """What the bridge knows: the upstream's client, whether it is up, and what it said last."""

    upstream: str | None = None
    is_up: bool = False
    last: object = None


def run() -> None:
    """Be the bridge until cancelled."""
    register(NAME)
    state = State()
    _follow(state)
    while True:
        match receive():
            case Message(topic="bridge.follow"):
                _follow(state)
            case Message(sender=sender, topic=topic, payload=payload) if sender == state.upstream:
                _on_upstream(state, topic, payload)
            case Message(topic="ws.join", payload=payload):
                _greet(state, payload)
            case Cancel():
                return


def page() -> ResponseReturnValue:
    """Answer with the page."""
    return views.asset("bridge.html")


def feed() -> ResponseReturnValue:
    """Open a WebSocket to the bridge."""
    return relay(NAME)


def _follow(state: State) -> None:
    url = os.environ.get("GREENRELAY_UPSTREAM", UPSTREAM)
    try:
        client = connect(
            url,
            relay_to=pid(),
            reconnect={"initial_delay": "200ms", "max_delay": "5s"},
            ping_interval="5s",
            ping_timeout="5s",
        )
    except (ConnectionRefused, HandshakeFailed, Timeout) as error:
        # Later losses are the client's to mend; before the first connection there is no client.
        log.warning("%s: no upstream yet: %s", pid(), error)
        send_after(RETRY, pid(), "bridge.follow")
    else:
        state.upstream = client.pid


def _on_upstream(state: State, topic: str, payload: Any) -> None:
    if topic == "ws.message":
        state.last = payload["data"]
        broadcast(BROWSERS, "ws.send", state.last)
    elif topic in ("ws.join", "ws.leave"):
        state.is_up = topic == "ws.join"
        log.info("%s: the upstream is %s: %s", pid(), topic, payload["reason"])
        broadcast(BROWSERS, "bridge.state", {"is_up": state.is_up})


def _greet(state: State, payload: Any) -> None:
    browser = payload["client_pid"]
    send(browser, "bridge.state", {"is_up": state.is_up})
    if state.last is not None:
        send(browser, "ws.send", state.last)
    join(BROWSERS, browser)
