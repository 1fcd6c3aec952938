"""Names that hold on all nodes: at most one live process has each.

Source: Cluster, "Promises", row names. The engine keeps the table and renews what this node has
claimed; here is what of it was heard, what processes of this node have, and what becomes of a name
when its process ends or the node loses it. A name is given back in a greenlet of the mesh, since
that waits; to this node it is free at once.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event as Flag

from greenrelay.cluster.wire import exact
from greenrelay.core.events import NOPROC
from greenrelay.core.message import Message
from greenrelay.core.names import check_name
from greenrelay.core.pid import Pid
from greenrelay.errors import (
    EngineError,
    InvalidPid,
    NameTaken,
    NotOwner,
    ProcessDown,
    UnknownName,
)
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import DEAD

if TYPE_CHECKING:
    from greenrelay.cluster.mesh import Mesh

log = logging.getLogger("greenrelay.cluster")
NAME_LOST = "@name.lost"
# Seconds between tries to give a name back while the engine does not answer.
RETRY = 0.5
# How long a name that is on its way back is waited for; the engine says no afterwards, if at all.
PATIENCE = 5.0


class ClusterNames:
    """The names of the cluster as one node knows them."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self._owners: dict[str, Pid] = {}
        # Those of this node's processes.
        self._mine: dict[str, Pid] = {}
        self._names: dict[Pid, dict[str, None]] = {}
        # Those on their way back, and who waits for that.
        self._leaving: dict[str, Flag] = {}
        self._queue: deque[tuple[str, Pid]] = deque()
        self._is_releasing = False

    def __len__(self) -> int:
        return len(self._mine)

    def on_owner(self, name: str, owner: str | None) -> None:
        """Hear from the engine that a name has another owner, or none."""
        try:
            pid = None if owner is None else Pid.parse(owner)
        except InvalidPid:
            self._mesh.count("bad_owner")
            return
        if pid is None:
            self._owners.pop(name, None)
        else:
            self._owners[name] = pid
        mine = self._mine.get(name)
        # It may be the news of a time before this node had it: the own claim decides. To ask the
        # table would find the claim of before as long as its row is there.
        if mine is not None and mine != pid and not self._mesh.engine.holds(name, str(mine)):
            self._lose(name)
            self._give_back(name, mine)

    def owner(self, name: str) -> Pid | None:
        """Return who has a name, as far as this node has heard."""
        mine = self._mine.get(name)
        if mine is None:
            return self._owners.get(name)
        # By the clock, too: a program that stood still has not been told yet what it has lost.
        return mine if self._mesh.engine.holds(name, str(mine)) else None

    def lookup(self, name: str) -> Pid | None:
        """Return who has a name; asks the engine, which waits, if this node has not heard."""
        known = self.owner(name)
        if known is not None or name in self._leaving or not self._mesh.is_reachable:
            return known
        if gevent.getcurrent() is gevent.get_hub():
            # In a signal handler, say, which cannot wait.
            return None
        try:
            owner = self._mesh.engine.lookup(exact(name))
            return None if owner is None else Pid.parse(owner)
        except (EngineError, InvalidPid) as error:
            log.debug("name %r: %s", name, error)
            return None

    def names(self, pid: Pid) -> tuple[str, ...]:
        """Return the names that ``pid``, of this node, has."""
        return tuple(self._names.get(pid, ()))

    def register(self, name: str, process: Process) -> None:
        """Give ``process`` a name; waits. Raises NameTaken, ProcessDown, EngineError."""
        check_name(name)
        name = exact(name)
        leaving = self._leaving.get(name)
        if leaving is not None:
            leaving.wait(PATIENCE)
        pid = process.pid
        owner = self._mesh.engine.claim(name, str(pid))
        if owner != pid:
            raise NameTaken(name, Pid.parse(owner))
        if process.state == DEAD:
            self._give_back(name, pid)
            raise ProcessDown(pid, NOPROC)
        process.is_related = process.is_shared = True
        self._mine[name] = pid
        self._names.setdefault(pid, {})[name] = None

    def unregister(self, name: str, pid: Pid) -> None:
        """Take a name from ``pid``; waits. Raises UnknownName, NotOwner, EngineError."""
        owner = self.lookup(name)
        if owner is None:
            raise UnknownName(name)
        if owner != pid:
            raise NotOwner(name, owner)
        self._forget(name)
        self._give_back(exact(name), pid).wait(PATIENCE)

    def release(self, pid: Pid) -> None:
        """Give all names of a process back that has ended."""
        for name in self.names(pid):
            self._forget(name)
            self._give_back(name, pid)

    def release_all(self) -> None:
        """Give back all names of this node."""
        for pid in tuple(self._names):
            self.release(pid)

    def give_up(self) -> None:
        """Let go of all names of this node, and tell their owners: others may have them now."""
        for name, pid in tuple(self._mine.items()):
            self._lose(name)
            self._give_back(name, pid)
        self._owners.clear()

    def _lose(self, name: str) -> None:
        pid = self._mine[name]
        self._forget(name)
        self._mesh.count("name_lost")
        log.warning("%s: has lost the name %r", pid, name)
        process = self._mesh.node.processes.get(pid)
        if process is not None:
            process.deliver_surely(Message(NAME_LOST, {"name": name}))

    def _forget(self, name: str) -> None:
        pid = self._mine.pop(name)
        if self._owners.get(name) == pid:
            del self._owners[name]
        names = self._names[pid]
        del names[name]
        if not names:
            del self._names[pid]

    def _give_back(self, name: str, pid: Pid) -> Flag:
        flag = self._leaving.setdefault(name, Flag())
        self._queue.append((name, pid))
        if not self._is_releasing:
            self._is_releasing = True
            self._mesh.spawn(self._release_queued)
        return flag

    def _release_queued(self) -> None:
        try:
            while self._queue:
                name, pid = self._queue[0]
                try:
                    self._mesh.engine.release(name, str(pid))
                except EngineError as error:
                    log.debug("name %r is not given back yet: %s", name, error)
                    gevent.sleep(RETRY)
                    continue
                self._queue.popleft()
                flag = self._leaving.pop(name, None)
                if flag is not None:
                    flag.set()
        finally:
            self._is_releasing = False
