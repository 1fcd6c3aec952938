"""How much a client may send: a token bucket per connection.

Source: WebSocket Relay, "Options", rows rate: so many a second, with an equal burst.
"""

from __future__ import annotations


class Bucket:
    """Tokens that come back at ``rate`` a second, ``rate`` of them at most."""

    __slots__ = ("_at", "_rate", "_tokens")

    def __init__(self, rate: float, now: float) -> None:
        self._rate = rate
        self._tokens = rate
        self._at = now

    def take(self, count: int, now: float) -> bool:
        """Take ``count`` tokens and return True; False, taking none, when there are fewer."""
        self._tokens = min(self._rate, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < count:
            return False
        self._tokens -= count
        return True


class Rate:
    """What one client may send a second, in messages and in bytes of payload; 0 is no limit."""

    __slots__ = ("_bytes", "_messages")

    def __init__(self, messages: float, size_bytes: float, now: float) -> None:
        self._messages = Bucket(messages, now) if messages else None
        self._bytes = Bucket(size_bytes, now) if size_bytes else None

    def allows(self, data: object, now: float) -> bool:
        """Count a message and say whether it is within both rates."""
        assert isinstance(data, (str, bytes))
        if self._messages is not None and not self._messages.take(1, now):
            return False
        return self._bytes is None or self._bytes.take(_size(data), now)


def _size(data: str | bytes) -> int:
    # Text that is ASCII knows so, and is not encoded to be measured.
    if isinstance(data, bytes) or data.isascii():
        return len(data)
    return len(data.encode())
