"""The applications of this OS process that can be measured: each tells of itself when it is made.

Source: Operations, "Metrics and health". They are kept weakly: an application that is gone is not
measured any more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol
from weakref import WeakSet

from greenrelay.runtime.node import Node
from greenrelay.transport.drain import Connections


class Source(Protocol):
    """An application: its node, which others may share, and its connections."""

    @property
    def node(self) -> Node:
        """What its processes run on."""

    @property
    def connections(self) -> Connections:
        """Its open sockets and streams."""


_sources: WeakSet[Source] = WeakSet()


def observe(source: Source) -> None:
    """Let ``source`` be measured, if anything is."""
    _sources.add(source)


def sources() -> tuple[Source, ...]:
    """Return the applications there are now."""
    return tuple(_sources)


def nodes(observed: Iterable[Source]) -> tuple[Node, ...]:
    """Return their nodes, each once; those that have stopped are left out."""
    found = {id(each.node): each.node for each in observed}
    return tuple(node for node in found.values() if not node.is_stopped)
