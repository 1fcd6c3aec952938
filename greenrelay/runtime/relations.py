"""The functions that relate processes to each other; ``greenrelay.process`` hands them on.

Source: Processes, "Functions" and "Endings". ``dest`` is a PID, its text or a registered name.
"""

from __future__ import annotations

from typing import NoReturn

from greenrelay.core.events import (
    KILLED,
    NORMAL,
    LinkDown,
    MonitorRef,
    result_of_reason,
)
from greenrelay.core.names import check_name
from greenrelay.core.pid import Pid
from greenrelay.durations import parse_duration
from greenrelay.errors import ProcessExit, UnknownName, UnknownOption
from greenrelay.runtime.abroad import (
    check_scope,
    process_at,
    require_cluster,
    require_wide,
    why_gone,
)
from greenrelay.runtime.current import current_node, current_process, require_process
from greenrelay.runtime.info import ProcessInfo, describe
from greenrelay.runtime.task import EXITING


def monitor(dest: str) -> MonitorRef:
    """Get one EXIT event when ``dest`` ends, at once (``noproc``) if nobody has that address.

    Each call is a monitor of its own. A process that monitors itself never hears of it.
    """
    process = require_process("monitor")
    return process.node.monitor(process, dest)


def unmonitor(ref: MonitorRef | str, flush: bool = True) -> bool:
    """Take back one monitor, or all on a ``dest``; False when none was in force.

    With ``flush``, an EXIT that it has put among the unread events already goes too, for a name
    also that of the process that had it.
    """
    process = require_process("unmonitor")
    topology = process.node.topology
    if isinstance(ref, MonitorRef):
        was_on = ref.watcher == process.pid and topology.unmonitor(ref)
        # One that was in force has fired nothing yet.
        if flush and not was_on:
            process.open_mailbox().drop_exits(lambda event: event.ref == ref)
        return was_on
    target = process.node.owner(ref) or ref
    refs = topology.refs(process.pid, target)  # type: ignore[arg-type]
    for each in refs:
        topology.unmonitor(each)
    name = "" if ref[:1] == "{" else ref
    # A process that lives has put no EXIT anywhere.
    if flush and (name or target not in process.node.processes):
        process.open_mailbox().drop_exits(
            lambda event: event.pid == target or bool(name and event.ref.name == name)
        )
    return bool(refs)


def link(dest: str) -> None:
    """Share fate with ``dest``: when one ends abnormally the other gets LINK_DOWN.

    Linking twice, or oneself, changes nothing. A ``dest`` that is gone gives LINK_DOWN ``noproc``,
    which ends this process unless it traps links.
    """
    process = require_process("link")
    try:
        target = process.node.find(dest)
    except UnknownName:
        target = None
    if target is not None:
        process.node.link(process, target)
        return
    gone = Pid.parse(dest) if dest[:1] == "{" else dest
    process.deliver_event(LinkDown(gone, why_gone(process.node, gone)))
    if process.state == EXITING:
        raise process.exit_now()


def unlink(dest: str) -> None:
    """Undo the link with ``dest``, if there is one; no LINK_DOWN from it arrives afterwards."""
    process = require_process("unlink")
    target = process.node.owner(dest) or dest
    process.node.topology.unlink(process.pid, target)  # type: ignore[arg-type]


def set_options(**options: object) -> None:
    """Set options of this process: ``trap_links`` (bool). Raises UnknownOption, TypeError."""
    process = require_process("set_options")
    for name, value in options.items():
        if name != "trap_links":
            raise UnknownOption(name, ("trap_links",))
        if not isinstance(value, bool):
            raise TypeError(f"option 'trap_links' is {value!r}; it must be True or False")
    process.trap_links = bool(options.get("trap_links", process.trap_links))


def get_options() -> dict[str, object]:
    """Return the options of this process."""
    return {"trap_links": require_process("get_options").trap_links}


def cancel(dest: str, deadline: float | str = "10s", reason: str | None = None) -> bool:
    """Ask ``dest`` to end: it gets CANCEL and is killed after ``deadline``; False if it is gone."""
    process = current_process()
    node = process.node if process else current_node("cancel")
    return node.cancel(
        dest,
        sender=process.pid if process else None,
        deadline=parse_duration(deadline),
        reason=reason,
    )


def terminate(dest: str, reason: str = KILLED) -> bool:
    """End ``dest`` now; it cannot trap that. False if it is gone."""
    process = current_process()
    node = process.node if process else current_node("terminate")
    done = node.terminate(dest, reason)
    if process is not None and process.state == EXITING:
        raise process.exit_now()
    return done


def exit(reason: str = NORMAL) -> NoReturn:
    """End this process: ``normal`` and ``shutdown`` are clean, anything else is abnormal."""
    process = require_process("exit")
    process.end(result_of_reason(reason))
    raise ProcessExit(reason)


def register(name: str, dest: str | None = None, scope: str = "local") -> None:
    """Give this process, or ``dest``, a name; it goes when the process ends.

    With the scope ``cluster`` it is the only one of that name on all nodes, and this waits; should
    the node lose the name, the process is sent ``@name.lost``, ``{"name": str}``. A process of
    another node can have such names only. Raises NameTaken, ProcessDown when ``dest`` is gone,
    EngineError when the engine cannot say, Timeout where another node does not answer, and
    ValueError for a name that is no name, and a scope that is none for this process.
    """
    caller = require_process("register")
    check_scope(scope)
    process = process_at(caller, dest)
    if process.is_remote:
        check_name(name)
        require_wide(scope, process.pid)
        require_cluster(caller.node).enrol(process, "register", name)
    elif scope == "cluster":
        require_cluster(process.node).names.register(name, process)
    else:
        process.node.register(name, process)


def unregister(name: str) -> None:
    """Take a name from this process; raises UnknownName, NotOwner."""
    process = require_process("unregister")
    node = process.node
    if node.cluster is not None and node.names.owner(name) is None:
        node.cluster.names.unregister(name, process.pid)
    else:
        node.names.unregister(name, process.pid)


def lookup(name: str) -> Pid:
    """Return the process that has ``name``, on this node or in the cluster; raises UnknownName.

    Of a name this node has not heard of, the engine of a cluster is asked, which may wait.
    """
    owner = _whose("lookup", name)
    if owner is None:
        raise UnknownName(name)
    return owner


def whereis(name: str) -> Pid | None:
    """Return the process that has ``name``, or None; as lookup."""
    return _whose("whereis", name)


def _whose(function: str, name: str) -> Pid | None:
    node = current_node(function)
    owner = node.names.owner(name)
    if owner is not None or node.cluster is None:
        return owner
    node.check_thread(function)
    return node.cluster.names.lookup(name)


def info(dest: str, *, stack: bool = False) -> ProcessInfo | None:
    """Return what can be seen of ``dest``, with its greenlet's stack if asked; None if gone.

    Of a process of another node that one is asked: it waits, and raises Timeout, and
    UnsendablePayload where there is more to be seen than a frame takes.
    """
    node = current_node("info")
    process = node.find(dest)
    if process is not None and process.is_remote:
        return require_cluster(node).info(process, stack=stack)
    return None if process is None else describe(process, stack=stack)


def processes() -> list[ProcessInfo]:
    """Return what can be seen of every process of the node, oldest first."""
    return [describe(process) for process in tuple(current_node("processes").processes.values())]
