"""The vault: a process for one visitor, who had to show a token to get there.

What a vault receives, and from whom:

=============  ================  =============================================
topic          from              payload
=============  ================  =============================================
ws.join        the connection    client_pid
ws.message     the connection    data: a text to be kept
ws.leave       the connection    code, reason
=============  ================  =============================================

Who the visitor is, nobody has to tell it: the actor of the request goes along into the process
that the request has spawned. When the token is over or revoked the relay closes the connection with
1008, and ``ws.leave`` ends the vault.
"""

from __future__ import annotations

import logging
from typing import Any

from app.post import post
from greenrelay import Cancel, Message, Timeout, pid, receive
from greenrelay.web import current_actor

JOIN_TIMEOUT = "10s"
KEPT = 20
"""How many texts it keeps, the newest of them."""

log = logging.getLogger("app.vault")


def run() -> None:
    """Be the vault of the visitor who joins."""
    try:
        join: Any = receive("ws.join", timeout=JOIN_TIMEOUT).payload
    except Timeout:
        return
    client = str(join["client_pid"])
    actor = current_actor()
    if actor is None:
        # The firewall lets nobody in without one.
        return
    welcome = {"id": actor.id, "expires_at": actor.expires_at, "pid": pid()}
    post(client, "vault.welcome", welcome)
    _keep(client)


def _keep(client: str) -> None:
    kept: list[str] = []
    while True:
        match receive():
            case Message(topic="ws.message", payload=payload):
                kept = [str(_field(payload, "data"))[:200], *kept][:KEPT]
                post(client, "vault.kept", kept)
            case Message(topic="ws.leave", payload=payload):
                code, reason = _field(payload, "code"), _field(payload, "reason")
                log.info("%s: closed with %s %s", pid(), code, reason)
                return
            case Cancel():
                return


def _field(payload: Any, name: str) -> object:
    found: object = payload[name]
    return found
