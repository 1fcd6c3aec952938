"""What can be asked of a running program.

Source: Operations, "Command line". Each command is a function of the program and of its arguments;
what it returns, or yields part by part, has a form in JSON. ``CommandError`` says what is wrong
with a request.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
from flask import Flask

from greenrelay.admin.facts import has_proxy_fix, own_facts
from greenrelay.boot import APPLIED, Applied
from greenrelay.dashboard import sockets as socket_list
from greenrelay.dashboard.cluster import cluster_of
from greenrelay.dashboard.observer import summaries
from greenrelay.dashboard.provenance import provenance
from greenrelay.dashboard.reports import Report, reports
from greenrelay.dashboard.scope import relayed_of
from greenrelay.dashboard.watching import watch, watch_user
from greenrelay.errors import GreenRelayError
from greenrelay.http.state import AppState, state_of
from greenrelay.reload.apply import reload, reload_apps
from greenrelay.runtime.info import ProcessInfo, describe
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.relations import info as ask_info
from greenrelay.transport.connection import Connection
from greenrelay.transport.stream import Stream

KILL_REASON = "killed"
# So many of each of these are told of a process in a list; each has its count beside it.
LISTED = 100
_COUNTS = {
    "links": "link_count",
    "monitors": "monitor_count",
    "monitored_by": "monitored_by_count",
    "names": "name_count",
    "groups": "group_count",
    "children": "child_count",
}
_GONE = "there is no such process (any more)"


class CommandError(Exception):
    """What is wrong with a request, for the person who made it."""


@dataclass(frozen=True, slots=True)
class Program:
    """The apps of one running program, which share a node.

    ``is_split`` says that they were made of one configuration, one for each of its servers.
    """

    apps: Sequence[Flask]
    is_split: bool = False

    @property
    def states(self) -> list[AppState]:
        """What the apps have of greenrelay."""
        return [state_of(app) for app in self.apps]

    @property
    def node(self) -> Node:
        """The node of all of them."""
        return self.states[0].node


Arguments = Mapping[str, object]
Command = Callable[[Program, Arguments], object]


def hello(program: Program, arguments: Arguments) -> object:
    """Say who this is."""
    applied = program.apps[0].extensions.get(APPLIED)
    files = applied.configuration.files if isinstance(applied, Applied) else ()
    return {
        "pid": os.getpid(),
        "node": program.node.id,
        "files": [str(Path(each).resolve()) for each in files if not each.startswith("<")],
        "processes": len(program.node.processes),
        "sockets": sum(len(state.connections) for state in program.states),
        "is_draining": any(state.connections.is_draining for state in program.states),
        "python": platform.python_version(),
    }


def facts(program: Program, arguments: Arguments) -> object:
    """Return what the program is made of and runs on; see ``facts.py``."""
    return {**own_facts(), "has_proxy_fix": all(map(has_proxy_fix, program.apps))}


def ps(program: Program, arguments: Arguments) -> Iterator[object]:
    """Yield what is to be seen of every process, without stacks; of long lists the first only.

    ``supervisor`` is the PID of who keeps it alive, or None.
    """
    node = program.node
    supervisors = {
        pid: supervisor
        for supervisor, children in node.supervisors.items()
        for pid in children.by_pid
    }
    for process in list(node.processes.values()):
        found = _plain(describe(process))
        for name, count in _COUNTS.items():
            found[count] = len(found[name])
            found[name] = found[name][:LISTED]
        yield {**found, "supervisor": supervisors.get(process.pid)}


def info(program: Program, arguments: Arguments) -> object:
    """Return what is to be seen of one process, with its stack; its own node is asked."""
    process = _process(program, arguments)
    if not process.is_remote:
        return _plain(describe(process, stack=True))
    found = program.node.run(ask_info, process.pid, stack=True)
    if found is None:
        raise CommandError(f"{process.pid}: {_GONE}")
    return _plain(found)


def sockets(program: Program, arguments: Arguments) -> Iterator[object]:
    """Yield the sockets and streams that the arguments, a filter and an order, let through."""
    given = {name: value for name, value in arguments.items() if value not in (None, "")}
    order = given.pop("order", "oldest")
    known = socket_list.SocketFilter.__dataclass_fields__
    if order not in socket_list.ORDERS or not given.keys() <= known.keys():
        raise CommandError(f"{dict(arguments)!r} is no filter with an order")
    wanted = socket_list.SocketFilter(**given)  # type: ignore[arg-type]
    for pid in socket_list.find(relayed_of(program.node), wanted, str(order)):
        relayed = program.node.processes.get(pid)
        if isinstance(relayed, (Connection, Stream)):
            yield socket_list.row(relayed)


def closes(program: Program, arguments: Arguments) -> Iterator[object]:
    """Yield the last sockets and streams that are over, the newest first."""
    found = [each for state in program.states for each in state.connections.ledger.recent]
    for each in sorted(found, key=lambda closed: -closed.at):
        yield socket_list.closed_row(each)


def reported(program: Program, arguments: Arguments) -> Iterator[object]:
    """Yield the last warnings and errors, of the ``kind`` "hub" only, or all."""
    for each in reports():
        if arguments.get("kind") in (None, "", each.kind):
            yield {name: getattr(each, name) for name in Report.__dataclass_fields__}


def settings(program: Program, arguments: Arguments) -> Iterator[object]:
    """Yield every setting in force, with where it comes from; secrets are masked."""
    for app in program.apps:
        applied = app.extensions.get(APPLIED)
        if isinstance(applied, Applied):
            yield from provenance(applied.configuration)


def tail(program: Program, arguments: Arguments) -> Iterator[object]:
    """Yield what goes over a socket, all relayed to a process, or all of a user, until it ends."""
    if arguments.get("user"):
        yield from watch_user(program.node, _text(arguments, "user"))
        return
    process = _process(program, arguments)
    if process.is_remote:
        raise CommandError(f"{process.pid}: ask a program of node {process.pid.node} for that")
    yield from watch(process)


def send(program: Program, arguments: Arguments) -> object:
    """Send a message to one process, as nobody; say whether it took it."""
    process, topic = _process(program, arguments), _text(arguments, "topic")
    return {"was_taken": program.node.send(process.pid, topic, arguments.get("payload"))}


def kill(program: Program, arguments: Arguments) -> object:
    """End one process, at once unless ``cancel`` asks for a cancellation with a deadline."""
    process = _process(program, arguments)
    seconds = arguments.get("cancel")
    if seconds is None:
        return {"was_told": program.node.terminate(process.pid, KILL_REASON)}
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or seconds < 0:
        raise CommandError(f"cancel: {seconds!r} must be a number of seconds")
    told = program.node.cancel(
        process.pid, sender=None, deadline=float(seconds), reason="asked to by the command line"
    )
    return {"was_told": told}


def drain(program: Program, arguments: Arguments) -> object:
    """Close all connections and refuse new ones; the program goes on serving requests."""
    found = sum(len(state.connections) for state in program.states)
    # All at once, as at a stop: the last one would take clients until it has its turn.
    gevent.joinall([gevent.spawn(state.drain) for state in program.states], raise_error=True)
    return {"closed": found}


def nodes(program: Program, arguments: Arguments) -> object:
    """Return the nodes of the cluster, and what those with a dashboard tell of themselves."""
    told: list[dict[str, Any]] = []
    if program.node.cluster is not None:
        told = program.node.run(summaries, program.node)
    return cluster_of(program.node, {each["node"]: each for each in told})


def reload_files(program: Program, arguments: Arguments) -> object:
    """Read the configuration again."""
    apps = program.apps
    found = reload_apps(apps) if program.is_split else reload(apps[0])
    return {"changes": found.lines, "warnings": found.warnings}


COMMANDS: Mapping[str, Command] = {
    "hello": hello,
    "facts": facts,
    "ps": ps,
    "info": info,
    "sockets": sockets,
    "closes": closes,
    "reports": reported,
    "settings": settings,
    "tail": tail,
    "send": send,
    "kill": kill,
    "drain": drain,
    "cluster": nodes,
    "reload": reload_files,
}


def carry_out(program: Program, request: Mapping[str, object]) -> object:
    """Return what a request asks for; raises CommandError."""
    name, arguments = request.get("command"), request.get("arguments") or {}
    command = COMMANDS.get(name) if isinstance(name, str) else None
    if command is None:
        raise CommandError(f"command: {name!r} must be one of {', '.join(COMMANDS)}")
    if not isinstance(arguments, dict):
        raise CommandError(f"arguments: {arguments!r} must be a map")
    try:
        found = command(program, arguments)
    except GreenRelayError as error:
        raise CommandError(str(error)) from error
    return _told(found) if isinstance(found, Iterator) else found


def _told(parts: Iterator[object]) -> Iterator[object]:
    """Yield the parts of an answer, which may fail as late as at the first of them."""
    try:
        yield from parts
    except GreenRelayError as error:
        raise CommandError(str(error)) from error


def _process(program: Program, arguments: Arguments) -> Process:
    dest = _text(arguments, "dest")
    process = program.node.find(dest)
    if process is None:
        raise CommandError(f"{dest}: {_GONE}")
    return process


def _text(arguments: Arguments, name: str) -> str:
    found = arguments.get(name)
    if not isinstance(found, str) or not found:
        raise CommandError(f"{name}: {found!r} must be text")
    return found


def _plain(found: ProcessInfo) -> dict[str, Any]:
    """Return a process as a map; a PID is its text."""
    return {name: getattr(found, name) for name in ProcessInfo.__dataclass_fields__}
