"""The leak check that runs after every test: what the test made must be gone.

Cheap by construction: ``gc.freeze`` before the test sets all older objects aside, so counting
greenlets afterwards looks only at what the test made, and nodes and files are counted by name.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gevent
from gevent.hub import Hub
from greenlet import getcurrent, greenlet

from greenrelay.runtime.node import Node, open_nodes
from greenrelay.runtime.reaper import stack_of

SETTLE_SECONDS = 1.0
STEP_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class Counts:
    """What one node holds."""

    processes: int
    relations: int
    names: int
    groups: int
    endings: int

    @classmethod
    def of(cls, node: Node) -> Counts:
        return cls(
            len(node.processes),
            len(node.topology),
            len(node.names),
            len(node.groups),
            len(node.supervisor),
        )


class LeakCheck:
    """The state before a test, and what is left of it afterwards."""

    _depth = 0

    def __init__(self) -> None:
        self._nodes = {node: Counts.of(node) for node in tuple(open_nodes)}
        self._files = open_files()
        LeakCheck._depth += 1
        gc.freeze()

    def close(self) -> None:
        """Let the garbage collector see the older objects again."""
        LeakCheck._depth -= 1
        if not LeakCheck._depth:
            gc.unfreeze()

    def settle(self) -> list[str]:
        """Wait up to a second for everything to end; return what does not."""
        found = self.leaks()
        waited = 0.0
        while found and waited < SETTLE_SECONDS:
            gc.collect()
            gevent.sleep(STEP_SECONDS)
            waited += STEP_SECONDS
            found = self.leaks()
        return found

    def leaks(self) -> list[str]:
        """Return a line for each thing that is there now and was not before the test."""
        found: list[str] = []
        for node in tuple(open_nodes):
            if node not in self._nodes:
                found.append(f"node {node.id} is open")
            found += node_leaks(node, self._nodes.get(node, Counts(0, 0, 0, 0, 0)))
        for number, target in open_files().items():
            if self._files.get(number) != target:
                found.append(f"file {number} is open: {target}")
        # Young objects only, but a list of all of them: looked at last.
        return found + [f"greenlet {each!r} lives, at\n{stack_of(each)}" for each in greenlets()]


@contextmanager
def no_leaks() -> Iterator[LeakCheck]:
    """Fail with a list of what the body has left behind; says nothing if the body raised."""
    check = LeakCheck()
    try:
        yield check
        found = check.settle()
    finally:
        check.close()
    assert not found, "leaked:\n" + "\n".join(found)


def node_leaks(node: Node, before: Counts) -> list[str]:
    """Return a line for each count of ``node`` that is above what it was."""
    now = Counts.of(node)
    found = []
    if now.processes > before.processes:
        listed = ", ".join(
            f"{process.pid} ({process.entry})" for process in tuple(node.processes.values())[:10]
        )
        found.append(f"{now.processes - before.processes} process(es) of {node.id}: {listed}")
    if now.relations > before.relations:
        found.append(f"{now.relations - before.relations} side(s) of links or monitors")
    if now.names > before.names:
        found.append(f"{now.names - before.names} name(s) of {node.id}")
    if now.groups > before.groups:
        found.append(f"{now.groups - before.groups} group(s) or watched group(s) of {node.id}")
    if now.endings > before.endings:
        found.append(f"{now.endings - before.endings} untold ending(s) of {node.id}")
    return found


def settled_node_leaks(node: Node) -> list[str]:
    """Wait up to a second for ``node`` to be empty; return what is left in it."""
    waited = 0.0
    nothing = Counts(0, 0, 0, 0, 0)
    while (found := node_leaks(node, nothing)) and waited < SETTLE_SECONDS:
        gevent.sleep(STEP_SECONDS)
        waited += STEP_SECONDS
    return found


def open_files() -> dict[int, str]:
    """Return the open file descriptors of this OS process and what they are."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        # The descriptor of the listing itself is among them and gone by now.
        try:
            found[int(name)] = os.readlink(f"/proc/self/fd/{name}")
        except FileNotFoundError:
            continue
    return found


def greenlets() -> list[greenlet]:
    """Return the unfinished greenlets made since the last ``gc.freeze``.

    A supervisor greenlet belongs to its node, which is counted by itself; hubs and the threads of
    gevent's pool stay for the next test.
    """
    own = {id(node.supervisor.greenlet) for node in tuple(open_nodes)}
    here = getcurrent()
    return [
        each
        for each in gc.get_objects()
        if issubclass(type(each), greenlet)
        and each
        and each.parent is not None
        and not isinstance(each, Hub)
        and type(each).__module__ != "gevent.threadpool"
        and each is not here
        and id(each) not in own
    ]


def warm_up() -> None:
    """Make the hub and what it opens once, so that no test is blamed for it."""
    hub = gevent.get_hub()
    hub.threadpool.apply(int)
    watcher = hub.loop.async_()
    watcher.start(lambda: None)
    watcher.stop()
    watcher.close()
    gevent.sleep(0)
