"""The nodes that come and go, as a channel of a process; ``greenrelay.process`` hands it on.

Source: Cluster, "What changes for a program". This loads nothing that is an extra: a program
without a cluster may ask too, and hears that there is nobody else.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from greenrelay.runtime.abroad import require_cluster
from greenrelay.runtime.channel import Channel
from greenrelay.runtime.current import current_node, require_process
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.task import WAITING


@dataclass(frozen=True, slots=True)
class NodeUp:
    """NODE_UP: the node of that id is there."""

    kind: ClassVar[str] = "NODE_UP"
    node: str


@dataclass(frozen=True, slots=True)
class NodeDown:
    """NODE_DOWN: the node of that id is gone, or counts as gone; ``reason`` is a word for why."""

    kind: ClassVar[str] = "NODE_DOWN"
    node: str
    reason: str


NodeEvent = NodeUp | NodeDown


class NodeEvents(Channel):
    """NODE_UP and NODE_DOWN of the other nodes, in order; there is no limit.

    Iteration ends when the process is cancelled and all is read, unless it reads ``events()``, and
    when the channel is closed.
    """

    __slots__ = ("_events", "_stop", "is_closed")

    def __init__(self, process: FunctionProcess, stop: Callable[[NodeEvents], object]) -> None:
        super().__init__(process)
        self._stop = stop
        self._events: deque[NodeEvent] = deque()
        self.is_closed = False

    def __len__(self) -> int:
        return len(self._events)

    def __bool__(self) -> bool:
        return True

    @property
    def watcher(self) -> FunctionProcess:
        """The process that reads it."""
        return self._process

    def put(self, event: NodeEvent) -> None:
        """Append an event; the cluster does that."""
        self._events.append(event)
        self._process.wake_up()

    def close(self) -> None:
        """Watch no more; what is unread is thrown away. Closing again changes nothing."""
        if not self.is_closed:
            self.is_closed = True
            self._events.clear()
            self._stop(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take(self) -> Any:
        if self.is_closed:
            raise ValueError("this channel of nodes is closed: nothing comes")
        return self._events.popleft() if self._events else None

    def receive(self, timeout: float | str | None = None) -> NodeEvent:
        """Wait for the next one and return it; raises Timeout, ProcessExit."""
        event: NodeEvent = self._await(timeout)
        return event

    def get_nowait(self) -> NodeEvent:
        """Return the next one without waiting; raises Timeout when there is none."""
        event: NodeEvent = self._take_now()
        return event

    def __iter__(self) -> Iterator[NodeEvent]:
        return self

    def __next__(self) -> NodeEvent:
        process = self._process
        while not self.is_closed:
            event: NodeEvent | None = self._take()
            if event is not None:
                return event
            if process.mailbox.cancels and not process.reads_events:
                break
            process.wait(WAITING)
        raise StopIteration


def nodes() -> tuple[str, ...]:
    """Return the ids of the other nodes that are there; none without a cluster."""
    cluster = current_node("nodes").cluster
    return () if cluster is None else cluster.nodes()


def node_events() -> NodeEvents:
    """Return a channel of the nodes that come and go from now on; nodes() says who is there.

    Each call is a channel of its own; ``close()`` ends it, and so does the ending of this process.
    Raises ValueError on a node without a cluster.
    """
    process = require_process("node_events")
    channel: NodeEvents = require_cluster(process.node).watch(process)
    return channel
