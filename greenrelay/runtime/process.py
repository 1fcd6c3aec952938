"""Processes: what every kind of them has.

Source: Processes. A Process is the record behind one PID; what differs between kinds is what
they do with a message, an event and the order to end. One kind runs a function
(``function_process.py``), another is a WebSocket connection (``transport/connection.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from greenlet import greenlet

from greenrelay.core.events import Event, Result
from greenrelay.core.message import NO_CONTEXT, Message
from greenrelay.core.pid import Pid
from greenrelay.runtime.entry import entry_name
from greenrelay.runtime.task import RUNNING
from greenrelay.runtime.waiter import Waiter

if TYPE_CHECKING:
    from greenrelay.runtime.host import Host
    from greenrelay.runtime.node import Node


class Process:
    """One process; ``deliver``, ``deliver_event`` and ``end`` are what its kind decides."""

    __slots__ = (
        "born_at",
        "context",
        "entry_object",
        "greenlet",
        "host",
        "is_related",
        "node",
        "pid",
        "sent",
        "state",
        "trap_links",
        "waiters",
    )

    def __init__(self, node: Node, host: Host, pid: Pid, entry: object) -> None:
        self.node = node
        self.host = host
        self.pid = pid
        # What it runs: a callable or an id; upgrade() changes it.
        self.entry_object = entry
        self.state = RUNNING
        self.trap_links = False
        self.greenlet: greenlet | None = None
        self.born_at = monotonic()
        self.sent = 0
        self.context: Mapping[str, object] = NO_CONTEXT
        # Whether a link, a monitor, a name, a group or a waiter may exist: if not, its ending
        # concerns nobody and the supervisor need not be woken for it.
        self.is_related = False
        self.waiters: dict[Waiter, None] | None = None

    @property
    def entry(self) -> str:
        """The name of what it runs."""
        return entry_name(self.entry_object)

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

    def depth(self) -> int:
        """How many messages wait unread."""
        return 0

    def high_water(self) -> int:
        """The most messages that ever waited unread."""
        return 0
