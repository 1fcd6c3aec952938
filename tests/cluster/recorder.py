"""A sink that records what it is told, and engines that end with their test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from greenrelay.cluster.engine import Engine, Member
from tests.probe import wait_for

Told = tuple[object, ...]


@dataclass
class Recorder:
    """What an engine has told, in its order; ``frames`` are (source, frame, topic)."""

    told: list[Told] = field(default_factory=list)
    frames: list[tuple[str, bytes, str | None]] = field(default_factory=list)
    names: list[tuple[str, str | None]] = field(default_factory=list)

    def on_frame(self, source: str, frame: bytes, topic: str | None) -> None:
        self.frames.append((source, frame, topic))

    def on_node_up(self, member: Member) -> None:
        self.told.append(("up", member.node, member.incarnation))

    def on_node_down(self, member: Member, reason: str) -> None:
        self.told.append(("down", member.node, member.incarnation, reason))

    def on_gap(self, source: str) -> None:
        self.told.append(("gap", source))

    def on_engine(self, is_reachable: bool) -> None:
        self.told.append(("engine", is_reachable))

    def on_name(self, name: str, owner: str | None) -> None:
        self.names.append((name, owner))

    def data(self) -> list[bytes]:
        """Return the frames alone."""
        return [frame for _, frame, _ in self.frames]

    def wait_told(self, *told: object, timeout: float = 30.0) -> None:
        """Wait until that has been told."""
        wait_for(lambda: told in self.told, timeout)


@dataclass
class Node:
    """An engine and who is told."""

    engine: Engine
    sink: Recorder


def meet(*nodes: Node) -> None:
    """Wait until each of the nodes sees all others."""

    def all_seen() -> bool:
        return all(len(node.engine.nodes()) >= len(nodes) - 1 for node in nodes)

    wait_for(all_seen)


Join = Callable[..., Node]


def owning(join: Join) -> tuple[Node, Node]:
    """Join two nodes, the first of which owns a name that both have heard of."""
    first, second = join("a"), join("b")
    meet(first, second)
    assert first.engine.claim("n", "pa") == "pa"
    wait_for(lambda: all(("n", "pa") in each.sink.names for each in (first, second)))
    return first, second
