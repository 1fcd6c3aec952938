"""The functions of process groups; ``greenrelay.process`` hands them on.

Source: Processes, "Functions", row join. ``dest`` is a PID, its text or a registered name; a group
is any text, and is there while it has members.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from greenrelay.core.events import NOPROC
from greenrelay.core.message import NO_CONTEXT, Message, check_topic
from greenrelay.core.pid import Pid
from greenrelay.errors import InboxFull, ProcessDown
from greenrelay.runtime.channel import GroupEvents
from greenrelay.runtime.current import current_node, current_process, require_process
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process

log = logging.getLogger("greenrelay.runtime")


def join(group: str, dest: str | None = None) -> None:
    """Make this process, or ``dest``, a member of ``group``; joined twice, it has to leave twice.

    Membership ends with the process. Raises ProcessDown when ``dest`` is gone, UnknownName, and
    ValueError for a group that is no text or empty.
    """
    caller = require_process("join")
    process: Process | None = caller if dest is None else caller.node.find(dest)
    if process is None:
        raise ProcessDown(str(dest), NOPROC)
    caller.node.groups.join(group, process)


def leave(group: str) -> None:
    """Leave ``group`` once; raises NotMember."""
    process = require_process("leave")
    process.node.groups.leave(group, process.pid)


def members(group: str) -> tuple[Pid, ...]:
    """Return the members of ``group`` in order of joining, each once."""
    return current_node("members").groups.members(group)


def groups() -> tuple[str, ...]:
    """Return the groups of this process's node that have members."""
    return require_process("groups").node.groups.names()


def watch(group: str) -> tuple[tuple[Pid, ...], GroupEvents]:
    """Return the members of ``group`` and a channel of Joined and Left from this moment on.

    ``close()`` of the channel stops watching, and so does the ending of this process. Each call
    is a watch of its own.
    """
    process = require_process("watch")
    return process.node.groups.watch(group, process)


def broadcast(group: str, topic: str, payload: object = None) -> int:
    """Send a message to each member of ``group``; return how many took it.

    This process gets it too if it is a member. Members that are full or gone are passed by; where
    a host's overflow rule is ``block``, this waits for its members one after the other. Raises
    ReservedTopic, and what a connection says of a bad payload once the others have got it.
    """
    check_topic(topic)
    process = current_process()
    node = process.node if process else current_node("broadcast")
    pids = node.groups.members(group)
    if process is not None:
        process.sent += len(pids)
        return _deliver(node, pids, topic, payload, process.pid, process.context)
    if node.is_foreign_thread():
        node.on_hub(_deliver_quietly, node, pids, topic, payload)
        return len(pids)
    return _deliver(node, pids, topic, payload)


def _deliver(
    node: Node,
    pids: Sequence[Pid],
    topic: str,
    payload: object,
    sender: Pid | None = None,
    context: Mapping[str, object] = NO_CONTEXT,
) -> int:
    message = Message(topic, payload, sender, context)
    # Each connection among them sends the same bytes: see Message.
    message.frame = b""
    count = 0
    refusal: Exception | None = None
    for pid in pids:
        member = node.processes.get(pid)
        if member is None:
            continue
        try:
            count += member.deliver(message)
        except InboxFull:
            continue
        except Exception as error:
            refusal = refusal or error
    if refusal is not None:
        raise refusal
    return count


def _deliver_quietly(node: Node, pids: Sequence[Pid], topic: str, payload: object) -> None:
    try:
        _deliver(node, pids, topic, payload)
    except Exception as error:
        log.warning("message %r to a group was lost for some: %s", topic, error)
