"""``ws.control``: a connection gets other options, or another target.

Source: WebSocket Relay, "Transfer". All of it happens between two messages of the client and
without a switch of greenlets, so a message read before it went to the old target and one read
after it goes to the new one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenrelay.core.message import Message
from greenrelay.relay.command import CONTROL, RelayControl, parse_control
from greenrelay.transport.target import answer_control, check_metadata, find_target, leave

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
        target = find_target(connection, wanted.target_pid, CONTROL)
        if target is None:
            failed, gone = f"{CONTROL}.failed", wanted.target_pid
            answer_control(connection, message.sender, failed, gone, "target_gone")
            return
    session = connection.session
    metadata = session.metadata if wanted.metadata is None else wanted.metadata
    check_metadata(target or connection.node.find(session.target_pid), metadata, CONTROL)
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
    answer_control(connection, message.sender, f"{CONTROL}.done", session.target_pid)


def leave_target(connection: Life, reason: str, code: int | None, clean: bool) -> None:
    """Monitor the target no more and send it ws.leave."""
    session = connection.session
    leave(connection, session.target_pid, "ws.leave", session.leave(reason, code, clean))


def _set_options(connection: Connection, wanted: RelayControl) -> None:
    session = connection.session
    if wanted.metadata is not None:
        session.metadata = wanted.metadata
    if wanted.message_topic is not None:
        session.message_topic = wanted.message_topic
    if wanted.has_heartbeat:
        connection.set_heartbeat(wanted.heartbeat_interval)
