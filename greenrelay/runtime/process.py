"""Processes: what every kind of them has.

Source: Processes. A Process is the record behind one PID; what differs between kinds is what
they do with a message, an event and the order to end. One kind runs a function
(``function_process.py``), another is a WebSocket connection (``transport/connection.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from greenlet import greenlet

from greenrelay.core.events import Event, Result
from greenrelay.core.message import NO_CONTEXT, Message, ReplySlot
from greenrelay.core.pid import Pid
from greenrelay.core.plain import check_plain
from greenrelay.core.strategy import Child
from greenrelay.core.topology import Topology
from greenrelay.runtime.entry import entry_name
from greenrelay.runtime.task import DEAD, NO_SIGNAL, RUNNING, Task
from greenrelay.runtime.waiter import Waiter

if TYPE_CHECKING:
    from greenrelay.runtime.host import Host
    from greenrelay.runtime.node import Node


class Process(Task):
    """One process; ``deliver``, ``deliver_event`` and ``end`` are what its kind decides."""

    __slots__ = (
        "born_at",
        "calling",
        "context",
        "entry_object",
        "host",
        "is_related",
        "is_shared",
        "is_strict",
        "node",
        "outlet",
        "pid",
        "sent",
        "table",
        "trap_links",
        "waiters",
    )

    def __init__(self, node: Node, host: Host, pid: Pid, entry: object) -> None:
        self.begin(node, host, pid, entry, node.timers.now())

    def begin(self, node: Node, host: Host, pid: Pid, entry: object, now: float) -> None:
        """Set what a new process has; ``now`` is the time of its birth."""
        self.state = RUNNING
        self.signal = NO_SIGNAL
        self.greenlet: greenlet | None = None
        self.resume: Any = None
        self.node = node
        # The live processes of the node; an attribute less on the way of each message.
        self.table = node.processes
        self.host = host
        self.pid = pid
        # What it runs: a callable or an id; upgrade() changes it.
        self.entry_object = entry
        self.trap_links = False
        # Whether a message must be what could leave the node.
        self.is_strict = node.strict_payloads
        self.born_at = now
        self.sent = 0
        # Told whom it sends what, only while somebody looks: see dashboard/hearing.py.
        self.outlet: Callable[[str, str, object], object] | None = None
        self.context: Mapping[str, object] = NO_CONTEXT
        # Whether a link, a monitor, a name, a group or a waiter may exist: if not, its ending
        # concerns nobody and the supervisor need not be woken for it.
        self.is_related = False
        # Whether it may have a name or be in a group.
        self.is_shared = False
        self.waiters: dict[Waiter, None] | None = None
        # Whom it waits for in call or exec: see wait_cycle.py.
        self.calling: Process | None = None

    @property
    def is_remote(self) -> bool:
        """Whether it stands for a process of another node."""
        return False

    @property
    def entry(self) -> str:
        """The name of what it runs."""
        return entry_name(self.entry_object)

    def post(
        self,
        topic: str,
        payload: object,
        sender: Pid | None,
        context: Mapping[str, object],
        slot: ReplySlot | None,
    ) -> bool:
        """Make a message and deliver it: the one place where messages on their way are made."""
        # A Child is for a supervisor, which is of this node.
        if self.is_strict and payload.__class__ is not Child:
            check_plain(payload)
        message = Message.__new__(Message)
        return self.deliver(message.fill(topic, payload, sender, context, slot))

    def deliver(self, message: Message) -> bool:
        """Take a message; False when the process takes none any more.

        Raises InboxFull, and whatever else the kind says of a bad payload.
        """
        raise AssertionError("a kind of process says what it does with a message")

    def deliver_surely(self, message: Message) -> bool:
        """Take a message that no limit may refuse, such as ws.join and ws.leave."""
        return self.deliver(message)

    def deliver_event(self, event: Event) -> None:
        """Take a lifecycle event."""
        raise AssertionError("a kind of process says what it does with an event")

    def end(self, result: Result) -> None:
        """End with ``result``, which cannot be trapped; only the first result counts."""
        raise AssertionError("a kind of process says how it ends")

    def finish(self, result: Result, error: BaseException | None = None) -> None:
        """Leave the table and have the ending told; only the first time."""
        if self.state == DEAD:
            return
        self.state = DEAD
        self.table.pop(self.pid, None)
        self.host.count -= 1
        if self.node.kills:
            # It was cancelled, it may be, and has not waited for its deadline.
            for timer in self.node.kills.pop(self.pid, ()):
                timer.cancel()
        if self.is_shared:
            # At once: who hears of the ending, from the supervisor or from monitor() with noproc,
            # finds the name free.
            self.node.names.release(self.pid)
            self.node.groups.ended(self.pid)
            if self.node.cluster is not None:
                self.node.cluster.names.release(self.pid)
        if self.is_related and self._is_awaited():
            self.node.supervisor.report(self, result, error)
        self.let_go()
        if not self.table:
            self.node.is_empty()

    def _is_awaited(self) -> bool:
        if self.waiters:
            return True
        topology: Topology = self.node.topology
        return topology.concerns(self.pid)

    def hung_up(self, waiter: Waiter) -> None:
        """Notice that who called it waits no more; only a process of another node has to."""

    def let_go(self) -> None:
        """Drop what only a live process needs; called once, when it has ended."""
        self.greenlet = None

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when the process can take messages again."""
        function()

    @property
    def received(self) -> int:
        """How many messages it has taken."""
        return 0

    @property
    def dropped(self) -> int:
        """How many messages its full inbox has thrown away."""
        return 0

    def depth(self) -> int:
        """How many messages wait unread."""
        return 0

    def high_water(self) -> int:
        """The most messages that ever waited unread."""
        return 0
