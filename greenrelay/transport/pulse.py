"""What a connection does by the clock: ws.heartbeat to its target, pings to its client.

Source: WebSocket Relay, "Topics from the relay to the target" and "Options", rows ping.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from greenrelay.relay.heartbeat import Heartbeat
from greenrelay.runtime.timers import Alarm, Timer
from greenrelay.transport.target import tell_beat

if TYPE_CHECKING:
    from greenrelay.transport.connection import Connection


class Pulse:
    """The timers of one connection; ``rtt`` is the last ping's round trip in seconds, or None."""

    __slots__ = (
        "_awaits_pong",
        "_beat_timer",
        "_connection",
        "_heartbeat",
        "_is_overdue",
        "_number",
        "_sent_at",
        "alarm",
        "deadline",
        "rtt",
        "was_seen",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._heartbeat: Heartbeat | None = None
        self._beat_timer: Timer | None = None
        # Of the next ping, or of the answer to the last one.
        self.deadline: float | None = None
        self.alarm: Alarm | None = None
        self._awaits_pong = False
        self._is_overdue = False
        self._number = 0
        self._sent_at: float | None = None
        self.rtt: float | None = None
        self.was_seen = False

    def start(self) -> None:
        """Begin to ping, if an interval is set."""
        connection = self._connection
        if connection is not None and connection.limits.ping_interval:
            # Spread, so that connections that opened together do not ping together for ever.
            delay = connection.limits.ping_interval * random.uniform(0.9, 1.0)
            self._wake_in(connection, delay)

    def stop(self) -> None:
        """End all timers and let go of the connection: what is over is freed at once."""
        self._heartbeat = self._connection = None
        for timer in (self._beat_timer, self.alarm):
            if timer is not None:
                timer.cancel()
        self._beat_timer = self.alarm = self.deadline = None

    def set_heartbeat(self, interval: float | None) -> None:
        """Send ws.heartbeat each ``interval`` seconds from now on, or no more."""
        if self._beat_timer is not None:
            self._beat_timer.cancel()
            self._beat_timer = None
        self._heartbeat = None
        connection = self._connection
        if interval and connection is not None:
            self._heartbeat = Heartbeat(connection.pid, interval, connection.opened_at)
            self._heartbeat.restart(interval, connection.node.timers.now())
            self._beat_timer = connection.node.timers.call_after(interval, self._beat)

    def on_pong(self, payload: object) -> None:
        """Measure the round trip, if this answers the last ping."""
        connection = self._connection
        if connection is None or self._sent_at is None or payload != self._number.to_bytes(4):
            return
        self.rtt = connection.node.timers.now() - self._sent_at
        self._sent_at = None

    def _beat(self) -> None:
        heartbeat, connection = self._heartbeat, self._connection
        if heartbeat is None or connection is None:
            return
        session = connection.session
        now = connection.node.timers.now()
        payload = heartbeat.beat(
            now,
            session.message_count,
            metadata=session.metadata,
            rtt=self.rtt,
            queued=connection.depth(),
        )
        self._beat_timer = connection.node.timers.call_after(heartbeat.due_at - now, self._beat)
        tell_beat(connection, session.target_pid, "ws.heartbeat", payload)

    def deadline_passed(self) -> None:
        """Ping, or see whether the last ping was answered."""
        connection = self._connection
        if connection is None:
            return
        if self._awaits_pong:
            self._on_pong_due(connection)
        else:
            self._ping(connection)

    def _wake_in(self, connection: Connection, delay: float) -> None:
        timers = connection.node.timers
        timers.wake_at(self, timers.now() + delay)

    def _ping(self, connection: Connection) -> None:
        self._number += 1
        self.was_seen = False
        self._sent_at = connection.node.timers.now()
        self._awaits_pong = True
        limits = connection.limits
        self._wake_in(connection, min(limits.ping_timeout, limits.ping_interval))
        connection.ping(self._number.to_bytes(4))

    def _left(self, connection: Connection) -> float:
        """Return how long the answer to the last ping may still take."""
        sent_at = self._sent_at or 0.0
        return sent_at + connection.limits.ping_timeout - connection.node.timers.now()

    def _on_pong_due(self, connection: Connection) -> None:
        # While the target is slow the socket is not read, so silence says nothing of the client.
        is_read = connection.backlog is None or not connection.backlog.is_full
        limits = connection.limits
        if self.was_seen or not is_read or not limits.ping_timeout:
            self._awaits_pong = self._is_overdue = False
            self._wake_in(connection, max(0.0, limits.ping_interval - limits.ping_timeout))
        elif self._left(connection) > 0:
            # The answer may take longer than an interval; the next ping waits for it.
            self._wake_in(connection, min(limits.ping_interval, self._left(connection)))
        elif not self._is_overdue:
            # Where something has kept the hub busy, the pong may be there and not read: the loop
            # looks at the sockets before it comes back.
            self._is_overdue = True
            self._wake_in(connection, 0.0)
        else:
            connection.fall_silent()
