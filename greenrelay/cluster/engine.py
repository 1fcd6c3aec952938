"""What a cluster needs of an engine, and what the engine tells the cluster.

Source: Cluster, "The engine". An engine carries bytes between nodes, says who is there, and keeps a
table of names that at most one may own. It knows nothing of processes. Nothing here waits but what
says so; what the engine tells comes on the hub, in the order in which it happened, and whoever is
told must not wait either.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

Watcher = Callable[[str, str | None], None]
# How the last part of the id of who looks at an engine begins; that of a node is hexadecimal.
_LOOKER = "look-"


@dataclass(frozen=True, slots=True)
class Member:
    """A node as the engine knows it: its id, and which of its lives this is."""

    node: str
    incarnation: str


def looker(name: str) -> Member:
    """Return who looks at an engine as the node ``name`` would, and is none to the others."""
    return Member(f"{name}.{_LOOKER}{secrets.token_hex(4)}", "1")


def is_looker(member: Member) -> bool:
    """Whether it only looks at the engine and has no processes."""
    return member.node.rpartition(".")[2].startswith(_LOOKER)


class Sink(Protocol):
    """Who is told; all of it runs on the hub and must neither wait nor raise."""

    def on_frame(self, source: str, frame: bytes, topic: str | None) -> None:
        """A frame has come from a node: to this node alone, or to a topic it has joined."""

    def on_node_up(self, member: Member) -> None:
        """A node has come, or has come back as another incarnation.

        It may also be the same one again, where it was this node that had been cut off.
        """

    def on_node_down(self, member: Member, reason: str) -> None:
        """That incarnation of a node is gone, or counts as gone: it is told once.

        ``reason`` is "left", "disconnected" (the server says so), "silent", "replaced" (by another
        incarnation), or "unreachable": this node has been cut off and counts all as gone.
        """

    def on_gap(self, source: str) -> None:
        """Frames of a node that is there, or to it, may have been lost: a connection broke."""

    def on_engine(self, is_reachable: bool) -> None:
        """The engine is not reachable any more, or is again; ``start`` is not told.

        Before it is reachable again after some seconds, all nodes have gone and all claims of this
        node are lost, and ``Engine.me`` is another incarnation.
        """


class Engine(Protocol):
    """One engine, for one node; it is started once, and stopped for good."""

    @property
    def me(self) -> Member:
        """This node as the others know it: another incarnation after it was cut off."""

    @property
    def counters(self) -> Counter[str]:
        """How often what was dropped or refused, by its reason."""

    def start(self, me: Member, sink: Sink) -> None:
        """Connect and be seen; may wait. Raises EngineError when that cannot be."""

    def send(self, node: str, frame: bytes) -> bool:
        """Send a frame to a node; False when the bounded queue to the engine is full.

        To a node that is not there it is dropped and counted. Raises EngineError for one of more
        than 1 MiB.
        """

    def publish(self, topic: str, frame: bytes) -> bool:
        """Send a frame to every other node that has joined ``topic``; False as in ``send``."""

    def join(self, topic: str) -> None:
        """Get what is published on ``topic``."""

    def leave(self, topic: str) -> None:
        """Get it no more."""

    def nodes(self) -> tuple[Member, ...]:
        """Return the other nodes that are there."""

    def claim(self, name: str, owner: str) -> str:
        """Take a name for ``owner`` unless it is taken, and return its owner; waits.

        The claim holds while this node renews it, which the engine does by itself until the node
        is gone or does not reach the engine. A claim that is lost is told to the watchers as a
        name without owner, before another node can take it. Raises EngineError when the engine
        cannot say.
        """

    def release(self, name: str, owner: str) -> None:
        """Give a name back, if ``owner`` has it; waits, and raises as ``claim``."""

    def lookup(self, name: str) -> str | None:
        """Return the owner of a name, or None; may wait, and raises as ``claim``."""

    def holds(self, name: str, owner: str) -> bool:
        """Whether ``owner`` has a name by this node's claim, by its clock; never waits."""

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher(name, owner or None)`` for each name there is and each change after."""

    def forked(self) -> None:
        """Be no more, in a forked child, where all of this is the parent's; must not wait."""

    def skew(self) -> float:
        """Return by how many seconds the server's clock is ahead of this machine's; waits."""

    def drain(self) -> None:
        """Send what waits to be sent; waits, a few seconds at most."""

    def stop(self) -> None:
        """Say that this node leaves, and disconnect; idempotent."""

    def crash(self) -> None:
        """Be gone without a word, as if the program had been killed; a stop does nothing then."""
