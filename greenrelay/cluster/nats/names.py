"""The names of a cluster, as one node takes them, gives them back, and sees them.

Source: Cluster, "The engine" and "Promises", row names. What is asked of the server is waited for
in the greenlet that asks.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable

import gevent
from gevent.pool import Group

from greenrelay.cluster.engine import Watcher
from greenrelay.cluster.nats.bucket import Bucket, Conflict, Row
from greenrelay.cluster.nats.keeper import Keeper, clock
from greenrelay.cluster.nats.lease import Claim, Lease
from greenrelay.cluster.nats.owner import NobodyAnswers
from greenrelay.cluster.nats.table import Holding, Told, key_of
from greenrelay.errors import EngineError

log = logging.getLogger("greenrelay.cluster")
PATIENCE = 5.0
RETRY = 0.02
# The revision of no row.
_NEVER = 2**62


class Names:
    """The names; leases are of ``seconds``, and ``subject`` returns where changes come to."""

    def __init__(self, bucket: Bucket, seconds: float, subject: Callable[[], bytes]) -> None:
        self.keeper = Keeper(bucket, seconds, subject, self._tell)
        self._bucket = bucket
        self._watchers: list[Watcher] = []
        self._withdrawing = Group()

    def watch(self, watcher: Watcher) -> None:
        """Tell ``watcher`` of each name there is, and of each change."""
        for name, owner in tuple(self.keeper.table.owners.items()):
            watcher(name, owner)
        self._watchers.append(watcher)

    def holds(self, name: str, owner: str) -> bool:
        """Whether ``owner`` has the name by a claim of this node, right now."""
        return self.keeper.lease.owner_of(name, clock()) == owner

    def claim(self, name: str, owner: str) -> str:
        """Take a name unless it is taken, and return its owner; waits. Raises EngineError."""
        deadline = time.monotonic() + PATIENCE
        key, claiming = key_of(name), self.keeper.claiming
        claiming[name] += 1
        try:
            return self._claim(name, owner, deadline)
        except EngineError:
            raise
        except BaseException:
            # Who has asked is ended, and nobody knows whether he has it: he is to have it no more.
            if self._bucket.client.is_connected:
                self._withdrawing.spawn(self._withdraw, name, key, self.keeper.lease)
            raise
        finally:
            claiming[name] -= 1
            if not claiming[name]:
                del claiming[name]

    def release(self, name: str, owner: str) -> None:
        """Give a name back, if ``owner`` has it by a claim of this node; waits.

        Raises EngineError; the name is given back all the same, as soon as the server is there.
        """
        claims = self.keeper.lease.claims
        claim = claims.get(name)
        if claim is None or claim.owner != owner:
            return
        del claims[name]
        try:
            self._bucket.delete(key_of(name), claim.revision)
        except Conflict:
            self._bucket.client.counters["names: conflicts"] += 1

    def break_off(self, *, block: bool = True) -> None:
        """Do no more for claims that were broken off: there is nobody to ask."""
        self._withdrawing.kill(block=block)

    def lookup(self, name: str) -> str | None:
        """Return the owner of a name, or None; may wait. Raises EngineError."""
        deadline = time.monotonic() + PATIENCE
        while True:
            held = self.keeper.lease.owner_of(name, clock())
            if held is not None:
                return held
            try:
                holding = self._holding(self._bucket.get(key_of(name)))
                is_owned = holding is not None and self.keeper.is_alive(holding.lease)
            except EngineError as error:
                if self.keeper.is_current:
                    return self.keeper.table.owners.get(name)
                # A server that is back without its rows gets them again from the keepers.
                if not isinstance(error, NobodyAnswers) or time.monotonic() > deadline:
                    raise
                gevent.sleep(RETRY)
                continue
            if holding is not None and is_owned:
                return holding.owner
            if self.keeper.is_settling:
                return self.keeper.table.owners.get(name)
            if self.keeper.is_sure or time.monotonic() > deadline:
                return None
            gevent.sleep(RETRY)

    def _withdraw(self, name: str, key: str, lease: Lease) -> None:
        """Delete a row that a claim may have left which was broken off; the keeper would, later."""
        with contextlib.suppress(EngineError, Conflict):
            with contextlib.suppress(Conflict):
                # Changes nothing, but comes behind the claim, which a question could overtake.
                self._bucket.delete(key, _NEVER)
            row = self._bucket.get_exactly(key)
            holding = self._holding(row)
            is_mine = holding is not None and holding.lease == lease.key
            is_wanted = name in lease.claims or self.keeper.claiming[name]
            if row is not None and is_mine and not is_wanted:
                self._bucket.delete(key, row.revision)

    def _claim(self, name: str, owner: str, deadline: float) -> str:
        expected = 0
        while (seconds := deadline - time.monotonic()) > 0:
            if not self.keeper.wait_valid(seconds):
                raise self._error("this node has no lease for names now")
            if self.keeper.is_settling or not self.keeper.is_sure:
                gevent.sleep(RETRY)
                continue
            lease = self.keeper.lease
            held = lease.owner_of(name, clock())
            if held is not None:
                return held
            row = Holding(name, owner, lease.key).encode()
            try:
                revision = self._bucket.put(key_of(name), row, expected)
            except Conflict:
                other, expected = self._holder(name, lease)
                if other is not None:
                    return other
                continue
            # While the server was asked the lease may have ended, and its rows with it.
            if lease is self.keeper.lease and lease.is_valid(clock()):
                lease.claims[name] = Claim(owner, revision)
                return owner
            expected = revision
        raise self._error(f"name {name!r} could not be claimed within {PATIENCE:g} s")

    def _holder(self, name: str, lease: Lease) -> tuple[str | None, int]:
        """Return the owner of a name that is taken, or None and the revision to take it at."""
        row = self._bucket.get_exactly(key_of(name))
        holding = self._holding(row)
        if row is None or holding is None:
            return None, row.revision if row else 0
        if holding.lease != lease.key:
            alive = self.keeper.is_alive(holding.lease)
            return (holding.owner, 0) if alive else (None, row.revision)
        claim = lease.claims.get(name)
        if claim is not None:
            return claim.owner, 0
        # Another greenlet of this node is about to know that it has it, or it is a stray.
        is_other = self.keeper.claiming[name] > 1
        return (holding.owner, 0) if is_other else (None, row.revision)

    def _holding(self, row: Row | None) -> Holding | None:
        if row is None or row.value is None:
            return None
        try:
            return Holding.decode(row.value)
        except ValueError as error:
            raise self._error(f"a row was not made by greenrelay: {error}") from None

    def _tell(self, told: Told) -> None:
        for name, owner in told:
            for watcher in self._watchers:
                try:
                    watcher(name, owner)
                except Exception:
                    # It must not raise; that it did must not end who keeps the names.
                    self._bucket.client.counters["watcher failed"] += 1
                    log.exception("cluster: a watcher failed for the name %r", name)

    def _error(self, why: str) -> EngineError:
        return EngineError(self._bucket.client.address.shown, why)
