"""What bounds one stream of server-sent events.

Source: Server-sent Events Relay; WebSocket Relay, "Options". The options of the middleware are
such limits.
"""

from __future__ import annotations

from typing import Protocol

from greenrelay.relay.slowness import SlowPolicy


class StreamLimits(Protocol):
    """The limits of a stream; times in seconds, sizes in bytes, 0 is none."""

    @property
    def queue_messages(self) -> int:
        """How many events may wait for the client."""

    @property
    def queue_bytes(self) -> int:
        """How many bytes may wait for it."""

    @property
    def slow_policy(self) -> SlowPolicy:
        """What becomes of an event beyond that."""

    @property
    def ping_interval(self) -> float:
        """How often it is sent a comment."""

    @property
    def ping_timeout(self) -> float:
        """How long it may take nothing of what was sent."""

    @property
    def retry(self) -> float:
        """How long it waits before it connects again; 0 leaves that to the browser."""

    @property
    def drain_period(self) -> float:
        """How long a drain may take."""
