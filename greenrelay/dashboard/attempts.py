"""How often an address may try a password: a guess must not be for free.

Source: Operations, "Dashboard". Counted in each worker by itself; what is kept is bounded.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network

ALLOWED = 5
WINDOW = 60.0
MAX_ADDRESSES = 10_000


@dataclass(slots=True)
class Attempts:
    """The times at which each address has failed, on the caller's clock."""

    _failures: dict[str, deque[float]] = field(default_factory=dict)

    def may_try(self, address: str, now: float) -> bool:
        """Whether ``address`` has failed less than ALLOWED times within WINDOW seconds."""
        found = self._failures.get(_place(address))
        return found is None or len(found) < ALLOWED or now - found[0] >= WINDOW

    def failed(self, address: str, now: float) -> None:
        """Count a wrong password."""
        key = _place(address)
        found = self._failures.pop(key, None) or deque(maxlen=ALLOWED)
        found.append(now)
        # The last to fail stands last, so the first is the one to forget.
        self._failures[key] = found
        while len(self._failures) > MAX_ADDRESSES:
            del self._failures[next(iter(self._failures))]


def _place(address: str) -> str:
    """Return what one person has: an IPv4 address, or a network of 64 bits of IPv6."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv6Address):
        return str(ip_network(f"{found}/64", strict=False))
    return str(found)
