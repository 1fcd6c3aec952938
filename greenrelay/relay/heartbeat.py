"""Heartbeats of one relayed connection: when the next is due and what it says.

Source: WebSocket Relay, "Topics from the relay to the target", row ws.heartbeat. Times are
seconds on the caller's monotonic clock; nothing here reads a clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from greenrelay.errors import InvalidRelayCommand


@dataclass(slots=True)
class Heartbeat:
    """Schedule of one connection; raises InvalidRelayCommand unless ``interval`` is above 0 s."""

    client_pid: str
    interval: float
    opened_at: float
    due_at: float = field(init=False)

    def __post_init__(self) -> None:
        self.restart(self.interval, self.opened_at)

    def restart(self, interval: float, now: float) -> None:
        """Beat every ``interval`` seconds from ``now`` on; uptime still counts from the opening."""
        if not 0 < interval < math.inf:
            raise InvalidRelayCommand("heartbeat_interval", interval, "must be above 0 s")
        self.interval = interval
        self.due_at = now + interval

    def beat(
        self,
        now: float,
        message_count: int,
        *,
        metadata: dict[str, object],
        rtt: float | None = None,
        queued: int = 0,
    ) -> dict[str, object]:
        """Return the payload and move ``due_at`` to the first beat after ``now``.

        Shape: {"client_pid": str, "uptime": float, "message_count": int, "metadata": dict,
        "rtt": float | None, "queued": int}, uptime and rtt in seconds. Beats the connection was
        too busy to send are skipped, not sent late.
        """
        if self.due_at <= now:
            # Counted, not added one by one: a busy hour is many beats of a short interval.
            missed = math.floor((now - self.due_at) / self.interval)
            due_at = self.due_at + (missed + 1) * self.interval
            # An interval that drowns in the clock's rounding must still move on.
            self.due_at = max(due_at, math.nextafter(now, math.inf))
        return {
            "client_pid": self.client_pid,
            "uptime": now - self.opened_at,
            "message_count": message_count,
            "metadata": metadata,
            "rtt": rtt,
            "queued": queued,
        }
