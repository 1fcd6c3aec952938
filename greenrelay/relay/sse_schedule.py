"""What a stream does by the clock: comments, ``sse.heartbeat``, and its timeouts.

Source: Server-sent Events Relay, fields ``heartbeat_interval``, ``idle_timeout``,
``hard_timeout``. Times are seconds on the caller's monotonic clock; nothing here reads a clock.

Theory. Only an event is a sign of life that puts the idle timeout off: a comment is not. The hard
timeout counts from the opening, also where it is set later. Of what is due in one moment an end
comes first, and what was missed while nobody looked is done once.
"""

from __future__ import annotations

IDLE_TIMEOUT = "idle timeout"
HARD_TIMEOUT = "hard timeout"


class Schedule:
    """The times of one stream; 0 and None are off. ``active_at`` is when the last event went."""

    __slots__ = ("_beat_at", "_heartbeat", "_ping", "_ping_at", "active_at", "hard", "idle")

    def __init__(self, now: float, ping: float = 0.0) -> None:
        self.active_at = now
        self.idle: float | None = None
        # When the stream has to end, not after how long.
        self.hard: float | None = None
        self._ping = ping
        self._ping_at: float | None = now + ping if ping else None
        self._heartbeat: float | None = None
        self._beat_at: float | None = None

    def set_heartbeat(self, interval: float | None, now: float) -> None:
        """Beat every ``interval`` seconds from ``now`` on, or no more."""
        self._heartbeat = interval
        self._beat_at = now + interval if interval else None

    def set_idle(self, timeout: float | None, now: float) -> None:
        """End after ``timeout`` seconds without an event, from ``now`` on, or never."""
        self.idle = timeout
        self.active_at = now

    @property
    def due_at(self) -> float | None:
        """When to look next; None is never."""
        idle_at = self.active_at + self.idle if self.idle else None
        times = (self._ping_at, self._beat_at, self.hard, idle_at)
        return min((time for time in times if time is not None), default=None)

    def end_due(self, now: float) -> str:
        """Return the reason if the stream has to end by ``now``, else ""."""
        if self.hard is not None and self.hard <= now:
            return HARD_TIMEOUT
        if self.idle and self.active_at + self.idle <= now:
            return IDLE_TIMEOUT
        return ""

    def ping_due(self, now: float) -> bool:
        """Whether a comment is due; the next one is a full interval from ``now``."""
        if self._ping_at is None or self._ping_at > now:
            return False
        self._ping_at = now + self._ping
        return True

    def beat_due(self, now: float) -> bool:
        """Whether a heartbeat is due; the next one is a full interval from ``now``."""
        if self._beat_at is None or self._heartbeat is None or self._beat_at > now:
            return False
        self._beat_at = now + self._heartbeat
        return True
