"""Who has a place among the connections of a worker, counted in all, by address and by user.

Source: WebSocket Relay, "Options", row ``wsrelay.max.connections``. Pure counting: a place is taken
before a handshake is answered and given back when its connection is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Place:
    """One place; ``counted_for`` are the address and the user it is counted for as well."""

    counted_for: list[tuple[str, str]] = field(default_factory=list)


class Places:
    """The places of one worker. A limit of 0 is no limit."""

    def __init__(self) -> None:
        self._taken = 0
        self._counts: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return self._taken

    def take(self, limit: int) -> Place | None:
        """Take a place; None when ``limit`` are taken."""
        if limit and self._taken >= limit:
            return None
        self._taken += 1
        return Place()

    def count_for(self, place: Place, kind: str, who: str, limit: int) -> bool:
        """Count ``place`` for ``who``, of a ``kind`` (address, user); False beyond ``limit``.

        Without a limit nothing is counted, and nothing is for ``who`` being "": nobody known.
        """
        key = (kind, who)
        if not limit or not who or key in place.counted_for:
            return True
        count = self._counts.get(key, 0)
        if count >= limit:
            return False
        self._counts[key] = count + 1
        place.counted_for.append(key)
        return True

    def give_back(self, place: Place) -> None:
        """Give a place back; it must not be used any more."""
        self._taken -= 1
        for key in place.counted_for:
            count = self._counts[key] - 1
            if count:
                self._counts[key] = count
            else:
                del self._counts[key]
        place.counted_for.clear()
