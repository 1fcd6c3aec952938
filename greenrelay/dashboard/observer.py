"""What each node of a cluster tells the dashboards of the others.

Source: Operations, "Dashboard"; Cluster. One process of each node is in the group
``greenrelay.observers`` while the node has a dashboard, which a reload may bring or take away. It
answers calls with the topic ``observe``, whose payload is that of a page's question, and a message
``observe.summary`` with ``observed``. The nodes of a cluster trust each other, so it asks for no
password; it changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice
from typing import Any

from greenrelay.cluster.local import LOCAL
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.dashboard.asked import Asked, BadQuestion
from greenrelay.dashboard.processes import details_of
from greenrelay.dashboard.questions import question
from greenrelay.dashboard.reader import Reader
from greenrelay.dashboard.scope import Scope, states_of
from greenrelay.errors import GreenRelayError
from greenrelay.runtime.grouping import join, leave, members
from greenrelay.runtime.messaging import call, send
from greenrelay.runtime.node import Node
from greenrelay.runtime.relations import info
from greenrelay.runtime.server import Server

GROUP = NAME = "greenrelay.observers"
ASK, SUMMARY, OBSERVED, WANTED = "observe", "observe.summary", "observed", "observe.wanted"
MAX_GROUPS = 200
# For each node, when somebody waits for all of them.
PATIENCE = 2.0
Row = dict[str, Any]


class Observer(Server):
    """Answers the dashboards of other nodes."""

    is_found = False

    def init(self, scope: Scope) -> None:
        """Be found by the others."""
        self.reader = Reader(scope)
        self._be_found(True)

    def terminate(self, reason: str) -> None:
        """Look at nothing any more."""
        self.reader.close()

    def handle_message(self, message: Message) -> object:
        """Send the sum of this node to whoever asks; hear whether it is to be found."""
        if message.topic == WANTED:
            self._be_found(message.payload is True)
        elif message.topic == SUMMARY and message.sender is not None:
            with suppress(GreenRelayError):
                send(message.sender, OBSERVED, summary(self.reader.scope.node))
        return None

    def handle_call(self, message: Message) -> object:
        """Answer a question; a bad one is an answer with an ``error``."""
        if message.topic == SUMMARY:
            return summary(self.reader.scope.node)
        try:
            asked = Asked(message.payload)
            return {"data": question(asked.text("ask"))(self.reader, Asked(asked.value("with")))}
        except BadQuestion as error:
            return {"error": str(error)}

    def _be_found(self, is_wanted: bool) -> None:
        if is_wanted and not self.is_found:
            join(GROUP)
        elif self.is_found and not is_wanted:
            leave(GROUP)
        self.is_found = is_wanted


def observe(scope: Scope, *, is_wanted: bool = True) -> None:
    """Let the dashboards of other nodes ask about this one, if there are others, or no more."""
    node = scope.node
    observer = node.names.owner(NAME)
    is_member = any(each.engine != LOCAL for each in scope.in_force().clusters)
    if observer is not None:
        # By a message, so that whoever changes his mind is heard in that order.
        node.route(observer, WANTED, is_wanted)
    elif is_wanted and (is_member or node.cluster is not None):
        node.spawn(Observer, scope, name=NAME)


def summary(node: Node) -> Row:
    """Return what a list of nodes shows of one."""
    groups = node.groups
    return {
        "node": node.id,
        "worker": os.getpid(),
        "processes": len(node.processes),
        "sockets": sum(len(state.connections) for state in states_of(node)),
        "is_draining": any(state.connections.is_draining for state in states_of(node)),
        "groups": {name: len(groups.members(name)) for name in islice(groups.names(), MAX_GROUPS)},
        "group_count": len(groups.names()),
    }


def observers(node: Node) -> dict[str, Pid]:
    """Return who answers for each other node; may wait, the first time."""
    return {pid.node: pid for pid in members(GROUP) if pid.node != node.id}


def ask_abroad(node: Node, where: str, name: object, values: Row) -> Any:
    """Return what another node answers to a question; waits. Raises BadQuestion."""
    observer = observers(node).get(where)
    if observer is None:
        raise BadQuestion(f"node {where} is not there, or has no dashboard that could tell of it")
    # What goes over its sockets is shown by its own pages.
    told = {key: each for key, each in values.items() if key != "tail"}
    answer = call(observer, ASK, {"ask": name, "with": told})
    if not isinstance(answer, dict) or "data" not in answer:
        raise BadQuestion(str(answer.get("error") if isinstance(answer, dict) else answer))
    return answer["data"]


def process_abroad(node: Node, where: str, asked: Asked) -> Row:
    """Return a process of another node, also of one without a dashboard; waits."""
    if where in observers(node):
        found: Row = ask_abroad(node, where, "process", asked.values())
        return found
    seen = info(Pid.parse(asked.text("pid")), stack=True)
    return {"process": None if seen is None else details_of(node, seen), "seen": [], "missed": 0}


def summaries(node: Node) -> list[Row]:
    """Return the sum of each other node that answers; waits, so it is for a process."""
    found: list[Row] = []
    for observer in observers(node).values():
        with suppress(GreenRelayError):
            found.append(call(observer, SUMMARY, timeout=PATIENCE))
    return found


def ask_for_summaries(observing: Iterable[Pid]) -> None:
    """Ask each for its sum; the answers come as messages, ``observed``, to who asks."""
    for pid in observing:
        with suppress(GreenRelayError):
            send(pid, SUMMARY)
