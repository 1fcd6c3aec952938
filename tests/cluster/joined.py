"""Nodes of this OS process that are joined, over a wire that a test can spoil."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from gevent.event import Event as Flag

from greenrelay.cluster.local import Bus, LocalEngine
from greenrelay.cluster.mesh import Mesh
from greenrelay.runtime.node import Node
from tests.probe import Probe, settle, wait_for


class Wire(LocalEngine):
    """The engine of one node; what it sends can be lost, doubled, held back and refused."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        # How often a frame arrives; by default once.
        self.copies: Callable[[bytes], int] = lambda frame: 1
        self.is_full = False
        self.sent = 0
        # Names are given back when it is set.
        self.may_release = Flag()
        self.may_release.set()
        self.looked_up: list[str] = []
        self._held: list[tuple[str, bytes]] | None = None

    def send(self, node: str, frame: bytes) -> bool:
        if self.is_full:
            return False
        self.sent += 1
        if self._held is not None:
            self._held.append((node, frame))
            return True
        return all([super(Wire, self).send(node, frame) for _ in range(self.copies(frame))])

    def lookup(self, name: str) -> str | None:
        self.looked_up.append(name)
        return super().lookup(name)

    def release(self, name: str, owner: str) -> None:
        self.may_release.wait()
        super().release(name, owner)

    def lose(self, number: int) -> None:
        """Lose the next frames."""
        left = iter(range(number))
        self.copies = lambda frame: int(next(left, None) is None)

    def hold(self) -> None:
        """Hold frames back from now on."""
        self._held = []

    def let_go(self, *, backwards: bool = False) -> None:
        """Send what was held back, in its order or the other way round."""
        held = self.take()
        for node, frame in reversed(held) if backwards else held:
            self.send(node, frame)

    def take(self) -> list[tuple[str, bytes]]:
        """Return what was held back, and hold nothing back from now on."""
        held, self._held = self._held or [], None
        return held


class Joined:
    """The nodes of a test."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.nodes: list[Node] = []
        self.probes: list[Probe] = []

    def add(self, name: str, **options: Any) -> Node:
        """Start one more node; returns when all see each other."""
        node = self.alone(name, cluster=Wire(self.bus), **options)
        self.see_each_other()
        return node

    def alone(self, name: str, **options: Any) -> Node:
        """Start one more node, which may join the others later."""
        node = Node(name, **options)
        self.nodes.append(node)
        return node

    def see_each_other(self) -> None:
        """Wait until each node can send to each other one."""
        wait_for(lambda: all(self._is_joined(node) for node in self.nodes))

    def _is_joined(self, node: Node) -> bool:
        links = mesh_of(node).links
        others = {each.id for each in self.nodes} - {node.id}
        return set(links) == others and all(link.session.is_open for link in links.values())

    def probe(self, node: Node, **options: Any) -> Probe:
        """Start a probe that ends with the test."""
        probe = Probe(node, **options)
        self.probes.append(probe)
        return probe

    def crash(self, node: Node) -> None:
        """Let a node be gone as if it had been killed; its processes know nothing of it."""
        self.bus.crash(node.id)

    def settle(self) -> None:
        """Let everything arrive that is on its way."""
        for _ in range(3):
            for node in self.nodes:
                settle(node)

    def close(self) -> None:
        """End the probes and the nodes."""
        for probe in self.probes:
            probe.close()
        for node in self.nodes:
            node.shutdown(1.0)


def mesh_of(node: Node) -> Mesh:
    """Return the mesh of a node."""
    assert isinstance(node.cluster, Mesh)
    return node.cluster


def wire_of(node: Node) -> Wire:
    """Return the engine of a node."""
    wire = mesh_of(node).engine
    assert isinstance(wire, Wire)
    return wire


def counts(node: Node) -> dict[str, int]:
    """Return what a node has dropped, refused or left out."""
    return dict(mesh_of(node).counts)


@pytest.fixture
def joined() -> Iterator[Joined]:
    """No node yet; what the test adds is ended with it."""
    joined = Joined()
    yield joined
    joined.close()


@pytest.fixture
def one(joined: Joined) -> Node:
    """A node."""
    return joined.add("one")


@pytest.fixture
def two(joined: Joined, one: Node) -> Node:
    """Another node, joined with the first."""
    return joined.add("two")


@pytest.fixture
def here(joined: Joined, one: Node, two: Node) -> Probe:
    """A process of the first node."""
    return joined.probe(one)


@pytest.fixture
def there(joined: Joined, two: Node) -> Probe:
    """A process of the second node."""
    return joined.probe(two)
