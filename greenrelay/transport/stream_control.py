"""``sse.control``: a stream gets other options, or another target, or none.

Source: Server-sent Events Relay; WebSocket Relay, "Transfer". All of it happens without a switch
of greenlets, so no event of another process comes between the old options and the new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from greenrelay.core.message import Message
from greenrelay.relay.sse_command import CONTROL, StreamControl, parse_stream_control
from greenrelay.transport.target import answer_control, check_metadata, find_target, leave

if TYPE_CHECKING:
    from greenrelay.transport.stream import Stream


def control(stream: Stream, message: Message) -> None:
    """Do what ``message`` asks and tell its sender ``sse.control.done`` or ``.failed``.

    Raises InvalidRelayCommand for a bad payload; then, and when the new target is gone, nothing
    has changed.
    """
    wanted = parse_stream_control(message.payload)
    target = None
    if wanted.target_pid is not None:
        target = find_target(stream, wanted.target_pid, CONTROL)
        if target is None:
            failed, gone = f"{CONTROL}.failed", wanted.target_pid
            answer_control(stream, message.sender, failed, gone, "target_gone")
            return
    old, new = stream.session.target_pid, None if target is None else target.pid
    is_moved = "target_pid" in wanted.given and new != old
    metadata = wanted.metadata if "metadata" in wanted.given else stream.session.metadata
    remaining = new if "target_pid" in wanted.given else old
    if remaining is not None:
        check_metadata(stream.node.find(remaining), metadata, CONTROL)
    if is_moved:
        leave_target(stream, "transfer", clean=True)
    _set_options(stream, wanted)
    if is_moved:
        stream.session.target_pid = new
        if new is not None:
            stream.node.monitor(stream, new)
            stream.tell_target("sse.join", stream.session.join("transfer"))
    answer_control(stream, message.sender, f"{CONTROL}.done", stream.session.target_pid)


def leave_target(stream: Stream, reason: str, *, clean: bool) -> None:
    """Monitor the target no more and send it sse.leave, if there is one."""
    session = stream.session
    if session.target_pid is not None:
        leave(stream, session.target_pid, "sse.leave", session.leave(reason, clean))


def _set_options(stream: Stream, wanted: StreamControl) -> None:
    session, clock, given = stream.session, stream.clock, wanted.given
    if "metadata" in given:
        session.metadata = wanted.metadata
    if "message_topic" in given:
        session.message_topic = wanted.message_topic
    if "next_id" in given:
        session.next_id = wanted.next_id
    if "heartbeat_interval" in given:
        clock.set_heartbeat(wanted.heartbeat_interval)
    if "idle_timeout" in given:
        clock.set_idle_timeout(wanted.idle_timeout)
    if "hard_timeout" in given:
        clock.set_hard_timeout(wanted.hard_timeout)
