"""The engine without a server: for one node, or for several nodes of one OS process.

Source: Cluster, first paragraph. ``LocalEngine()`` is alone. Engines that are given one Bus see
each other, for tests and to try things out; a bus can also fail: ``crash``, ``cut``, ``mend``.

Nothing is told while it is asked for: each engine has a queue that is emptied on the hub, in order,
as it is with a server. That for frames is bounded.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable
from functools import partial

import gevent

from greenrelay.cluster.engine import Member, Sink, Watcher
from greenrelay.errors import EngineError

log = logging.getLogger("greenrelay.cluster")
LOCAL = "local"
MAX_WAITING = 65_536
MAX_SIZE = 1024 * 1024
# How much is told before others get their turn.
_AT_ONCE = 256


class Bus:
    """What the engines of one OS process share: who is there, and who owns which name."""

    def __init__(self) -> None:
        self.engines: dict[str, LocalEngine] = {}
        self.owners: dict[str, tuple[str, LocalEngine]] = {}
        self._away: dict[str, LocalEngine] = {}

    def others(self, engine: LocalEngine) -> list[LocalEngine]:
        """Return the engines that ``engine`` sees: none if it is not there itself."""
        if self.engines.get(engine.me.node) is not engine:
            return []
        return [each for each in self.engines.values() if each is not engine]

    def add(self, engine: LocalEngine) -> None:
        """Let an engine and the others see each other; another of its node is replaced."""
        before = self.engines.get(engine.me.node)
        if before is not None:
            self.remove(before, "replaced")
        self.engines[engine.me.node] = engine
        for each in self.others(engine):
            each.tell_node(engine.me, None)
            engine.tell_node(each.me, None)
        for name, (owner, _) in self.owners.items():
            engine.tell_name(name, owner)

    def remove(self, engine: LocalEngine, reason: str) -> None:
        """Take an engine out: its names are free, and the others hear of it."""
        others = self.others(engine)
        if self.engines.get(engine.me.node) is not engine:
            return
        del self.engines[engine.me.node]
        for each in others:
            each.tell_node(engine.me, reason)
        for name, (_, holder) in tuple(self.owners.items()):
            if holder is engine:
                del self.owners[name]
                for each in (engine, *others):
                    each.tell_name(name, None)

    def give(self, name: str, owner: str | None, engine: LocalEngine) -> None:
        """Give a name an owner, or none, and tell all who are there."""
        if owner is None:
            self.owners.pop(name, None)
        else:
            self.owners[name] = (owner, engine)
        for each in self.engines.values():
            each.tell_name(name, owner)

    def crash(self, node: str) -> None:
        """Let a node be gone, as if its process had been killed."""
        engine = self.engines[node]
        self.remove(engine, "disconnected")
        engine.crash()

    def cut(self, node: str) -> None:
        """Cut a node off, for so long that each side counts the other as gone."""
        engine = self._away[node] = self.engines[node]
        others = self.others(engine)
        self.remove(engine, "silent")
        engine.tell_engine(False)
        for each in others:
            engine.tell_node(each.me, "unreachable")

    def mend(self, node: str) -> None:
        """Let a node that was cut off come back, as another incarnation."""
        engine = self._away.pop(node)
        engine.begin_anew()
        engine.tell_engine(True)
        self.add(engine)


class LocalEngine:
    """The engine of one node on ``bus``, which is its own unless one is given."""

    def __init__(self, bus: Bus | None = None) -> None:
        self.me = Member("", "")
        self.counters: Counter[str] = Counter()
        self.topics: set[str] = set()
        self._bus = bus or Bus()
        self._base = ""
        self._lives = 0
        self._sink: Sink | None = None
        self._watchers: list[Watcher] = []
        self._told: dict[str, str] = {}
        self._waiting: deque[Callable[[], None]] = deque()
        self._is_due = False

    def start(self, me: Member, sink: Sink) -> None:
        """Be seen by the others on the bus."""
        self.me, self._base, self._sink = me, me.incarnation, sink
        self._bus.add(self)

    def stop(self) -> None:
        """Leave the others; what has not been told yet is not told. Idempotent."""
        self._bus.remove(self, "left")
        self.crash()

    def forked(self) -> None:
        """Tell nothing any more, in a forked child."""
        self.crash()

    def skew(self) -> float:
        """Return 0.0: the clock is the same."""
        return 0.0

    def drain(self) -> None:
        """Do nothing: what was sent is with its receiver."""

    def send(self, node: str, frame: bytes) -> bool:
        """Send a frame to a node; False when too many wait for it there."""
        self._check(frame)
        target = self._bus.engines.get(node)
        if target is None or target not in self._bus.others(self):
            self.counters["unknown node"] += 1
            return True
        return target.tell_frame(self.me.node, frame, None)

    def publish(self, topic: str, frame: bytes) -> bool:
        """Send a frame to every other node that has joined ``topic``; False as in ``send``.

        Those who have room get it all the same.
        """
        self._check(frame)
        there = [each for each in self._bus.others(self) if topic in each.topics]
        return all([each.tell_frame(self.me.node, frame, topic) for each in there])

    def join(self, topic: str) -> None:
        """Get what others publish on ``topic``."""
        self.topics.add(topic)

    def leave(self, topic: str) -> None:
        """Get it no more."""
        self.topics.discard(topic)

    def nodes(self) -> tuple[Member, ...]:
        """Return the other nodes that are there."""
        return tuple(each.me for each in self._bus.others(self))

    def claim(self, name: str, owner: str) -> str:
        """Take a name for ``owner`` unless it is taken; return its owner."""
        self._check_reachable()
        held = self._bus.owners.get(name)
        if held is not None:
            return held[0]
        self._bus.give(name, owner, self)
        return owner

    def release(self, name: str, owner: str) -> None:
        """Give a name back, if ``owner`` has it by this node's claim."""
        self._check_reachable()
        if self._bus.owners.get(name) == (owner, self):
            self._bus.give(name, None, self)

    def lookup(self, name: str) -> str | None:
        """Return the owner of a name, or None."""
        self._check_reachable()
        held = self._bus.owners.get(name)
        return held[0] if held else None

    def holds(self, name: str, owner: str) -> bool:
        """Whether ``owner`` has the name by this node's claim."""
        return self._bus.owners.get(name) == (owner, self)

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher(name, owner or None)`` for each name there is and each change after."""
        for name, owner in tuple(self._told.items()):
            watcher(name, owner)
        self._watchers.append(watcher)

    def tell_frame(self, source: str, frame: bytes, topic: str | None) -> bool:
        """Queue a frame for the sink; False when there is no room."""
        if len(self._waiting) >= MAX_WAITING:
            self.counters["inbox full"] += 1
            return False
        if self._sink is not None:
            self._later(partial(self._sink.on_frame, source, frame, topic))
        return True

    def tell_node(self, member: Member, reason: str | None) -> None:
        """Queue that a node has come, or that it is gone for a reason."""
        if self._sink is not None and reason is None:
            self._later(partial(self._sink.on_node_up, member))
        elif self._sink is not None and reason is not None:
            self._later(partial(self._sink.on_node_down, member, reason))

    def tell_engine(self, is_reachable: bool) -> None:
        """Queue whether the others can be reached."""
        if self._sink is not None:
            self._later(partial(self._sink.on_engine, is_reachable))

    def tell_name(self, name: str, owner: str | None) -> None:
        """Queue that a name has an owner, or none, unless that has been told."""
        if self._told.get(name) == owner:
            return
        if owner is None:
            del self._told[name]
        else:
            self._told[name] = owner
        for watcher in self._watchers:
            self._later(partial(watcher, name, owner))

    def crash(self) -> None:
        """Tell nothing any more."""
        self._sink = None
        self._watchers.clear()
        self._waiting.clear()

    def begin_anew(self) -> None:
        """Be another incarnation of the node."""
        self._lives += 1
        self.me = Member(self.me.node, f"{self._base}-{self._lives}")

    def _later(self, call: Callable[[], None]) -> None:
        self._waiting.append(call)
        if not self._is_due:
            self._is_due = True
            gevent.get_hub().loop.run_callback(self._tell)

    def _tell(self) -> None:
        self._is_due = False
        waiting = self._waiting
        for _ in range(min(len(waiting), _AT_ONCE)):
            if not waiting:
                return
            try:
                waiting.popleft()()
            except Exception:
                # It must not raise; that it did must not keep the rest from being told.
                self.counters["sink failed"] += 1
                log.exception("cluster: what node %s was told made it fail", self.me.node)
        if waiting and not self._is_due:
            self._is_due = True
            gevent.get_hub().loop.run_callback(self._tell)

    def _check(self, frame: bytes) -> None:
        if len(frame) > MAX_SIZE:
            raise EngineError(LOCAL, f"a frame has {len(frame)} bytes; {MAX_SIZE} at most")

    def _check_reachable(self) -> None:
        if self._bus.engines.get(self.me.node) is not self:
            raise EngineError(LOCAL, "this node is cut off, or has stopped")
