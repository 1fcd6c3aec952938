"""The functions of process groups; ``greenrelay.process`` hands them on.

Source: Processes, "Functions", row join. ``dest`` is a PID, its text or a registered name; a group
is any text, and is there while it has members.
"""

from __future__ import annotations

import logging

from greenrelay.core.groups import check_group
from greenrelay.core.message import NO_CONTEXT, check_topic
from greenrelay.core.pid import Pid
from greenrelay.core.plain import check_plain
from greenrelay.runtime.abroad import (
    check_scope,
    process_at,
    require_cluster,
    require_wide,
)
from greenrelay.runtime.channel import GroupEvents
from greenrelay.runtime.current import current_node, current_process, require_process
from greenrelay.runtime.delivery import deliver_to_all
from greenrelay.runtime.node import Node

log = logging.getLogger("greenrelay.runtime")


def join(group: str, dest: str | None = None, scope: str = "cluster") -> None:
    """Make this process, or ``dest``, a member of ``group``; joined twice, it has to leave twice.

    Membership ends with the process. With the scope ``local`` no other node of a cluster sees it.
    A process of another node joins there, which is waited for. Raises ProcessDown when ``dest`` is
    gone, UnknownName, Timeout where its node does not answer, and ValueError for a scope that is
    none, or ``local`` for a process of another node, and for a group that is no text, empty, larger
    than 16 KiB, or no Unicode.
    """
    caller = require_process("join")
    check_scope(scope)
    process = process_at(caller, dest)
    if process.is_remote:
        check_group(group)
        require_wide(scope, process.pid)
        require_cluster(caller.node).enrol(process, "join", group)
        return
    caller.node.groups.join(group, process, is_local=scope == "local")


def leave(group: str) -> None:
    """Leave ``group`` once; raises NotMember."""
    process = require_process("leave")
    process.node.groups.leave(group, process.pid)


def members(group: str, scope: str = "cluster") -> tuple[Pid, ...]:
    """Return the members of ``group``, each once, those of this node first, in order of joining.

    In a cluster the first question after a group waits for the other nodes that have members, a
    second at most; with the scope ``local`` only members on this node count.
    """
    check_scope(scope)
    node = current_node("members")
    others = () if scope == "local" or not node.cluster else node.cluster.groups.members(group)
    return node.groups.members(group) + others


def groups(scope: str = "cluster") -> tuple[str, ...]:
    """Return the groups that have members, with the scope ``local`` members on this node."""
    check_scope(scope)
    node = require_process("groups").node
    mine = node.groups.names()
    others = () if scope == "local" or not node.cluster else node.cluster.groups.names()
    return tuple(dict.fromkeys(mine + others))


def watch(group: str, scope: str = "cluster") -> tuple[tuple[Pid, ...], GroupEvents]:
    """Return the members of ``group`` and a channel of Joined and Left from this moment on.

    ``close()`` of the channel stops watching, and so does the ending of this process. Each call
    is a watch of its own. It may wait as members does; with the scope ``local`` it is about the
    members on this node.
    """
    process = require_process("watch")
    check_scope(scope)
    node = process.node
    if scope == "local" or not node.cluster:
        return node.groups.watch(group, process, is_local=scope == "local")
    # What is asked first waits; what is asked again is there, and nothing comes in between.
    node.cluster.groups.members(group)
    mine, channel = node.groups.watch(group, process)
    return mine + node.cluster.groups.members(group, waits=False), channel


def broadcast(group: str, topic: str, payload: object = None, scope: str = "cluster") -> int:
    """Send a message to each member of ``group``; return how many took it.

    This process gets it too if it is a member. Members that are full or gone are passed by; where
    a host's overflow rule is ``block``, this waits for its members one after the other. In a
    cluster, members on other nodes count as soon as it is on its way to them; the scope ``local``
    leaves them out. Raises ReservedTopic, UnsendablePayload before anybody has got it where there
    are other nodes, and what a connection says of a bad payload once the others have got it.
    """
    check_topic(topic)
    check_scope(scope)
    process = current_process()
    node = process.node if process else current_node("broadcast")
    pids = node.groups.members(group)
    if node.strict_payloads:
        check_plain(payload)
    if node.is_foreign_thread():
        if scope != "local" and node.cluster is not None and group in node.cluster.groups.names():
            check_plain(payload)
        node.on_hub(_deliver_quietly, node, group, topic, payload, scope)
        return len(pids)
    sender, context = (None, NO_CONTEXT) if process is None else (process.pid, process.context)
    if process is not None:
        process.sent += len(pids)
        if process.outlet is not None:
            process.outlet(group, topic, payload)
    count = 0
    if scope != "local" and node.cluster is not None:
        count = node.cluster.groups.broadcast(group, topic, payload, sender, context)
    return count + deliver_to_all(node, pids, topic, payload, sender, context)


def _deliver_quietly(node: Node, group: str, topic: str, payload: object, scope: str) -> None:
    try:
        if scope != "local" and node.cluster is not None:
            node.cluster.groups.broadcast(group, topic, payload, None, NO_CONTEXT)
        deliver_to_all(node, node.groups.members(group), topic, payload)
    except Exception as error:
        log.warning("message %r to a group was lost for some: %s", topic, error)
