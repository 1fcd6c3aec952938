"""Who asks about a node, and what is kept between two of his questions.

Source: Operations, "Dashboard". A page has one, and so have the dashboards of all other nodes
together.
"""

from __future__ import annotations

from typing import Any

from greenrelay.dashboard.hearing import Hearing
from greenrelay.dashboard.overview import Lag
from greenrelay.dashboard.processes import Depths, Found
from greenrelay.dashboard.scope import Relayed, Scope
from greenrelay.dashboard.walk import Kept
from greenrelay.dashboard.watching import row_of
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.transport.tap import Tail, look, look_away


class Reader:
    """The lists that were made of late, and the tails that are looked at."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.lag = Lag(scope.node)
        self.depths = Depths()
        self.totals: Kept[dict[str, Any]] = Kept()
        self.sockets: Kept[list[str]] = Kept()
        self.processes: Kept[Found] = Kept()
        self._tails: dict[str, tuple[Relayed, Tail]] = {}
        self._hearings: dict[str, Hearing] = {}

    def close(self) -> None:
        """Look at nothing any more."""
        self.lag.stop()
        for each in (*self._tails, *self._hearings):
            self.look_away(each)

    def look(self, relayed: Relayed) -> None:
        """Begin to look at the traffic of a socket; that of dashboards would never end."""
        if relayed.pid not in self._tails and not is_of_dashboard(relayed):
            self._tails[relayed.pid] = relayed, look(relayed)

    def listen(self, process: FunctionProcess) -> None:
        """Begin to listen to what a process is sent."""
        known = self._hearings.get(process.pid)
        if known is None:
            self._hearings[process.pid] = Hearing(process)
        else:
            known.refresh()

    def look_away(self, pid: str) -> None:
        """Look at it no more."""
        found, hearing = self._tails.pop(pid, None), self._hearings.pop(pid, None)
        if found is not None:
            look_away(*found)
        if hearing is not None:
            hearing.stop()

    def traffic(self, pid: str) -> dict[str, Any]:
        """Return what went over a socket, or came to a process, since the last time."""
        found, hearing = self._tails.get(pid), self._hearings.get(pid)
        tail = found[1] if found is not None else hearing.tail if hearing is not None else Tail()
        seen, missed = tail.take()
        return {"seen": [row_of(each) for each in seen], "missed": missed}


def is_of_dashboard(relayed: Relayed) -> bool:
    """Whether a socket is that of a dashboard's page."""
    metadata = relayed.session.metadata
    return bool(metadata) and "dashboard" in metadata and "/socket" in relayed.session.path
