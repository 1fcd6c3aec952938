"""How a view says that its client is to be relayed, and what becomes of it if that fails.

Source: WebSocket Relay, "Relay command" and "Refusals before the upgrade".
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

from greenrelay.core.pid import Pid
from greenrelay.errors import UnknownName
from greenrelay.http.scope import note_target
from greenrelay.relay.command import RelayCommand, command_header
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.node import Node
from greenrelay.runtime.task import EXITING
from greenrelay.websocket.handshake import Refusal

if TYPE_CHECKING:
    from greenrelay.http.middleware.websocket_relay import RelayOptions

HEADER = "X-WS-Relay"
CANCEL_DEADLINE = 10.0
RETRY_AFTER = (("Retry-After", "2"),)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An upgrade that has passed every check: what to relay, to whom, and under which limits."""

    command: RelayCommand
    target: Pid
    options: RelayOptions


def relay(
    target_pid: str,
    *,
    message_topic: str = "ws.message",
    heartbeat_interval: float | str | None = None,
    metadata: Mapping[str, object] | None = None,
    subprotocols: Sequence[str] = (),
) -> Response:
    """Return the response that hands the client of this request to ``target_pid``.

    ``target_pid`` is a PID or a registered name, ``heartbeat_interval`` a duration (None: off),
    ``metadata`` is attached to every message, of ``subprotocols`` the first that the client
    offers is chosen. Raises InvalidRelayCommand.
    """
    header = command_header(
        target_pid,
        message_topic=message_topic,
        heartbeat_interval=heartbeat_interval,
        metadata=metadata,
        subprotocols=subprotocols,
    )
    note_target(target_pid)
    return Response(status=200, headers={HEADER: header})


def refuse(status: int, sentence: str, headers: Collection[tuple[str, str]] = ()) -> Response:
    """Return a refusal: a status and one sentence as plain text."""
    return Response(f"{sentence}\n", status, list(headers), mimetype="text/plain")


def refusal_response(refusal: Refusal) -> Response:
    """Return the response to a handshake that was refused."""
    return refuse(refusal.status, refusal.reason, refusal.headers)


def gone() -> Response:
    """Return the answer to an upgrade whose target is dead or unknown."""
    return Response('{"error": "target_gone"}\n', 503, mimetype="application/json")


def going_away() -> Response:
    """Return the answer to an upgrade while the server drains."""
    return refuse(503, "The server is going away.", RETRY_AFTER)


def find_target(node: Node, target_pid: str) -> Pid | None:
    """Return the PID of a live target, or None."""
    try:
        process = node.find(target_pid)
    except (UnknownName, ValueError):
        return None
    return process.pid if process is not None and process.state < EXITING else None


def cancel_orphan(
    node: Node,
    target: Pid | None,
    children: Mapping[Pid, str | None],
    request: FunctionProcess | None,
) -> None:
    """Cancel the target of an upgrade that failed, if it would be left with nobody.

    That is a target which this very request has spawned and nobody else has been told of: it has
    no name but the one it was spawned with, is in no group, has no link or monitor with another
    process, and the request has sent no message to anybody but it. Any other target is left alone.
    """
    if target is None or target not in children:
        return
    if set(node.names.names(target)) - {children[target]} or node.groups.joined(target):
        return
    topology = node.topology
    me = request.pid if request is not None else None
    others = {*topology.links(target), *topology.watchers(target)} - {me}
    if others or (request is not None and request.sent > _received(node, target)):
        return
    node.cancel(target, sender=None, deadline=CANCEL_DEADLINE, reason="no upgrade")


def _received(node: Node, target: Pid) -> int:
    process = node.processes.get(target)
    return process.received if process is not None else 0
