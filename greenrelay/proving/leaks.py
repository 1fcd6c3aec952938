"""The leak check of a test: what the test made must be gone afterwards.

Source: ``docs/testing.md``, "Leaks". Cheap by construction: ``gc.freeze`` before the test sets all
older objects aside, so counting greenlets afterwards looks only at what the test made, and nodes
and files are counted by name.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gevent
from gevent.hub import Hub
from greenlet import getcurrent, greenlet

from greenrelay.runtime.node import Node, open_nodes
from greenrelay.runtime.reaper import stack_of
from greenrelay.runtime.timers import open_timers

SETTLE_SECONDS = 1.0
STEP_SECONDS = 0.005
SHOWN_PROCESSES = 10
# Where Linux and the others list the open descriptors of an OS process.
FOLDERS_OF_FILES = ("/proc/self/fd", "/dev/fd")


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
        """Return what ``node`` holds now."""
        return cls(
            len(node.processes),
            len(node.topology),
            len(node.names),
            len(node.groups),
            len(node.supervisor),
        )


NOTHING = Counts(0, 0, 0, 0, 0)


class LeakCheck:
    """The state before a test, and what is left of it afterwards."""

    _depth = 0

    def __init__(self) -> None:
        self._nodes = {node: Counts.of(node) for node in tuple(open_nodes)}
        self._timers = pending_timers()
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
        return settled(self.leaks)

    def leaks(self) -> list[str]:
        """Return a line for each thing that is there now and was not before the test."""
        found: list[str] = []
        for node in tuple(open_nodes):
            if node not in self._nodes:
                found.append(f"node {node.id} is open")
            found += node_leaks(node, self._nodes.get(node, NOTHING))
        found += self.timer_leaks()
        for number, target in open_files().items():
            if self._files.get(number) != target:
                found.append(f"file {number} is open: {target}")
        # Young objects only, but a list of all of them: looked at last.
        return found + [f"greenlet {each!r} lives, at\n{stack_of(each)}" for each in greenlets()]

    def timer_leaks(self) -> list[str]:
        """Return a line for each timer that is still to fire and was not there before the test."""
        left = pending_timers()
        for what in self._timers:
            if what in left:
                left.remove(what)
        return [f"timer is still to fire: {what}" for what in left]

    def left_in(self, node: Node) -> list[str]:
        """Wait up to a second for ``node`` to be empty; return what is left in it."""
        return settled(lambda: node_leaks(node, NOTHING) + self.timer_leaks())


@contextmanager
def no_leaks() -> Iterator[LeakCheck]:
    """Fail with a list of what the body has left behind; says nothing if the body raised."""
    check = LeakCheck()
    try:
        yield check
        found = check.settle()
    finally:
        check.close()
    if found:
        raise AssertionError(report(found))


def report(found: list[str]) -> str:
    """Return the text of a failure for what was ``found``."""
    return "leaked:\n" + "\n".join(found)


def node_leaks(node: Node, before: Counts) -> list[str]:
    """Return a line for each count of ``node`` that is above what it was."""
    now = Counts.of(node)
    found = []
    if now.processes > before.processes:
        listed = ", ".join(
            f"{process.pid} ({process.entry})"
            for process in tuple(node.processes.values())[:SHOWN_PROCESSES]
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


def settled(look: Callable[[], list[str]]) -> list[str]:
    """Look again and again, for up to a second, until ``look`` finds nothing; return the rest."""
    waited = 0.0
    while (found := look()) and waited < SETTLE_SECONDS:
        gc.collect()
        gevent.sleep(STEP_SECONDS)
        waited += STEP_SECONDS
    return found


def pending_timers() -> list[str]:
    """Return what the timers of all nodes are that are still to fire, save the library's own."""
    return [what for timers in tuple(open_timers) for what in timers.pending()]


def open_files() -> dict[int, str]:
    """Return the open file descriptors of this OS process and what they are."""
    folder = next(each for each in FOLDERS_OF_FILES if os.path.isdir(each))
    found = {}
    for name in os.listdir(folder):
        # The descriptor of the listing itself is among them and gone by now; what is no link has
        # its number only.
        try:
            found[int(name)] = os.readlink(f"{folder}/{name}")
        except FileNotFoundError:
            continue
        except OSError:
            found[int(name)] = "unknown"
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
