"""What can be seen of a process from outside.

Source: Processes, "Functions", row info.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from greenrelay.core.pid import Pid
from greenrelay.core.strategy import ChildInfo
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.reaper import stack_of
from greenrelay.runtime.task import STATE_NAMES


@dataclass(frozen=True, slots=True)
class ProcessInfo:
    """One process at one moment; ``age`` is in seconds, depths and counts are in messages.

    ``dropped`` counts what its full inbox threw away. ``child`` is what its supervisor says of it,
    ``children`` what it says of its own, if it is one: services among them, in any state.
    ``stack`` is the text of its greenlet's stack, or None when it was not asked for.
    """

    pid: Pid
    entry: str
    host: str
    state: str
    age: float
    depth: int
    high_water: int
    links: tuple[Pid, ...]
    monitors: tuple[Pid, ...]
    monitored_by: tuple[Pid, ...]
    names: tuple[str, ...]
    messages_in: int
    messages_out: int
    trap_links: bool
    groups: tuple[str, ...] = ()
    dropped: int = 0
    child: ChildInfo | None = None
    children: tuple[ChildInfo, ...] = ()
    stack: str | None = field(default=None, repr=False)


def describe(process: Process, *, stack: bool = False) -> ProcessInfo:
    """Return what is to be seen of ``process`` now."""
    node, pid = process.node, process.pid
    return ProcessInfo(
        pid=pid,
        entry=process.entry,
        host=process.host.id,
        state=STATE_NAMES[process.state],
        age=process.node.timers.now() - process.born_at,
        depth=process.depth(),
        high_water=process.high_water(),
        links=node.topology.links(pid),
        monitors=node.topology.watching(pid),
        monitored_by=node.topology.watchers(pid),
        names=node.names.names(pid) + (node.cluster.names.names(pid) if node.cluster else ()),
        messages_in=process.received,
        messages_out=process.sent,
        trap_links=process.trap_links,
        groups=node.groups.joined(pid),
        dropped=process.dropped,
        child=_as_child(node, pid),
        children=node.supervisors[pid].infos() if pid in node.supervisors else (),
        stack=stack_of(process.greenlet) if stack else None,
    )


def _as_child(node: Node, pid: Pid) -> ChildInfo | None:
    children = node.supervised.get(pid)
    member = children.by_pid.get(pid) if children is not None else None
    return member.info() if member is not None else None
