"""Process hosts: the bounds of the processes that carry their id.

Source: Processes, "Hosts, inboxes, back-pressure".
"""

from __future__ import annotations

from greenrelay.core.pid import Pid


class Host:
    """One ``process.host``: its limits, and how many processes it carries now.

    ``overflow`` is ``refuse``, ``drop_oldest``, ``drop_newest`` or ``block``, and
    ``block_timeout`` the seconds a sender waits under ``block``. ``dropped`` counts messages.
    """

    __slots__ = (
        "block_timeout",
        "count",
        "dropped",
        "id",
        "inbox_limit",
        "max_processes",
        "overflow",
        "prefix",
    )

    def __init__(
        self,
        id: str,
        *,
        max_processes: int = 100_000,
        inbox_limit: int = 10_000,
        overflow: str = "refuse",
        block_timeout: float = 5.0,
    ) -> None:
        self.id = id
        self.max_processes = max_processes
        self.inbox_limit = inbox_limit
        self.overflow = overflow
        self.block_timeout = block_timeout
        self.count = 0
        self.dropped = 0
        self.prefix = ""

    def bind(self, node_id: str) -> None:
        """Let PIDs of this host be PIDs of ``node_id``; raises InvalidPid for a bad id."""
        self.prefix = str(Pid(node_id, self.id, 0)).removesuffix("0}")
