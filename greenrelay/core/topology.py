"""Links and monitors: who hears of an ending.

Source: Processes, "Endings". The tables hold live processes only: a process is in them from its
first relation to its ending, and ``ended`` removes every trace of it, on both sides. Dictionaries
stand for sets where the order of delivery should not depend on a hash seed.
"""

from __future__ import annotations

from typing import Protocol, TypeVar

from greenrelay.core.events import MonitorRef
from greenrelay.core.pid import Pid

Key = TypeVar("Key")


class Observer(Protocol):
    """Who has to know of relations that end otherwise than by an ending; must not wait."""

    def unmonitored(self, ref: MonitorRef) -> None:
        """A monitor was taken back, or its watcher has ended."""

    def unlinked(self, one: Pid, other: Pid) -> None:
        """``one`` has unlinked ``other``, if it was linked at all."""


class Topology:
    """All links and monitors of a node; ``observer`` hears of those that are undone."""

    __slots__ = ("_links", "_number", "_watchers", "_watching", "observer")

    def __init__(self) -> None:
        self._links: dict[Pid, dict[Pid, None]] = {}
        self._watchers: dict[Pid, dict[MonitorRef, None]] = {}
        self._watching: dict[Pid, dict[MonitorRef, None]] = {}
        self._number = 0
        self.observer: Observer | None = None

    def __len__(self) -> int:
        return len(self._links) + len(self._watchers) + len(self._watching)

    def concerns(self, pid: Pid) -> bool:
        """Whether ``pid`` has a link or a monitor, on either side."""
        return pid in self._links or pid in self._watchers or pid in self._watching

    def __contains__(self, pid: Pid) -> bool:
        return self.concerns(pid)

    def link(self, one: Pid, other: Pid) -> None:
        """Link two processes; linking them again, or one to itself, changes nothing."""
        if one != other:
            _table_of(self._links, one)[other] = None
            _table_of(self._links, other)[one] = None

    def unlink(self, one: Pid, other: Pid) -> None:
        """Undo the link of two processes, if there is one."""
        self.part(one, other)
        if self.observer is not None:
            self.observer.unlinked(one, other)

    def part(self, one: Pid, other: Pid) -> bool:
        """Forget a link and tell no observer; False when there is none."""
        if other not in self._links.get(one, ()):
            return False
        self._forget_link(one, other)
        self._forget_link(other, one)
        return True

    def make_ref(self, watcher: Pid, target: Pid | None) -> MonitorRef:
        """Return a ref no other monitor has; it is not in force."""
        self._number += 1
        return MonitorRef(watcher, target, self._number)

    def monitor(self, watcher: Pid, target: Pid) -> MonitorRef:
        """Let ``watcher`` hear of the ending of ``target``; each call is one more monitor."""
        ref = self.make_ref(watcher, target)
        if watcher != target:
            self.enter(ref)
        return ref

    def enter(self, ref: MonitorRef) -> None:
        """Let a monitor that was made elsewhere be in force."""
        assert ref.target is not None
        _table_of(self._watchers, ref.target)[ref] = None
        _table_of(self._watching, ref.watcher)[ref] = None

    def unmonitor(self, ref: MonitorRef) -> bool:
        """Take a monitor back; False when it is not in force (any more)."""
        if not self.take(ref):
            return False
        if self.observer is not None:
            self.observer.unmonitored(ref)
        return True

    def take(self, ref: MonitorRef) -> bool:
        """Forget a monitor and tell no observer; False when it is not in force."""
        if ref not in self._watching.get(ref.watcher, ()):
            return False
        assert ref.target is not None
        _discard(self._watching, ref.watcher, ref)
        _discard(self._watchers, ref.target, ref)
        return True

    def refs(self, watcher: Pid, target: Pid) -> list[MonitorRef]:
        """Return the monitors ``watcher`` has on ``target``."""
        mine, theirs = self._watching.get(watcher, {}), self._watchers.get(target, {})
        # They are in both tables, of which one may be long.
        if len(theirs) < len(mine):
            return [ref for ref in theirs if ref.watcher == watcher]
        return [ref for ref in mine if ref.target == target]

    def links(self, pid: Pid) -> tuple[Pid, ...]:
        """Return the processes linked to ``pid``."""
        return tuple(self._links.get(pid, ()))

    def watchers(self, pid: Pid) -> tuple[Pid, ...]:
        """Return the watcher of each monitor on ``pid``."""
        return tuple(ref.watcher for ref in self._watchers.get(pid, ()))

    def watching(self, pid: Pid) -> tuple[Pid, ...]:
        """Return the target of each monitor ``pid`` has."""
        return tuple(ref.target for ref in self._watching.get(pid, ()) if ref.target is not None)

    def ended(self, pid: Pid) -> tuple[tuple[MonitorRef, ...], tuple[Pid, ...]]:
        """Forget ``pid`` and return (monitors to fire, linked processes), in order of making."""
        for ref in self._watching.pop(pid, ()):
            assert ref.target is not None
            _discard(self._watchers, ref.target, ref)
            if self.observer is not None:
                self.observer.unmonitored(ref)
        fired = tuple(self._watchers.pop(pid, ()))
        for ref in fired:
            _discard(self._watching, ref.watcher, ref)
        linked = tuple(self._links.pop(pid, ()))
        for other in linked:
            self._forget_link(other, pid)
        return fired, linked

    def _forget_link(self, one: Pid, other: Pid) -> None:
        peers = self._links.get(one)
        if peers is not None:
            peers.pop(other, None)
            if not peers:
                del self._links[one]


def _table_of(tables: dict[Pid, dict[Key, None]], pid: Pid) -> dict[Key, None]:
    table = tables.get(pid)
    if table is None:
        table = tables[pid] = {}
    return table


def _discard(table: dict[Pid, dict[MonitorRef, None]], pid: Pid, ref: MonitorRef) -> None:
    refs = table[pid]
    del refs[ref]
    if not refs:
        del table[pid]
