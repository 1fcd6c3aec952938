"""What nodes of a cluster have counted, as the metrics show it.

Source: Operations, "Metrics and health", and Cluster, "Rules": each drop or refusal is counted with
its reason. The room ``cluster`` is loaded only where a node is given an engine, so what is read of
it is written down here.

Theory. A session numbers its frames within an epoch, so nothing has to be counted when a frame
passes: what has come since the last reading is the difference of two numbers. What an epoch has
carried between the last reading and its end is not seen.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Mapping, Sized
from dataclasses import dataclass, field
from typing import Protocol, cast

from greenrelay.runtime.node import Node

RESENT = "resent"
REFUSED = frozenset({"ring_full", "outbox_full", "too_many_requests"})
# Frames and messages; the rest of what is counted is none of these.
DROPPED = frozenset(
    {
        "malformed",
        "too_large",
        "unknown_version",
        "unknown_kind",
        "bad_frame",
        "unknown_node",
        "stale_epoch",
        "repeated",
        "out_of_order",
        "stale_again",
        "bad_ack",
        "bundle_refused",
        "no_process",
        "inbox_full",
        "refused",
        "failed",
        "frame_of_a_dead_incarnation",
        "frame_of_a_life_before",
        "frame_too_large",
        "foreign_subject",
        "unknown_word",
        "unknown_event",
        "handler_failed",
        "sink_failed",
    }
)


class Session(Sized, Protocol):
    """The session of two nodes; its length is what has not been acknowledged."""

    epoch: int
    remote: int
    _next: int
    _expected: int


class Link(Protocol):
    """The link to another node."""

    session: Session


class Engine(Protocol):
    """What carries the frames."""

    @property
    def counters(self) -> Tally[str]:
        """How often what was dropped or refused."""


class Mesh(Protocol):
    """What a node knows as its cluster."""

    is_reachable: bool
    counts: Tally[str]
    links: Mapping[str, Link]
    names: Sized
    engine: Engine


@dataclass(slots=True)
class Figures:
    """What is so now: whether the engine is reachable, how many there are of what, waiting frames.

    ``waiting`` has a number for each link.
    """

    is_reachable: bool
    others: int
    names: int
    waiting: list[int] = field(default_factory=list)


@dataclass(slots=True)
class _Seen:
    epoch: int = 0
    sent: int = 0
    remote: int = 0
    received: int = 0


class ClusterReader:
    """Reads the clusters of nodes; ``sent`` and ``received`` are all frames seen of a node's."""

    def __init__(self) -> None:
        self._seen: dict[str, dict[Link, _Seen]] = {}
        self.sent: Tally[str] = Tally()
        self.received: Tally[str] = Tally()

    def read(self, node: Node) -> Figures | None:
        """Return what is so now and add up the frames; None for a node in no cluster."""
        if node.cluster is None:
            return None
        mesh = cast(Mesh, node.cluster)
        links = tuple(mesh.links.values())
        seen = self._seen.get(node.id, {})
        # Links that are no more are forgotten.
        self._seen[node.id] = {
            link: self._add(node.id, link.session, seen.get(link)) for link in links
        }
        waiting = [len(link.session) for link in links]
        return Figures(mesh.is_reachable, len(links), len(mesh.names), waiting)

    def keep(self, nodes: Iterable[Node]) -> None:
        """Forget all nodes but these."""
        ids = {node.id for node in nodes}
        for gone in self._seen.keys() - ids:
            del self._seen[gone], self.sent[gone], self.received[gone]

    def _add(self, node: str, session: Session, last: _Seen | None) -> _Seen:
        # Each number begins at 1, and anew with its epoch.
        now = _Seen(session.epoch, session._next - 1, session.remote, session._expected - 1)
        last = last or _Seen()
        self.sent[node] += now.sent - (last.sent if last.epoch == now.epoch else 0)
        self.received[node] += now.received - (last.received if last.remote == now.remote else 0)
        return now


def reasons_of(node: Node) -> Iterator[tuple[str, int]]:
    """Return what a node and its engine have counted, by words that can be labels."""
    mesh = cast(Mesh, node.cluster)
    for counts in (mesh.counts, mesh.engine.counters):
        for word, count in tuple(counts.items()):
            yield word.replace(":", "").replace(" ", "_"), count
