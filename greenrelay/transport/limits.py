"""What bounds one connection.

Source: WebSocket Relay, "Options". The options of the middleware are such limits.
"""

from __future__ import annotations

from typing import Protocol

from greenrelay.relay.slowness import SlowPolicy

# Of one message.
MAX_FRAGMENTS = 1024


class Limits(Protocol):
    """The limits of a connection; times in seconds, sizes in bytes, 0 is none."""

    @property
    def max_message_size(self) -> int:
        """The largest message a client may send."""

    @property
    def ping_interval(self) -> float:
        """How often the client is pinged."""

    @property
    def ping_timeout(self) -> float:
        """How long it has to answer."""

    @property
    def queue_messages(self) -> int:
        """How many frames may wait for it."""

    @property
    def queue_bytes(self) -> int:
        """How many bytes may wait for it."""

    @property
    def slow_policy(self) -> SlowPolicy:
        """What becomes of a frame beyond that."""

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

    @property
    def drain_period(self) -> float:
        """How long a drain may take."""
