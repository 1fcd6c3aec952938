"""What a node asks of another and waits for: info of a process, a process to be started.

Source: Cluster, "What changes for a program". A remote node can only name a declared entry. The
waiting is done by who asks, process or not; the other node answers at once.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from functools import partial
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event as Flag

from greenrelay.cluster import handlers
from greenrelay.cluster.carried import context_of, dump_context
from greenrelay.cluster.remote import Remote
from greenrelay.cluster.wire import Frame, Kind, dump, exact, load
from greenrelay.core.events import KILLED, NOCONNECTION, NOPROC, RESULT_NOCONNECTION, MonitorRef
from greenrelay.core.pid import Pid
from greenrelay.core.strategy import ChildInfo, ChildState
from greenrelay.errors import (
    EngineError,
    GreenRelayError,
    NotInProcess,
    ProcessDown,
    Timeout,
    UnknownEntry,
    UnsendablePayload,
)
from greenrelay.runtime.current import current_process
from greenrelay.runtime.info import ProcessInfo, describe
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import BLOCKED
from greenrelay.runtime.waiter import Waiter

if TYPE_CHECKING:
    from greenrelay.cluster.link import Link
    from greenrelay.cluster.mesh import Mesh

log = logging.getLogger("greenrelay.cluster")
PATIENCE = 5.0
# Who spawns, whether it is linked, and the number of its monitor.
Relations = tuple[Pid | None, bool, int]


def _ask(
    link: Link,
    kind: Kind,
    what: str,
    make: Callable[[Callable[[], object]], Waiter] = Waiter,
    **parts: Any,
) -> Any:
    """Ask the node of ``link`` and wait; raises Timeout, ProcessDown and what it answers with."""
    process = current_process()
    if process is None:
        link.mesh.node.check_thread(kind.name.lower())
        if gevent.getcurrent() is gevent.get_hub():
            why = "a signal handler cannot wait for another node: spawn a process that asks"
            raise NotInProcess(kind.name.lower(), why)
    flag = Flag()
    waiter = make(flag.set if process is None else process.answered)
    ref = link.expect(waiter)
    try:
        link.post(kind, ref=ref, **parts)
    except (UnsendablePayload, EngineError):
        link.forget(ref)
        raise
    try:
        if process is None:
            flag.wait(PATIENCE)
        else:
            until = process.scheduler.timers.now() + PATIENCE
            while not waiter.is_done and process.wait_until(BLOCKED, until):
                pass
    finally:
        waiter.drop()
        if isinstance(waiter, _Birth):
            waiter.is_awaited = False
        else:
            link.forget(ref)
    if not waiter.is_done:
        raise Timeout(f"{what} on node {link.member.node}", PATIENCE)
    if waiter.result is not None:
        raise ProcessDown(link.member.node, waiter.result.reason)
    if waiter.error is not None:
        raise waiter.error
    return waiter.value


def ask_info(remote: Remote, *, stack: bool) -> ProcessInfo | None:
    """Return what its own node sees of a process, None if it is gone."""
    what = f"info of {remote.pid}"
    found = _ask(remote.link, Kind.INFO, what, to=str(remote.pid), payload=dump(stack))
    if found is None:
        return None
    for name in ("links", "monitors", "monitored_by", "names", "groups"):
        found[name] = tuple(found[name])
    found["children"] = tuple(_child(told) for told in found["children"])
    found["child"] = _child(found["child"]) if found["child"] else None
    # Of another release it may have more to show.
    known = {field.name for field in fields(ProcessInfo)}
    return ProcessInfo(**{name: value for name, value in found.items() if name in known})


def _child(told: dict[str, Any]) -> ChildInfo:
    known = {field.name for field in fields(ChildInfo)}
    child = {name: value for name, value in told.items() if name in known}
    with contextlib.suppress(ValueError):
        # Another release may know more states; the text says as much.
        child["state"] = ChildState(child["state"])
    return ChildInfo(**child)


def _told(facts: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: _as_text(value) for name, value in facts}


def _as_text(value: Any) -> Any:
    """Return what may leave the node of a fact: states, and maybe names, are a StrEnum's."""
    if isinstance(value, tuple):
        return tuple(_as_text(each) for each in value)
    return exact(value) if isinstance(value, str) and type(value) is not Pid else value


def info_of(link: Link, frame: Frame) -> None:
    """Answer what is to be seen of a process."""
    process = link.mesh.node.processes.get(Pid.parse(frame.to))
    answer = None
    if process is not None:
        seen = describe(process, stack=load(frame.payload) is True)
        answer = asdict(seen, dict_factory=_told)
    try:
        link.post(Kind.REPLY, ref=frame.ref, payload=dump(answer, f"info of {frame.to}"))
    except (UnsendablePayload, EngineError) as error:
        # It has more relations or groups than a frame has room for.
        link.post_error(frame.ref, error)


def ask_enrol(remote: Remote, what: str, name: str) -> None:
    """Let a process join a group, or have a name, on its own node; raises what that raises."""
    pid = str(remote.pid)
    _ask(remote.link, Kind.ENROL, f"{what} of {pid}", to=pid, topic=exact(name), payload=dump(what))


def enrol(link: Link, frame: Frame) -> None:
    """Let a process of this node join a group, or have a name, as another node asks."""
    mesh = link.mesh
    process = mesh.node.processes.get(Pid.parse(frame.to))
    try:
        if process is None:
            raise ProcessDown(frame.to, NOPROC)
        what = load(frame.payload)
        if what == "register":
            # The engine is asked, which the reader does not wait for.
            mesh.spawn(_register, link, frame, process)
            return
        if what != "join":
            raise ValueError(f"enrol: {what!r}; it must be 'join' or 'register'")
        mesh.node.groups.join(frame.topic, process)
    except (GreenRelayError, ValueError) as error:
        link.post_error(frame.ref, error)
        return
    link.post(Kind.REPLY, ref=frame.ref, payload=dump(None))


def _register(link: Link, frame: Frame, process: Process) -> None:
    try:
        link.mesh.names.register(frame.topic, process)
    except (GreenRelayError, ValueError) as error:
        link.post_error(frame.ref, error)
        return
    link.post(Kind.REPLY, ref=frame.ref, payload=dump(None))


class _Birth(Waiter):
    """Waits for the PID of a process; its relations are in force before anything of it arrives."""

    def __init__(self, wake: Callable[[], object], link: Link, relations: Relations) -> None:
        super().__init__(wake)
        self.is_awaited = True
        self._link = link
        self._relations = relations

    def answer(self, value: object) -> bool:
        """Hand over the PID; a process that nobody waits for any more is ended."""
        link = self._link
        pid = link.pid(str(value))
        if not self.is_awaited:
            return link.post(Kind.TERMINATE, str(pid), payload=dump(KILLED))
        parent, is_linked, number = self._relations
        topology = link.mesh.node.topology
        if parent is not None:
            if is_linked:
                topology.link(parent, pid)
            if number:
                topology.enter(MonitorRef(parent, pid, number))
            link.relate(pid)
        return super().answer(pid)


def ask_spawn(mesh: Mesh, node: str, entry: object, options: Mapping[str, Any]) -> Pid:
    """Start the declared ``entry`` on ``node`` and return its PID."""
    if not isinstance(entry, str):
        raise UnknownEntry(entry, why="another node knows the ids of its declared entries only")
    link = mesh.links.get(node)
    if link is None:
        raise ProcessDown(node, NOCONNECTION)
    parent = current_process()
    number = 0
    if parent is not None and options["monitor"]:
        number = mesh.node.topology.make_ref(parent.pid, None).number
    if parent is not None:
        parent.is_related = True
    what = {name: options[name] for name in ("args", "kwargs")}
    for name in ("host", "name"):
        what[name] = options[name] and exact(options[name])
    told = {"link": link.their_epoch if options["link"] else 0, "monitor": number}
    relations: Relations = (None if parent is None else parent.pid, options["link"], number)
    return _ask(  # type: ignore[no-any-return]
        link,
        Kind.SPAWN,
        f"spawn of {entry}",
        partial(_Birth, link=link, relations=relations),
        topic=exact(entry),
        sender="" if parent is None else str(parent.pid),
        context=dump_context(options["context"])[0],
        payload=dump([what, told], "arguments"),
    )


def spawned(link: Link, frame: Frame, epoch: int) -> None:
    """Start a declared entry, in force with its relations and name before its first line runs."""
    node = link.mesh.node
    # Only local code may name what is not declared.
    declared = node.entries.declared()
    try:
        match load(frame.payload):
            case [
                {"args": list(args), "kwargs": dict(kwargs), "host": host, "name": name},
                dict(relations),
            ]:
                if frame.topic not in declared:
                    raise UnknownEntry(frame.topic, declared, "it is not declared there")
                # The first time this loads code, which may wait.
                node.entries.find(frame.topic)
                wanted = relations.get("link", 0)
                if (
                    not link.is_up
                    or link.session.epoch != epoch
                    or (wanted and not link.is_of_now(wanted))
                ):
                    # Who asked has heard, or hears so, that nobody knows what becomes of it.
                    link.post_result(Kind.DOWN, RESULT_NOCONNECTION, ref=frame.ref)
                    return
                process = node.spawn_process(
                    frame.topic, tuple(args), kwargs, host, name, context_of(frame)
                )
            case _:
                raise ValueError("arguments are wanted")
    except Exception as error:
        # Also what the module of an entry raises when it is loaded.
        if not isinstance(error, (GreenRelayError, ValueError, TypeError)):
            log.exception("%s: spawn of %r for %s failed", node.id, frame.topic, link.member.node)
        link.post_error(frame.ref, error)
        return
    if wanted:
        handlers.share_fate(link, link.pid(frame.sender), process)
    if relations.get("monitor"):
        handlers.watch(link, link.pid(frame.sender), process, relations["monitor"])
    link.post(Kind.REPLY, ref=frame.ref, payload=dump(str(process.pid)))
