"""How often each of many callers may come: a token bucket for each of them, in bounded memory.

Source: HTTP, "Middleware", row ratelimit. Times are seconds on the caller's monotonic clock.

Theory. Of a bucket one number is kept: when it will be full again. A full bucket says nothing that
a new one would not, so it may be forgotten at any time, and one that is not full never is: whoever
could make it forgotten would get its tokens for nothing. Entries stand in the order of their last
use. Each call forgets two of the oldest at most, which is more than it adds; where there is no room
and the oldest is not full yet, a new key gets no bucket of its own and shares one with all others
that come too late. So a flood of new keys takes nothing from those that are known.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

# Sums of floats differ in their last digits: a token that is missing so little is there.
_DUST = 1e-6
_FORGOTTEN_AT_ONCE = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a caller may come, how often it may come again at once, and if not, when.

    ``wait`` is seconds, 0 for who may come. ``is_shared`` says that there was no room for it.
    """

    is_allowed: bool
    remaining: int
    wait: float = 0.0
    is_shared: bool = False


class Throttle:
    """Buckets of ``capacity`` tokens that come back at ``rate`` a second, one for each key.

    A bucket nobody has used for ``entry_ttl`` seconds is forgotten, but not before it is full.
    There are ``max_entries`` of them at most.
    """

    def __init__(self, *, rate: float, capacity: int, entry_ttl: float, max_entries: int) -> None:
        self._rate = rate
        self._capacity = capacity
        self._entry_ttl = entry_ttl
        self._max_entries = max_entries
        # When each is full, and when it was last used; the one unused for longest comes first.
        self._entries: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._shared_full_at = float("-inf")

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, key: str, now: float) -> Verdict:
        """Take a token of the bucket of ``key``, if it has one."""
        self._forget(now)
        found = self._entries.pop(key, None)
        if found is None and not self._has_room(now):
            verdict, self._shared_full_at = self._judge(self._shared_full_at, now, is_shared=True)
            return verdict
        verdict, full_at = self._judge(now if found is None else found[0], now)
        self._entries[key] = (full_at, now)
        return verdict

    def _judge(
        self, full_at: float, now: float, *, is_shared: bool = False
    ) -> tuple[Verdict, float]:
        """Return the verdict on a bucket, and when it will be full after it."""
        missing = max(0.0, full_at - now) * self._rate
        left = self._capacity - missing - 1
        if left < -_DUST:
            return Verdict(False, 0, -left / self._rate, is_shared), full_at
        verdict = Verdict(True, int(left + _DUST), is_shared=is_shared)
        return verdict, max(full_at, now) + 1 / self._rate

    def _forget(self, now: float) -> None:
        for _ in range(min(_FORGOTTEN_AT_ONCE, len(self._entries))):
            full_at, used_at = next(iter(self._entries.values()))
            if max(full_at, used_at + self._entry_ttl) > now:
                return
            self._entries.popitem(last=False)

    def _has_room(self, now: float) -> bool:
        """Whether there is room for one more, which is made if the oldest is full."""
        if len(self._entries) < self._max_entries:
            return True
        full_at, _ = next(iter(self._entries.values()))
        if full_at > now:
            return False
        self._entries.popitem(last=False)
        return True
