"""What may be done from the page, each by a function: it returns a sentence of what was done.

Source: Operations, "Dashboard". Who may is asked before, in ``desk.py``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from greenrelay.dashboard.asked import Asked, BadQuestion
from greenrelay.dashboard.scope import Relayed, Scope
from greenrelay.runtime.messaging import spawn
from greenrelay.runtime.process import Process
from greenrelay.transport.connection import Connection

if TYPE_CHECKING:
    from greenrelay.dashboard.desk import Desk

log = logging.getLogger("greenrelay.dashboard")

MAX_DATA = 32_000
CANCEL_SECONDS = 10.0
Action = Callable[["Desk", Asked], str]


def close(desk: Desk, asked: Asked) -> str:
    """Close a socket with a code and a reason; a stream has a reason only."""
    relayed = _relayed(desk.scope, asked)
    reason = asked.text("reason", "", 120)
    topic, said = "sse.close", "Closing the stream."
    payload: dict[str, object] = {"reason": reason}
    if isinstance(relayed, Connection):
        payload["code"] = code = asked.number("code", 1000, 1000, 4999)
        topic, said = "ws.close", f"Closing with {code}."
    if not desk.scope.node.route(relayed.pid, topic, payload):
        raise BadQuestion("it closes already; it can only be killed")
    return said


def kill(desk: Desk, asked: Asked) -> str:
    """End a process at once; of a socket TCP is cut."""
    process = _process(desk.scope, asked)
    if process.pid == desk.pid or process.pid == desk.client:
        raise BadQuestion("this is the dashboard you look at: close the page instead")
    desk.scope.node.terminate(process.pid, "killed")
    return "Killed."


def cancel(desk: Desk, asked: Asked) -> str:
    """Ask a process to end, and kill it if it has not by then."""
    process = _process(desk.scope, asked)
    desk.scope.node.cancel(
        process.pid, sender=None, deadline=CANCEL_SECONDS, reason="asked to by the dashboard"
    )
    return f"Asked to end within {CANCEL_SECONDS:.0f} seconds."


def send(desk: Desk, asked: Asked) -> str:
    """Send a text to the client of a socket, or an event to that of a stream."""
    relayed, text = _relayed(desk.scope, asked), asked.text("text", limit=MAX_DATA)
    is_socket = isinstance(relayed, Connection)
    topic = "ws.send" if is_socket else relayed.session.message_topic or "message"
    payload: object = {"type": "text", "data": text} if is_socket else text
    if not desk.scope.node.route(relayed.pid, topic, payload):
        raise BadQuestion("the socket closes: nothing was sent")
    return "Sent."


def post(desk: Desk, asked: Asked) -> str:
    """Send a message to a process, as nobody."""
    process, topic = _process(desk.scope, asked), asked.text("topic")
    text = asked.text("payload", "null", MAX_DATA)
    try:
        payload = json.loads(text)
    except ValueError as error:
        raise BadQuestion(f"payload: it must be JSON: {error}") from error
    if not desk.scope.node.route(process.pid, topic, payload):
        raise BadQuestion("the process ends: it took nothing")
    return "Sent."


def transfer(desk: Desk, asked: Asked) -> str:
    """Hand a socket to another target; its answer comes as a message to the desk."""
    relayed = _relayed(desk.scope, asked)
    target = desk.scope.node.find(asked.text("target"))
    if target is None:
        raise BadQuestion("target: there is no such process (any more)")
    topic = "ws.control" if isinstance(relayed, Connection) else "sse.control"
    desk.scope.node.route(relayed.pid, topic, {"target_pid": str(target.pid)}, desk.pid)
    return f"Handed to {target.pid}."


def drain(desk: Desk, asked: Asked) -> str:
    """Close every socket of this worker, spread over the drain period, and refuse new ones."""
    states = desk.scope.states()
    if any(state.connections.is_draining for state in states):
        raise BadQuestion("this worker drains already")
    found = sum(len(state.connections) for state in states)
    spawn(_drain, desk.scope)
    return f"Moving {found} sockets off this worker."


def _drain(scope: Scope) -> None:
    for state in scope.states():
        state.drain()


ACTIONS: Mapping[str, Action] = {
    "close": close,
    "kill": kill,
    "cancel": cancel,
    "send": send,
    "post": post,
    "transfer": transfer,
    "drain": drain,
}


def _process(scope: Scope, asked: Asked) -> Process:
    process = scope.node.find(asked.text("pid"))
    if process is None:
        raise BadQuestion("there is no such process (any more)")
    return process


def _relayed(scope: Scope, asked: Asked) -> Relayed:
    relayed = scope.find(asked.text("pid"))
    if relayed is None:
        raise BadQuestion("this socket is over")
    return relayed
