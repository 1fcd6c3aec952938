"""Tokens that were revoked before their time, remembered until it is over.

Source: HTTP, "Security" (revocation). In the memory of one node: it forgets when it ends.
"""

from __future__ import annotations

from heapq import heappop, heappush
from weakref import WeakValueDictionary

from greenrelay.security.actor import Lease


class Revocations:
    """What was revoked, by a key of the token, and the leases of those that are in use."""

    __slots__ = ("_by_end", "_leases", "_revoked")

    def __init__(self) -> None:
        self._revoked: set[bytes] = set()
        self._by_end: list[tuple[float, bytes]] = []
        self._leases: WeakValueDictionary[bytes, Lease] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._revoked)

    def lease(self, key: bytes) -> Lease | None:
        """Return the lease of a token, the same for all who use it; None if it was revoked."""
        if key in self._revoked:
            return None
        lease = self._leases.get(key)
        if lease is None:
            lease = self._leases[key] = Lease()
        return lease

    def revoke(self, key: bytes, expires_at: float, now: float) -> None:
        """Let the token be good for nothing until ``expires_at``, when it is no more anyway."""
        self._forget(now)
        if key not in self._revoked:
            self._revoked.add(key)
            heappush(self._by_end, (expires_at, key))
        lease = self._leases.pop(key, None)
        if lease is not None:
            lease.revoke()

    def _forget(self, now: float) -> None:
        while self._by_end and self._by_end[0][0] <= now:
            self._revoked.discard(heappop(self._by_end)[1])
