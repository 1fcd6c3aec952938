"""A message to a group, on its way to the members on other nodes, and come from one.

Source: Cluster, "Rules", first row. One frame for each node with members, on the same session as
all else: what a process broadcasts and what it sends arrive in order. The frames have all in common
but their numbers, so that is packed once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from greenrelay.cluster import wire
from greenrelay.cluster.carried import context_of, dump_context
from greenrelay.cluster.wire import Frame, Kind
from greenrelay.core.message import check_topic
from greenrelay.core.pid import Pid
from greenrelay.runtime.delivery import deliver_to_all

if TYPE_CHECKING:
    from greenrelay.cluster.link import Link
    from greenrelay.cluster.mesh import Mesh

log = logging.getLogger("greenrelay.cluster")
_BROADCAST = int(Kind.BROADCAST)


def send_to_nodes(
    mesh: Mesh,
    counts: Mapping[str, int],
    group: str,
    topic: str,
    payload: object,
    sender: Pid | None,
    context: Mapping[str, object],
) -> int:
    """Send a message to the members on the nodes of ``counts``; return how many those are.

    Raises UnsendablePayload before any node has got it.
    """
    carried = dump_context(context)[0] if context else None
    source = "" if sender is None else str(sender)
    rest = wire.pack_rest(wire.exact(group), source, wire.exact(topic), 0, carried, payload)
    taken = 0
    for node, count in counts.items():
        link = mesh.links[node]
        if link.session.is_full:
            mesh.count("ring_full")
        elif link.post_rest(_BROADCAST, rest):
            taken += count
    return taken


def on_broadcast(link: Link, frame: Frame) -> None:
    """Hand a message of another node to the members here."""
    mesh = link.mesh
    node = mesh.node
    pids = node.groups.shown(frame.to)
    topic = frame.topic
    if not topic or topic[0] == "@":
        check_topic(topic)
    sender = link.pid(frame.sender) if frame.sender else None
    payload = wire.load(frame.payload)
    try:
        count = deliver_to_all(node, pids, topic, payload, sender, context_of(frame))
    except (TypeError, ValueError) as error:
        mesh.count("refused")
        log.warning("a message to group %r from %s: %s", frame.to, link.member.node, error)
        return
    if count < len(pids):
        mesh.count("inbox_full", len(pids) - count)
