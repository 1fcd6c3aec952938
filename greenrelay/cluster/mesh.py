"""The other nodes, as one node sees them: who is there, and the link to each.

Source: Cluster. The engine says who comes and goes and brings frames; this hands them to the link
they belong to, keeps the one timer of all links, and is what a node knows as its ``cluster``.

A node that cannot reach the engine for CUT_OFF seconds counts all others as gone and gives up its
names, whatever the engine does about it.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count as counter
from typing import Any
from weakref import WeakSet

from gevent.pool import Group

from greenrelay.cluster.engine import Engine, Member, is_looker
from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.grouping import ClusterGroups
from greenrelay.cluster.link import SWEPT_FROM, Link
from greenrelay.cluster.naming import ClusterNames
from greenrelay.cluster.node_events import NodeDown, NodeEvents, NodeUp
from greenrelay.cluster.remote import Remote
from greenrelay.cluster.requests import ask_enrol, ask_info, ask_spawn, enrol, info_of, spawned
from greenrelay.cluster.session import TICK
from greenrelay.cluster.wire import Frame, Kind
from greenrelay.core.events import RESULT_NOCONNECTION, RESULT_NOPROC, MonitorRef, Result
from greenrelay.core.pid import Pid
from greenrelay.errors import EngineError
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.info import ProcessInfo
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import DEAD
from greenrelay.runtime.timers import Timer

log = logging.getLogger("greenrelay.cluster")
CUT_OFF = 3.0
KNOWN_REMOTES = 4096
# Reasons for which a node counts as gone that may be alive.
UNSURE = ("silent", "unreachable")


_meshes: WeakSet[Mesh] = WeakSet()


def _forked() -> None:
    for mesh in tuple(_meshes):
        mesh.forked()


os.register_at_fork(after_in_child=_forked)


def join(node: Node, engine: object, app: str) -> Mesh:
    """Connect ``node`` with the others of ``app`` at ``engine``, or at an address; may wait.

    Raises EngineError.
    """
    found: Any = engine_at(engine, app) if isinstance(engine, str) else engine
    mesh = Mesh(node, found)
    mesh.start()
    return mesh


def name_of(node: str) -> str:
    """Return what a node was named: all of its id but the end, which is new each time."""
    return node.rpartition(".")[0]


class Mesh:
    """The links of one node; the engine's sink, and what the node's topology tells of."""

    def __init__(self, node: Node, engine: Engine) -> None:
        self.node = node
        self.engine = engine
        self.links: dict[str, Link] = {}
        self.counts: Counter[str] = Counter()
        self.groups = ClusterGroups(self)
        self.names = ClusterNames(self)
        self.is_armed = False
        self.is_reachable = True
        self.next_ref = counter(1).__next__
        # Grows from one to the next, also from a life of this node to the next.
        self.next_epoch = counter(time.time_ns() // 1000).__next__
        self._remotes: dict[Pid, Remote] = {}
        self._watchers: list[NodeEvents] = []
        self._sweep_at = SWEPT_FROM
        # Nodes that may be alive and are not heard, and that share their name with others.
        self._silent: dict[str, None] = {}
        self._greenlets = Group()
        self._cut_off: Timer | None = None
        self._is_stopped = False
        _meshes.add(self)

    def start(self) -> None:
        """Connect; may wait. Raises EngineError."""
        self.node.topology.observer = self
        self.node.groups.observer = self.groups
        self.groups.begin()
        # Of the thread this runs in.
        assert self.node.timers is not None
        # Before anybody hears of this node: what ends while it connects has to be told, too.
        itself: Any = self
        self.node.cluster = itself
        try:
            self.engine.start(Member(self.node.id, secrets.token_hex(8)), self)
            if self._is_stopped:
                self.engine.stop()
                raise EngineError("cluster", f"node {self.node.id} was shut down as it connected")
        except BaseException:
            self._abandon()
            raise
        self.engine.watch(self.names.on_owner)
        for member in self.engine.nodes():
            self.on_node_up(member)

    def stop(self) -> None:
        """Leave the others; may wait a few seconds. Idempotent."""
        if self._is_stopped:
            return
        self._flush()
        self.names.release_all()
        self._greenlets.join(timeout=2.0)
        self._flush()
        try:
            self.engine.drain()
        except EngineError as error:
            log.warning("%s: not all that was sent has gone out: %s", self.node.id, error)
        self._is_stopped = True
        self.engine.stop()
        self._greenlets.kill()
        for link in self.links.values():
            link.drop()
        self.links.clear()
        self._let_go()

    def forked(self) -> None:
        """Be no more, in a forked child: the others know the parent, whose connection this is."""
        self._is_stopped = True
        self._greenlets.kill(block=False)
        self.engine.forked()

    def _abandon(self) -> None:
        """Leave the node as it was before, as it could not be connected."""
        self._is_stopped = True
        self._greenlets.kill()
        if self._cut_off is not None:
            self._cut_off.cancel()
        for node in tuple(self.links):
            self._close(node, "unreachable")
        self.node.cluster = None
        self._let_go()

    def _flush(self) -> None:
        for link in self.links.values():
            link.flush()

    def _let_go(self) -> None:
        self.node.topology.observer = None
        self.node.groups.observer = None

    def count(self, reason: str, number: int = 1) -> None:
        """Count something that was dropped, refused or left out."""
        self.counts[reason] += number

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        """Run something that waits in a greenlet of this mesh."""
        if not self._is_stopped:
            self._greenlets.spawn(function, *args)

    # the engine's

    def on_frame(self, source: str, frame: bytes, topic: str | None) -> None:
        """A frame has come."""
        link = self.links.get(source)
        if link is None:
            self.counts["unknown_node"] += 1
        else:
            link.on_frame(frame)

    def on_node_up(self, member: Member) -> None:
        """A node has come, or has come back as another incarnation."""
        if member.node == self.node.id or self._is_stopped or is_looker(member):
            return
        known = self.links.get(member.node)
        if known is not None:
            if known.member == member:
                return
            self._close(member.node, "replaced")
        self._silent.pop(member.node, None)
        link = self.links[member.node] = Link(self, member)
        log.info("%s: node %s is there", self.node.id, member.node)
        self._tell(NodeUp(member.node))
        link.session.hello()
        self.arm()

    def on_node_down(self, member: Member, reason: str) -> None:
        """That incarnation of a node is gone, or counts as gone."""
        link = self.links.get(member.node)
        if link is not None and link.member == member:
            self._close(member.node, reason)

    def on_gap(self, source: str | None) -> None:
        """Frames may have been lost: find out which."""
        for node, link in self.links.items():
            if source in (None, node):
                link.session.resync()
        self.arm()

    def on_engine(self, is_reachable: bool) -> None:
        """The engine is reachable again, or is not any more."""
        self.is_reachable = is_reachable
        if self._cut_off is not None:
            self._cut_off.cancel()
            self._cut_off = None
        if self._is_stopped:
            return
        if not is_reachable:
            self._cut_off = self.node.timers.call_after(CUT_OFF, self._be_alone)
            return
        for member in self.engine.nodes():
            self.on_node_up(member)
        self.on_gap(None)

    def _be_alone(self) -> None:
        self._cut_off = None
        log.warning("%s: cut off from its engine: the other nodes count as gone", self.node.id)
        for node in tuple(self.links):
            self._close(node, "unreachable")
        self.names.give_up()

    def _close(self, node: str, reason: str) -> None:
        link = self.links.pop(node)
        self._remotes = {pid: each for pid, each in self._remotes.items() if each.link is not link}
        # First: what ends with the link leaves its groups, and this node is not to be told.
        self.groups.forget(node)
        link.close()
        if reason in UNSURE and self._is_shared(name_of(node)):
            self._silent[node] = None
            if len(self._silent) > KNOWN_REMOTES:
                del self._silent[next(iter(self._silent))]
        level = logging.INFO if reason == "left" else logging.WARNING
        log.log(level, "%s: node %s is gone: %s", self.node.id, node, reason)
        self._tell(NodeDown(node, reason))

    def _is_shared(self, name: str) -> bool:
        """Whether another node of a name is there, or may be: so workers of one machine have it."""
        return any(name_of(each) == name for each in (self.node.id, *self.links, *self._silent))

    # the timer

    def arm(self) -> None:
        """See to it that what is due at the next tick is done."""
        if not self.is_armed and not self._is_stopped:
            self.is_armed = True
            self.node.timers.call_after(TICK, self._tick)

    def _tick(self) -> None:
        self.is_armed = False
        if self._is_stopped:
            return
        now = self.node.timers.now()
        is_busy = self.groups.tick(now)
        for link in tuple(self.links.values()):
            if not self.is_reachable:
                link.session.pause()
                is_busy = True
            elif link.tick(now):
                is_busy = True
        if is_busy:
            self.arm()

    # the node's

    def nodes(self) -> tuple[str, ...]:
        """Return the ids of the other nodes that are there."""
        return tuple(self.links)

    def watch(self, process: FunctionProcess) -> NodeEvents:
        """Return a channel of the nodes that come and go from now on."""
        if len(self._watchers) >= self._sweep_at:
            # Those of processes that have ended: nobody else tells of them while no node changes.
            self._watchers = [each for each in self._watchers if each.watcher.state != DEAD]
            self._sweep_at = max(SWEPT_FROM, 2 * len(self._watchers))
        channel = NodeEvents(process, self._unwatch)
        self._watchers.append(channel)
        return channel

    def _unwatch(self, channel: NodeEvents) -> None:
        if channel in self._watchers:
            self._watchers.remove(channel)

    def _tell(self, event: NodeUp | NodeDown) -> None:
        for channel in tuple(self._watchers):
            if channel.watcher.state == DEAD:
                self._watchers.remove(channel)
            else:
                channel.put(event)

    def find(self, pid: Pid) -> Process | None:
        """Return what stands for a process of another node; None unless that node is there."""
        remote = self._remotes.get(pid)
        if remote is None:
            link = self.links.get(pid.node)
            if link is None:
                return None
            if len(self._remotes) >= KNOWN_REMOTES:
                self._remotes.clear()
            remote = self._remotes[pid] = Remote(link, pid)
        return remote

    def absence(self, dest: object) -> Result:
        """Return why nobody is found under a PID.

        ``noproc`` where the node is there, or was started again since under its name; else
        ``noconnection``: whether the process lives cannot be told. Of a node that went silent and
        shares its name with others nobody knows whether it was started again.
        """
        if not isinstance(dest, str) or dest[:1] != "{":
            return RESULT_NOPROC
        node = Pid.parse(dest).node
        if node in self._silent:
            return RESULT_NOCONNECTION
        name = name_of(node)
        if any(name_of(each) == name for each in (self.node.id, *self.links)):
            return RESULT_NOPROC
        return RESULT_NOCONNECTION

    def monitored(self, target: Process, ref: MonitorRef) -> None:
        """A process of this node has got a monitor, perhaps on one of another."""
        if isinstance(target, Remote):
            target.link.relate(target.pid)
            target.link.post(Kind.MONITOR, str(target.pid), str(ref.watcher), ref=ref.number)

    def linked(self, one: Process, other: Process) -> None:
        """Two processes were linked, of which one may be of another node."""
        if isinstance(other, Remote):
            link = other.link
            link.relate(other.pid)
            link.post(Kind.LINK, str(other.pid), str(one.pid), ref=link.their_epoch)

    def parted(self, pid: Pid, others: tuple[Pid, ...]) -> None:
        """A process has ended normally and is linked to nobody any more."""
        for other in others:
            self.unlinked(pid, other)

    def unlinked(self, one: Pid, other: Pid) -> None:
        """A process has unlinked another, perhaps of another node."""
        self._tell_of(Kind.UNLINK, one, other, 0)

    def unmonitored(self, ref: MonitorRef) -> None:
        """A monitor was taken back, or its watcher has ended."""
        if ref.target is not None:
            self._tell_of(Kind.UNMONITOR, ref.watcher, ref.target, ref.number)

    def _tell_of(self, kind: Kind, mine: Pid, other: str, ref: int) -> None:
        # Undone may also be what was never there: other is any text then.
        if other[:1] == "{" and mine.node == self.node.id:
            remote = self.find(Pid.parse(other))
            if isinstance(remote, Remote):
                remote.link.post(kind, str(other), str(mine), ref=ref)

    def info(self, process: Process, *, stack: bool) -> ProcessInfo | None:
        """Return what its own node sees of a process; waits."""
        assert isinstance(process, Remote)
        return ask_info(process, stack=stack)

    def enrol(self, process: Process, what: str, name: str) -> None:
        """Let a process of another node ``join`` a group there, or ``register`` a name; waits."""
        assert isinstance(process, Remote)
        ask_enrol(process, what, name)

    def spawn_at(self, node: str, entry: object, options: Mapping[str, Any]) -> Pid:
        """Start a declared entry on another node; waits."""
        return ask_spawn(self, node, entry, options)

    def on_request(self, link: Link, frame: Frame) -> None:
        """Another node asks something."""
        if frame.kind == Kind.INFO:
            info_of(link, frame)
        elif frame.kind == Kind.ENROL:
            enrol(link, frame)
        else:
            # Code is loaded the first time, which is nothing for the reader to wait for.
            self.spawn(spawned, link, frame, link.session.epoch)
