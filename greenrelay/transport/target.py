"""The target of a connection or a stream: how it is found, what it is told, how it is left.

Source: WebSocket Relay, "Transfer" and "Topics from the relay to the target"; Server-sent Events
Relay, which has the same under other topics.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from greenrelay.core.pid import Pid
from greenrelay.core.plain import check_plain
from greenrelay.errors import (
    InboxFull,
    InvalidPid,
    InvalidRelayCommand,
    UnknownName,
    UnsendablePayload,
)
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import EXITING

if TYPE_CHECKING:
    from greenrelay.transport.life import Life
    from greenrelay.transport.stream import Stream

log = logging.getLogger("greenrelay.transport")


def find_target(relayed: Process, dest: str, control: str) -> Process | None:
    """Return whom a ``control`` of that topic names as the new target, None if it is gone.

    Raises InvalidRelayCommand for what is no PID and for ``relayed`` itself.
    """
    try:
        process = relayed.node.find(dest)
    except UnknownName:
        return None
    except InvalidPid as error:
        raise InvalidRelayCommand("target_pid", dest, f"is no PID: {error}", control) from None
    # One that was told to end takes no join any more.
    if process is None or process.state >= EXITING:
        return None
    if process is relayed:
        rule = f"must not be the {relayed.entry} itself"
        raise InvalidRelayCommand("target_pid", dest, rule, control)
    return process


def check_metadata(target: Process | None, metadata: Mapping[str, object], source: str) -> None:
    """Raise InvalidRelayCommand for metadata that cannot leave its node where the target is away.

    All that the relay sends has it, so nothing would arrive.
    """
    if target is None or not target.is_remote:
        return
    try:
        check_plain({"metadata": metadata})
    except UnsendablePayload as error:
        rule = f"must be able to leave its node: {error}"
        raise InvalidRelayCommand("metadata", metadata, rule, source) from None


def tell(relayed: Process, target: str, topic: str, payload: object) -> None:
    """Send what no inbox limit may refuse; a target that cannot take it loses it."""
    try:
        relayed.node.route_surely(Pid.parse(target), topic, payload, relayed.pid)
    except Exception:
        # The target is a connection itself, and the metadata is no JSON.
        log.exception("%s: %s was lost on the way to the target", relayed.pid, topic)


def tell_beat(relayed: Process, target: str, topic: str, payload: object) -> None:
    """Send a heartbeat, which a full inbox loses."""
    try:
        relayed.node.route(target, topic, payload, relayed.pid)
    except InboxFull:
        log.debug("%s: a heartbeat found the inbox of its target full", relayed.pid)


def leave(relayed: Life | Stream, target: str, topic: str, payload: object) -> None:
    """Monitor the target no more and tell it so, in the context of the join."""
    topology = relayed.node.topology
    for ref in topology.refs(relayed.pid, Pid.parse(target)):
        topology.unmonitor(ref)
    relayed.tell_target(topic, payload)


def answer_control(
    relayed: Process, requester: Pid | None, topic: str, target: str | None, reason: str = ""
) -> None:
    """Tell who sent a control what became of it; ``target`` is the one now, or that is gone."""
    if requester is None:
        return
    payload: dict[str, object] = {"client_pid": relayed.pid, "target_pid": target}
    if reason:
        payload["reason"] = reason
    relayed.node.route_surely(requester, topic, payload, relayed.pid)
