"""Which names there are, as the server tells it; pure.

Source: Cluster, "The engine". A row says which name has which owner under which lease; a lease is a
row that ends by itself unless its node renews it. A name is owned while its row and the lease in it
are there. All rows come in one order, those of the leases among them.
"""

from __future__ import annotations

from collections import deque

import msgspec

from greenrelay.cluster.nats.subject import token_of

NAME, LEASE = "n.", "l."
# Leases of this node that are over and whose last news may still be on their way.
_MAX_DEAD = 64

Told = list[tuple[str, str | None]]


class Holding(msgspec.Struct, frozen=True):
    """The value of a name's row."""

    name: str
    owner: str
    lease: str

    def encode(self) -> bytes:
        """Return the row as it is stored."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes) -> Holding:
        """Return what a row says; raises ValueError for one that was not made here."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(str(error)) from None


class Table:
    """The names and leases; ``owners`` is what the watchers have been told."""

    def __init__(self) -> None:
        self.is_synced = False
        self.owners: dict[str, str] = {}
        self.leases: set[str] = set()
        self._dead: deque[str] = deque(maxlen=_MAX_DEAD)
        self._rows: dict[str, tuple[Holding, int]] = {}
        self._keys: dict[str, set[str]] = {}

    def begin(self) -> None:
        """Forget all rows, as they come again; the watchers are told in ``complete``."""
        self.is_synced = False
        self.leases.clear()
        self._rows.clear()
        self._keys.clear()

    def complete(self) -> Told:
        """Return what is different now that all rows have come."""
        self.is_synced = True
        now = {
            holding.name: holding.owner
            for holding, _ in self._rows.values()
            if holding.lease in self.leases
        }
        told: Told = [(name, None) for name in self.owners if name not in now]
        told += [(name, owner) for name, owner in now.items() if self.owners.get(name) != owner]
        self.owners = now
        return told

    def put(self, key: str, value: bytes | None, revision: int) -> Told:
        """Take a row that has come, None for one that is gone; return what is different.

        Raises ValueError for a row that was not made here.
        """
        if key.startswith(LEASE):
            return self._put_lease(key.removeprefix(LEASE), value is not None)
        if not key.startswith(NAME):
            raise ValueError(f"the key is {key!r}")
        holding = None if value is None else Holding.decode(value)
        if holding is not None and key != key_of(holding.name):
            raise ValueError(f"the key is {key!r}, the name {holding.name!r}")
        before = self._rows.pop(key, None)
        if before is not None:
            self._keys[before[0].lease].discard(key)
            if not self._keys[before[0].lease]:
                del self._keys[before[0].lease]
        if holding is not None:
            self._rows[key] = (holding, revision)
            self._keys.setdefault(holding.lease, set()).add(key)
        return self._changed([each for each in (before and before[0], holding) if each])

    def end_lease(self, lease: str) -> Told:
        """Let a lease be over, whatever the server still says of it; return what is different."""
        self._dead.append(lease)
        return self._put_lease(lease, False)

    def rows_of(self, lease: str) -> list[tuple[str, Holding, int]]:
        """Return (key, holding, revision) of each row under a lease."""
        return [(key, *self._rows[key]) for key in self._keys.get(lease, ())]

    def count_of(self, lease: str) -> int:
        """Return how many rows are under a lease."""
        return len(self._keys.get(lease, ()))

    def orphans(self, limit: int) -> list[tuple[str, int]]:
        """Return (key, revision) of up to ``limit`` rows whose lease is over."""
        over = [
            key for lease, keys in self._keys.items() if lease not in self.leases for key in keys
        ]
        return [(key, self._rows[key][1]) for key in over[:limit]] if self.is_synced else []

    def _put_lease(self, lease: str, is_alive: bool) -> Told:
        is_alive = is_alive and lease not in self._dead
        if is_alive == (lease in self.leases):
            return []
        if is_alive:
            self.leases.add(lease)
        else:
            self.leases.discard(lease)
        return self._changed([holding for _, holding, _ in self.rows_of(lease)])

    def _changed(self, holdings: list[Holding]) -> Told:
        if not self.is_synced:
            return []
        told: Told = []
        for holding in holdings:
            owner = self._owner_of(holding.name)
            if self.owners.get(holding.name) != owner:
                told.append((holding.name, owner))
                if owner is None:
                    del self.owners[holding.name]
                else:
                    self.owners[holding.name] = owner
        return told

    def _owner_of(self, name: str) -> str | None:
        row = self._rows.get(key_of(name))
        return row[0].owner if row is not None and row[0].lease in self.leases else None


def key_of(name: str) -> str:
    """Return the key of a name's row."""
    return NAME + token_of(name)
