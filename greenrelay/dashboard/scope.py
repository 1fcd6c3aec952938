"""What one dashboard shows, and to whom."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from greenrelay.config.dashboard import FULL
from greenrelay.config.resolve import Configuration
from greenrelay.http.state import AppState
from greenrelay.metrics.source import sources
from greenrelay.runtime.node import Node
from greenrelay.transport.connection import Connection
from greenrelay.transport.stream import Stream

Relayed = Connection | Stream


@dataclass(frozen=True, slots=True)
class Scope:
    """A node with all its apps, for one reader.

    ``in_force`` returns the configuration, ``token`` is what an action must bring, ``who`` is for
    the log, and ``ends_at`` is when the reader's session ends, in seconds since the epoch.
    """

    node: Node
    in_force: Callable[[], Configuration]
    role: str
    token: str = field(repr=False)
    who: str = ""
    ends_at: float | None = None

    @property
    def may_act(self) -> bool:
        """Whether the reader may change anything."""
        return self.role == FULL

    def states(self) -> list[AppState]:
        """Return what the apps of the node have of greenrelay."""
        return states_of(self.node)

    def relayed(self) -> list[Relayed]:
        """Return all open sockets and streams, the oldest of each app first."""
        return relayed_of(self.node)

    def find(self, pid: str) -> Relayed | None:
        """Return an open socket or stream."""
        process = self.node.processes.get(pid)
        return process if isinstance(process, (Connection, Stream)) else None


def states_of(node: Node) -> list[AppState]:
    """Return what the apps of a node have of greenrelay."""
    found = [each for each in sources() if isinstance(each, AppState) and each.node is node]
    return sorted(found, key=lambda state: state.host.id)


def relayed_of(node: Node) -> list[Relayed]:
    """Return all open sockets and streams of a node."""
    return [each for state in states_of(node) for each in state.connections]
