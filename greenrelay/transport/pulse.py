"""What a connection does by the clock: ws.heartbeat to its target, pings to its client.

Source: WebSocket Relay, "Topics from the relay to the target" and "Options", rows ping.
"""

from __future__ import annotations

import logging
import random
from time import monotonic
from typing import TYPE_CHECKING

from greenrelay.errors import InboxFull
from greenrelay.relay.heartbeat import Heartbeat
from greenrelay.runtime.timers import Timer

if TYPE_CHECKING:
    from greenrelay.transport.connection import Connection

log = logging.getLogger("greenrelay.transport")


class Pulse:
    """The timers of one connection; ``rtt`` is the last ping's round trip in seconds, or None."""

    __slots__ = (
        "_beat_timer",
        "_connection",
        "_heartbeat",
        "_number",
        "_ping_interval",
        "_ping_timeout",
        "_ping_timer",
        "_sent_at",
        "rtt",
        "was_seen",
    )

    def __init__(self, connection: Connection, ping_interval: float, ping_timeout: float) -> None:
        self._connection: Connection | None = connection
        self._ping_interval = ping_interval
        self._ping_timeout = ping_timeout
        self._heartbeat: Heartbeat | None = None
        self._beat_timer: Timer | None = None
        self._ping_timer: Timer | None = None
        self._number = 0
        self._sent_at: float | None = None
        self.rtt: float | None = None
        self.was_seen = False

    def start(self) -> None:
        """Begin to ping, if an interval is set."""
        if self._ping_interval:
            # Spread, so that connections that opened together do not ping together for ever.
            self._ping_in(self._ping_interval * random.uniform(0.9, 1.0))

    def stop(self) -> None:
        """End all timers and let go of the connection: what is over is freed at once."""
        self._heartbeat = self._connection = None
        for timer in (self._beat_timer, self._ping_timer):
            if timer is not None:
                timer.cancel()
        self._beat_timer = self._ping_timer = None

    def set_heartbeat(self, interval: float | None) -> None:
        """Send ws.heartbeat each ``interval`` seconds from now on, or no more."""
        if self._beat_timer is not None:
            self._beat_timer.cancel()
            self._beat_timer = None
        self._heartbeat = None
        connection = self._connection
        if interval and connection is not None:
            self._heartbeat = Heartbeat(connection.pid, interval, connection.opened_at)
            self._heartbeat.restart(interval, monotonic())
            self._beat_timer = connection.node.timers.call_after(interval, self._beat)

    def on_pong(self, payload: object) -> None:
        """Measure the round trip, if this answers the last ping."""
        if self._sent_at is not None and payload == self._number.to_bytes(4):
            self.rtt = monotonic() - self._sent_at
            self._sent_at = None

    def _beat(self) -> None:
        heartbeat, connection = self._heartbeat, self._connection
        if heartbeat is None or connection is None:
            return
        session = connection.session
        now = monotonic()
        payload = heartbeat.beat(
            now,
            session.message_count,
            metadata=session.metadata,
            rtt=self.rtt,
            queued=connection.depth(),
        )
        self._beat_timer = connection.node.timers.call_after(heartbeat.due_at - now, self._beat)
        try:
            connection.node.route(session.target_pid, "ws.heartbeat", payload, connection.pid)
        except InboxFull:
            log.debug("%s: a heartbeat found the inbox of its target full", connection.pid)

    def _ping_in(self, delay: float) -> None:
        if self._connection is not None:
            self._ping_timer = self._connection.node.timers.call_after(delay, self._ping)

    def _ping(self) -> None:
        connection = self._connection
        if connection is None:
            return
        self._number += 1
        self.was_seen = False
        self._sent_at = monotonic()
        self._ping_timer = connection.node.timers.call_after(self._ping_timeout, self._on_pong_due)
        connection.ping(self._number.to_bytes(4))

    def _on_pong_due(self) -> None:
        connection = self._connection
        if connection is None:
            return
        # While the target is slow the socket is not read, so silence says nothing of the client.
        if self.was_seen or connection.backlog.is_full:
            self._ping_in(max(0.0, self._ping_interval - self._ping_timeout))
        else:
            connection.fall_silent()
