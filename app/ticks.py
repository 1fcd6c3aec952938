"""The other end of the bridge: a server that tells every client the time, once a second.

``greenrelay run upstream.yaml`` serves it. Stop it and start it again while the bridge runs.
"""

from __future__ import annotations

from datetime import UTC, datetime

from flask.typing import ResponseReturnValue

from greenrelay import Cancel, Message, broadcast, join, receive, register, send_after
from greenrelay.web import relay

NAME = "ticks"
GROUP = "ticks.clients"
INTERVAL = "1s"


def run() -> None:
    """Tell the time to whoever is there, until cancelled."""
    register(NAME)
    send_after(0, NAME, "tick")
    number = 0
    while True:
        match receive():
            case Message(topic="ws.join", sender=sender) if sender is not None:
                join(GROUP, sender)
            case Message(topic="tick"):
                number += 1
                send_after(INTERVAL, NAME, "tick")
                broadcast(GROUP, "ws.send", f"{number} {datetime.now(UTC):%H:%M:%S}")
            case Cancel():
                return


def ticks() -> ResponseReturnValue:
    """Open a WebSocket to the clock."""
    return relay(NAME)
