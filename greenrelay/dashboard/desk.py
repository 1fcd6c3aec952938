"""The process behind one open page: it answers what the page asks, over a relayed WebSocket.

Source: Operations, "Dashboard" ("It is itself a client of the relay"). Nothing is pushed: a page
that is not looked at asks nothing, and costs nothing. What comes is ::

    {"id": 7, "ask": "sockets", "with": {…}}            a question
    {"id": 8, "do": "close", "token": "…", "with": {…}} an order
    {"id": 7, "data": …} or {"id": 8, "error": "…"}     the answer
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from time import time
from typing import Any

from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.dashboard.actions import ACTIONS
from greenrelay.dashboard.asked import Asked, BadQuestion
from greenrelay.dashboard.cluster import cluster_of
from greenrelay.dashboard.observer import (
    OBSERVED,
    ask_abroad,
    ask_for_summaries,
    observers,
    process_abroad,
)
from greenrelay.dashboard.questions import question
from greenrelay.dashboard.reader import Reader
from greenrelay.dashboard.scope import Scope
from greenrelay.dashboard.session import is_password
from greenrelay.errors import GreenRelayError
from greenrelay.runtime.grouping import join
from greenrelay.runtime.messaging import pid, send, send_after
from greenrelay.runtime.node import Node
from greenrelay.runtime.server import RelayTarget, stop

log = logging.getLogger("greenrelay.dashboard")

# A page that has not come by then never will.
PATIENCE = 30.0
OVER = {"code": 1008, "reason": "session over"}


class Desk(RelayTarget):
    """Answers one page; ends with it, or with the session."""

    def init(self, scope: Scope) -> None:
        """Wait for the page."""
        self.scope = scope
        self.pid = pid()
        self.client: str | None = None
        self.reader = Reader(scope)
        # What other nodes have told of themselves, as far as they have.
        self._told: dict[str, dict[str, Any]] = {}
        join(_group(scope.token))
        send_after(PATIENCE, self.pid, "dashboard.nobody")

    def terminate(self, reason: str) -> None:
        """Look at nothing any more."""
        self.reader.close()

    # the relay's topics

    def on_join(self, payload: dict[str, Any]) -> object:
        """Say who answers."""
        client = self.client = str(payload["client_pid"])
        scope = self.scope
        log.info("%s: %s opened the dashboard as %s", client, scope.who or "-", scope.role)
        self.reader.lag.start()
        if scope.ends_at is not None:
            send_after(max(0.0, scope.ends_at - time()), self.pid, "dashboard.over")
        self._tell({"hello": {"role": scope.role, "node": scope.node.id, "you": client}})
        return None

    def on_leave(self, payload: dict[str, Any]) -> object:
        """End with the page."""
        return stop()

    def on_message(self, payload: dict[str, Any]) -> object:
        """Answer one question, or carry out one order."""
        number: object = None
        try:
            message = json.loads(payload["data"])
            if not isinstance(message, dict):
                raise BadQuestion("it must be a map")
            number = message.get("id")
            self._tell({"id": number, "data": self._answer(message)})
        except (BadQuestion, GreenRelayError, ValueError, TypeError) as error:
            self._tell({"id": number, "error": str(error)})
        except Exception as error:
            log.exception("%s: the dashboard could not answer", self.client)
            self._tell({"id": number, "error": f"it failed: {type(error).__name__}"})
        return None

    def on_other(self, message: Message) -> object:
        """Hear of a transfer, of the end of the session, and of a page that never came."""
        if message.topic == "dashboard.over" and self.client is not None:
            send(self.client, "ws.close", OVER)
        elif message.topic == "dashboard.nobody" and self.client is None:
            return stop()
        elif message.topic in ("ws.control.failed", "sse.control.failed"):
            self._tell({"notice": "The transfer failed: the target is gone."})
        elif message.topic == OBSERVED and isinstance(message.payload, dict) and message.sender:
            self._told[message.sender.node] = message.payload
        return None

    # answers

    def _answer(self, message: Mapping[str, object]) -> object:
        asked = Asked(message.get("with") or {})
        if "do" in message:
            return self._carry_out(message.get("do"), message.get("token"), asked)
        name, node = message.get("ask"), self.scope.node
        if name == "cluster":
            if node.cluster is not None:
                found = observers(node)
                self._told = {key: row for key, row in self._told.items() if key in found}
                ask_for_summaries(found.values())
            return cluster_of(node, self._told)
        where = asked.text("node", "") or _node_of(asked)
        if where in ("", node.id):
            return question(name)(self.reader, asked)
        if name == "process":
            return process_abroad(node, where, asked)
        return ask_abroad(node, where, name, asked.values())

    def _carry_out(self, name: object, token: object, asked: Asked) -> object:
        scope = self.scope
        action = ACTIONS.get(name) if isinstance(name, str) else None
        if action is None:
            raise BadQuestion(f"do: it must be one of {', '.join(ACTIONS)}")
        if not scope.may_act:
            raise BadQuestion("this dashboard is read-only")
        if not isinstance(token, str) or not is_password(token, scope.token):
            raise BadQuestion("token: it is not the one of this page; load the page again")
        said = action(self, asked)
        log.info("%s: %s did %s %s", self.client, scope.who or "-", name, asked.value("pid") or "")
        return {"said": said}

    def _tell(self, value: dict[str, Any]) -> None:
        if self.client is not None:
            send(self.client, "ws.send", {"type": "json", "data": value})


def _node_of(asked: Asked) -> str:
    """Return the node of the PID that is asked about; "" where none is."""
    pid = asked.text("pid", "")
    return Pid.parse(pid).node if pid[:1] == "{" else ""


def close_desks(node: Node, token: str) -> None:
    """Close the pages of a session that is over."""
    for each in node.groups.members(_group(token)):
        node.route(each, "dashboard.over")


def _group(token: str) -> str:
    # A group's name is for everybody to see, a token is not.
    return f"greenrelay.dashboard:{hashlib.sha256(token.encode()).hexdigest()[:12]}"
