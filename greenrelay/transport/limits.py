"""What bounds one connection, or one stream of server-sent events.

Source: WebSocket Relay, "Options"; Server-sent Events Relay. The options of the middlewares are
such limits.
"""

from __future__ import annotations

from typing import Protocol

from greenrelay.relay.slowness import SlowPolicy

# Of one message.
MAX_FRAGMENTS = 1024


class CommonLimits(Protocol):
    """What a connection and a stream have both; times in seconds, sizes in bytes, 0 is none."""

    @property
    def ping_interval(self) -> float:
        """How often the client is sent a ping, or a stream's a comment."""

    @property
    def ping_timeout(self) -> float:
        """How long it has to answer, or a stream's may take nothing of what was sent."""

    @property
    def queue_messages(self) -> int:
        """How many frames or events may wait for it."""

    @property
    def queue_bytes(self) -> int:
        """How many bytes may wait for it."""

    @property
    def slow_policy(self) -> SlowPolicy:
        """What becomes of a frame or an event beyond that."""

    @property
    def drain_period(self) -> float:
        """How long a drain may take."""


class Limits(CommonLimits, Protocol):
    """The limits of a connection."""

    @property
    def max_message_size(self) -> int:
        """The largest message a client may send."""

    @property
    def rate_messages(self) -> int:
        """How many messages a second it may send."""

    @property
    def rate_bytes(self) -> int:
        """How many bytes a second it may send."""

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """What is offered where the relay command offers nothing."""

    @property
    def compression(self) -> bool:
        """Whether messages are compressed where the client offers it."""

    @property
    def drain_code(self) -> int:
        """The close code of a drain."""


class StreamLimits(CommonLimits, Protocol):
    """The limits of a stream."""

    @property
    def retry(self) -> float:
        """How long a client waits before it connects again; 0 leaves that to the browser."""
