"""``ws.control``: a connection gets other options, or another target.

Source: WebSocket Relay, "Transfer". All of it happens between two messages of the client and
without a switch of greenlets, so a message read before it went to the old target and one read
after it goes to the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.errors import InvalidPid, InvalidRelayCommand, UnknownName
from greenrelay.relay.command import RelayControl, parse_control
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import EXITING

if TYPE_CHECKING:
    from greenrelay.transport.connection import Connection
    from greenrelay.transport.life import Life


def control(connection: Connection, message: Message) -> None:
    """Do what ``message`` asks and tell its sender ``ws.control.done`` or ``.failed``.

    Raises InvalidRelayCommand for a bad payload; then, and when the new target is gone, nothing
    has changed.
    """
    wanted = parse_control(message.payload)
    target = None
    if wanted.target_pid is not None:
        target = _find(connection, wanted.target_pid)
        if target is None:
            _tell(connection, message.sender, "failed", wanted.target_pid, "target_gone")
            return
        if target is connection:
            rule = "must not be the connection itself"
            raise InvalidRelayCommand("target_pid", wanted.target_pid, rule, "ws.control")
    session = connection.session
    if target is not None and target.pid != session.target_pid:
        leave_target(connection, "transfer", None, True)
        _set_options(connection, wanted)
        session.target_pid = target.pid
        connection.node.monitor(connection, target.pid)
        connection.tell_target("ws.join", session.join("transfer"))
        if connection.backlog is not None:
            connection.backlog.hand_on_soon()
    else:
        _set_options(connection, wanted)
    _tell(connection, message.sender, "done", session.target_pid)


def leave_target(connection: Life, reason: str, code: int | None, clean: bool) -> None:
    """Monitor the target no more and send it ws.leave."""
    node, session = connection.node, connection.session
    for ref in node.topology.refs(connection.pid, Pid.parse(session.target_pid)):
        node.topology.unmonitor(ref)
    connection.tell_target("ws.leave", session.leave(reason, code, clean))


def _find(connection: Connection, dest: str) -> Process | None:
    try:
        process = connection.node.find(dest)
    except UnknownName:
        return None
    except InvalidPid as error:
        raise InvalidRelayCommand("target_pid", dest, f"is no PID: {error}", "ws.control") from None
    # One that was told to end takes no ws.join any more.
    return process if process is not None and process.state < EXITING else None


def _set_options(connection: Connection, wanted: RelayControl) -> None:
    session = connection.session
    if wanted.metadata is not None:
        session.metadata = wanted.metadata
    if wanted.message_topic is not None:
        session.message_topic = wanted.message_topic
    if wanted.has_heartbeat:
        connection.set_heartbeat(wanted.heartbeat_interval)


def _tell(
    connection: Connection, requester: Pid | None, outcome: str, target: str, reason: str = ""
) -> None:
    if requester is None:
        return
    payload: dict[str, object] = {"client_pid": connection.pid, "target_pid": target}
    if reason:
        payload["reason"] = reason
    connection.node.route_surely(requester, f"ws.control.{outcome}", payload, connection.pid)
