"""Processes: rows of a list and of the tree, and all that is to be seen of one.

Source: Operations, "Dashboard".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from greenrelay.core.events import Cancel, Event
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.dashboard.shown import short, short_map
from greenrelay.dashboard.walk import in_order, strides
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.info import ProcessInfo, describe
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import STATE_NAMES

Row = dict[str, Any]
ORDERS = ("tree", "oldest", "newest", "inbox", "growth", "in", "out")
# How many of those that a process is related with a row shows, and its own page.
RELATED, ALL_RELATED = 4, 200
UNREAD = 50
MAX_SERVICES = 5000


@dataclass(slots=True)
class Depths:
    """How inboxes have grown between two looks at them, in messages a second."""

    _at: float = 0.0
    _depths: dict[str, int] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)

    def look(self, processes: list[Process], now: float) -> None:
        """Compare with the last look, unless that was just now."""
        seconds = now - self._at
        if seconds < 0.5:
            return
        depths: dict[str, int] = {}
        for process in strides(processes):
            depth = process.depth()
            if depth:
                depths[process.pid] = depth
        before, is_first = self._depths, not self._at
        self._at, self._depths = now, depths
        pids = () if is_first else {*before, *depths}
        changes = {pid: (depths.get(pid, 0) - before.get(pid, 0)) / seconds for pid in pids}
        self.growth = {pid: change for pid, change in changes.items() if change}


_KEYS: dict[str, Callable[[Process], float]] = {
    "inbox": lambda each: -each.depth(),
    "in": lambda each: -each.received,
    "out": lambda each: -each.sent,
}


@dataclass(slots=True)
class Found:
    """PIDs in order, and how deep in the tree they stand, for those that are not at its top.

    No pairs: ten thousand new tuples, again and again, would set the garbage collector off.
    """

    pids: list[str] = field(default_factory=list)
    levels: dict[str, int] = field(default_factory=dict)


def find(node: Node, text: str, order: str, growth: Mapping[str, float]) -> Found:
    """Return the processes that hold ``text``; it lets others run meanwhile.

    In the order "tree" a child stands below its supervisor.
    """
    wanted, found = text.lower(), Found()
    if order == "tree":
        rows = _tree(node)
    else:
        rows = ((0, process) for process in _ordered(node, order, growth))
    for level, process in strides(rows):
        if not wanted or wanted in _texts(process).lower():
            found.pids.append(process.pid)
            if level:
                found.levels[process.pid] = level
    return found


def _ordered(node: Node, order: str, growth: Mapping[str, float]) -> list[Process]:
    found = list(node.processes.values())
    if order == "newest":
        return found[::-1]
    key = (lambda each: -growth.get(each.pid, 0.0)) if order == "growth" else _KEYS.get(order)
    if key is None:
        return found
    keys = [key(each) for each in strides(found)]
    return [found[index] for index in in_order(keys)]


def _texts(process: Process) -> str:
    # One text in place of several, which would take twice as long to look through.
    node, pid = process.node, process.pid
    more = *node.names.names(pid), *node.groups.joined(pid)
    return "\n".join((pid, process.entry, process.host.id, *more))


def _tree(node: Node) -> Iterator[tuple[int, Process]]:
    """Yield supervisors with their children, then all others."""
    tops = [pid for pid in node.supervisors if pid not in node.supervised]
    seen: set[str] = set()
    for pid in tops:
        yield from _below(node, pid, 0, seen)
    for process in list(node.processes.values()):
        if process.pid not in seen:
            yield 0, process


def _below(node: Node, pid: Pid, level: int, seen: set[str]) -> Iterator[tuple[int, Process]]:
    process = node.processes.get(pid)
    if process is None or pid in seen:
        return
    seen.add(pid)
    yield level, process
    supervisor = node.supervisors.get(pid)
    children = () if supervisor is None else supervisor.members.values()
    for child in [each.pid for each in children]:
        if child is not None:
            yield from _below(node, child, level + 1, seen)


def row(process: Process, level: int, growth: Mapping[str, float]) -> Row:
    """Return what a list shows of one."""
    node, pid = process.node, process.pid
    links, monitors = node.topology.links(pid), node.topology.watching(pid)
    return {
        "pid": pid,
        "level": level,
        "entry": process.entry,
        "host": process.host.id,
        "state": STATE_NAMES[process.state],
        "age": node.timers.now() - process.born_at,
        "inbox": process.depth(),
        "growth": growth.get(pid, 0.0),
        "messages_in": process.received,
        "messages_out": process.sent,
        "dropped": process.dropped,
        "names": node.names.names(pid)[:RELATED],
        "links": links[:RELATED],
        "link_count": len(links),
        "monitors": monitors[:RELATED],
        "monitor_count": len(monitors),
        "is_supervisor": pid in node.supervisors,
    }


def details(process: Process) -> Row:
    """Return all that is to be seen of one, its stack and what it has not read too."""
    shown = details_of(process.node, describe(process, stack=True))
    shown["context"] = short_map(process.context)
    shown["unread"] = _unread(process)
    shown["events"] = _events(process)
    return shown


def details_of(node: Node, found: ProcessInfo) -> Row:
    """Return what is to be seen of one by what ``info`` says of it, also on another node."""
    shown: Row = {name: getattr(found, name) for name in type(found).__dataclass_fields__}
    for name in ("links", "monitors", "monitored_by"):
        shown[name] = [_related(node, each) for each in getattr(found, name)[:ALL_RELATED]]
        shown[f"{name}_count"] = len(getattr(found, name))
    shown["child"] = None if found.child is None else _child(found.child)
    shown["children"] = [_child(each) for each in found.children[:ALL_RELATED]]
    shown["children_count"] = len(found.children)
    return {**shown, "context": {}, "unread": [], "events": []}


def _related(node: Node, pid: Pid) -> Row:
    process = node.processes.get(pid)
    names = node.names.names(pid)
    return {
        "pid": pid,
        "entry": process.entry if process is not None else "",
        "name": names[0] if names else "",
    }


def _child(found: Any) -> Row:
    return {
        "id": found.id,
        "state": found.state.value,
        "pid": found.pid,
        "restarts": found.restarts,
        "reason": found.reason,
    }


def _unread(process: Process) -> list[Row]:
    """Return the first messages of its inbox."""
    mailbox = process._mailbox if isinstance(process, FunctionProcess) else None
    if mailbox is None:
        return []
    messages = mailbox.messages
    found: list[Row] = []
    for index in range(min(UNREAD, len(messages))):
        message: Message = messages[index]
        found.append(
            {"topic": message.topic, "sender": message.sender, "payload": short(message.payload)}
        )
    return found


def _events(process: Process) -> list[Row]:
    """Return the last of the lifecycle events that it has not read, in order of arrival."""
    mailbox = process._mailbox if isinstance(process, FunctionProcess) else None
    if mailbox is None or not mailbox.events:
        return []
    last = [entry[1] for entry in islice(reversed(mailbox.events), UNREAD)]
    return [_event(each) for each in reversed(last)]


def _event(event: Event) -> Row:
    if isinstance(event, Cancel):
        return {"kind": event.kind, "pid": event.sender, "reason": short(event.reason or "")}
    return {"kind": event.kind, "pid": event.pid, "reason": short(event.result.reason)}


def groups(node: Node) -> list[Row]:
    """Return the groups with how many members they have."""
    names = islice(node.groups.names(), 5000)
    return [{"name": name, "count": len(node.groups.members(name))} for name in strides(names)]


def names(node: Node) -> list[Row]:
    """Return the registered names with whose they are."""
    found: list[Row] = []
    for process in strides(list(node.processes.values())):
        if process.is_shared:
            for name in node.names.names(process.pid):
                found.append({"name": name, "pid": process.pid, "entry": process.entry})
    return sorted(found, key=lambda each: str(each["name"]))[:5000]


def services(node: Node) -> list[Row]:
    """Return the services that are kept alive, and the children of other supervisors."""
    found = [{**_child(each), "supervisor": None} for each in node.services.values()]
    told = {each["pid"] for each in found if each["pid"]}
    for pid, supervisor in list(node.supervisors.items()):
        for member in strides(list(supervisor.members.values())):
            each = member.info()
            if each.id in node.services or (each.pid is not None and each.pid in told):
                continue
            found.append({**_child(each), "supervisor": pid})
            if len(found) == MAX_SERVICES:
                return found
    return found
