"""What must be kept for the names of one node: the bucket, the lease, the feed, no stale rows.

Source: Cluster, "Promises", row names. One greenlet does it, and may wait. ``tick`` looks at the
clock alone and never waits, so this node lets go of its names in time even when the server says
nothing.

Theory. A lease is renewed by compare-and-set, so a renewal that succeeds proves that it has never
been over, and that nobody has taken the names under it. A lease that is over is never renewed: new
names come under another. Rows that nobody answers for are swept: strays, which a claim has left
whose answer got lost, and orphans, whose lease is over.
"""

from __future__ import annotations

import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable

import gevent
from gevent.event import Event as Flag

from greenrelay.cluster.nats.bucket import NO_JETSTREAM, Bucket, Conflict, Hopeless
from greenrelay.cluster.nats.feed import Feed
from greenrelay.cluster.nats.lease import Lease
from greenrelay.cluster.nats.owner import NobodyAnswers
from greenrelay.cluster.nats.table import LEASE, Holding, Table, Told, key_of
from greenrelay.errors import EngineError

log = logging.getLogger("greenrelay.cluster")
STEP = 0.25
# Who sweeps first leaves nothing to the others: their times are spread.
_SWEEP_SECONDS = (5.0, 15.0)
_MAX_SWEPT = 256
# After the servers have lost the bucket, its names go to those who held them. Who has not reached
# the server for so long has let go of his.
_SETTLE_SECONDS = 3.0
_MAX_OVER = 8
# Three servers on a busy machine have taken more than ten seconds.
_START_SECONDS = 30.0
# How long nobody may answer before the account is one without JetStream.
_NOBODY_SECONDS = 10.0
_API = "$JS.API."
_STOP_SECONDS = 1.0
# How long the answer to a renewal is waited for: a leader that is gone answers to none, and who
# follows it to the next that comes. A server that is found to be slow has the time it needs; that
# it is shows when after one that nobody has answered the next has so much time.
_QUICK, _SLOW = 1.0, 3.0
# A lease runs on while this machine sleeps, where its clock can tell.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def clock() -> float:
    """Return the time on the clock of leases."""
    return time.clock_gettime(_CLOCK)


class Keeper:
    """Keeps ``lease`` valid and ``table`` like the bucket; ``tell`` hears of changed names.

    ``subject`` returns where changes come to. ``claiming`` has the names that are being claimed.
    """

    def __init__(
        self,
        bucket: Bucket,
        seconds: float,
        subject: Callable[[], bytes],
        tell: Callable[[Told], None],
    ) -> None:
        self.bucket = bucket
        self.table = Table()
        self.lease = Lease(seconds)
        self.claiming: Counter[str] = Counter()
        self.settled_at = 0.0
        self._feed = Feed(bucket, self.table, tell)
        self._subject = subject
        self._tell = tell
        self._over: list[Lease] = []
        self._is_valid = Flag()
        self._news = Flag()
        self._created = ""
        self._is_sure = False
        self._is_lost = False
        self._sweep_at = time.monotonic() + random.uniform(*_SWEEP_SECONDS)
        self._patience = _QUICK
        self._is_unanswered = False
        self._greenlet: gevent.Greenlet[..., None] | None = None

    @property
    def is_current(self) -> bool:
        """Whether the table has what the server has, but for what is on its way."""
        return self.table.is_synced and not self._feed.needs_restart()

    @property
    def is_sure(self) -> bool:
        """Whether the server has been looked at since this connection began.

        Before, it may have lost the names, and what is not there may be about to come back.
        """
        return self._is_sure and self.bucket.client.is_connected

    @property
    def is_settling(self) -> bool:
        """Whether the servers have lost the names, and not all may be back yet."""
        return time.monotonic() < self.settled_at

    def start(self) -> None:
        """Make sure that there can be names; waits. Raises EngineError.

        Servers that have just been started are given the time to elect a leader.
        """
        started_at = time.monotonic()
        said = ""
        while (error := self._try_step(started_at)) is not None:
            if time.monotonic() > started_at + _START_SECONDS:
                raise error
            if error.why != said:
                log.warning("%s; it is tried again", error)
            said = error.why
            gevent.sleep(STEP)
        self._greenlet = gevent.spawn(self._run)

    def _try_step(self, started_at: float) -> EngineError | None:
        """Do the first step; return what may be different soon. Raises EngineError for the rest."""
        client = self.bucket.client
        try:
            self._step()
        except NobodyAnswers as error:
            # Servers that are starting hear of each other, and of a stream's leader, in a while.
            is_soon = client.info.jetstream and time.monotonic() < started_at + _NOBODY_SECONDS
            if _API in error.why and not is_soon:
                raise self._error(NO_JETSTREAM) from None
            return error
        except Hopeless:
            raise
        except EngineError as error:
            for text in client.refusals:
                if "$JS" in text or "$KV" in text:
                    raise self._error(f"the server forbids it: {text}") from None
            return error
        return None

    def stop(self) -> None:
        """Give all names back, if the server is there; waits a moment at most."""
        greenlet, self._greenlet = self._greenlet, None
        if greenlet is not None:
            greenlet.kill()
        self._feed.stop()
        self.lose("this node leaves")
        if greenlet is not None and self.bucket.client.is_connected:
            # What cannot be given back ends with the lease.
            with (
                gevent.Timeout(_STOP_SECONDS, False),  # type: ignore[arg-type]  # gevent's own
                contextlib.suppress(EngineError),
            ):
                self._end_leases()

    def forked(self) -> None:
        """Keep no names, in a forked child. Must not wait."""
        if self._greenlet is not None:
            self._greenlet.kill(block=False)

    def on_connection(self) -> None:
        """Look at everything again: the server may be another, or have lost all."""
        self._is_sure = False
        self._feed.break_off()
        self.lease.renew_at = 0.0
        self._news.set()

    def tick(self) -> None:
        """Let go of the names if their lease ends; never waits."""
        if self.lease.is_over(clock()):
            self.lose("the lease could not be renewed")

    def lose(self, why: str) -> None:
        """Let go of all names at once, and tell; new ones come under another lease."""
        lost, self.lease = self.lease, Lease(self.lease.seconds)
        self._is_valid.clear()
        if lost.claims:
            log.info("cluster: %d name(s) let go: %s", len(lost.claims), why)
        if lost.revision:
            self._over = [*self._over, lost][-_MAX_OVER:]
        told: dict[str, str | None] = dict(self.table.end_lease(lost.key))
        self._tell(list({**told, **dict.fromkeys(lost.claims)}.items()))
        self._news.set()

    def wait_valid(self, seconds: float) -> bool:
        """Wait until there is a valid lease; False when there is none within ``seconds``."""
        if self.lease.is_valid(clock()):
            return True
        self._news.set()
        return self._is_valid.wait(max(seconds, 0))

    def is_alive(self, key: str) -> bool:
        """Whether a lease is not over; may wait, and raises EngineError."""
        if key == self.lease.key:
            return self.lease.is_valid(clock())
        if self.is_current and key in self.table.leases:
            return True
        row = self.bucket.get_exactly(LEASE + key)
        return row is not None and row.value is not None

    def _error(self, why: str) -> EngineError:
        return EngineError(self.bucket.client.address.shown, why)

    def _run(self) -> None:
        said = ""
        while True:
            self._news.wait(STEP)
            self._news.clear()
            if not self.bucket.client.is_connected:
                continue
            try:
                self._step()
                said = ""
            except EngineError as error:
                self.bucket.client.counters["names: failures"] += 1
                if isinstance(error, NobodyAnswers):
                    # Nobody keeps the rows: somebody has deleted the bucket, maybe.
                    self._is_sure = False
                if error.why != said:
                    log.warning("%s", error)
                said = error.why
                gevent.sleep(STEP)

    def _step(self) -> None:
        if not self._is_sure:
            try:
                self._see_bucket()
            except EngineError:
                # The rows may have a leader while the servers have none: the lease goes on.
                if self.lease.is_valid(clock()):
                    self._renew()
                raise
        if clock() >= self.lease.renew_at:
            self._renew()
        if self._is_lost:
            self._bring_back()
        self._is_sure = True
        # A bucket that is still being filled would make it look as if names had been lost.
        if self._feed.needs_restart() and not self.is_settling:
            self._feed.restart(self._subject())
        self._end_leases()
        if self.table.count_of(self.lease.key) != len(self.lease.claims):
            self._end_strays()
        if time.monotonic() >= self._sweep_at:
            is_more = self._sweep()
            pause = STEP if is_more else random.uniform(*_SWEEP_SECONDS)
            self._sweep_at = time.monotonic() + pause

    def _see_bucket(self) -> None:
        # While a lease hangs on it a leader that is gone must not cost the time of three renewals.
        created = self.bucket.ensure(self._patience if self.lease.is_valid(clock()) else 0.0)
        if self._created and created != self._created:
            self._lose_rows()
        self._created = created

    def _lose_rows(self) -> None:
        log.warning("cluster: the servers have lost the names; they are claimed anew")
        self.settled_at = time.monotonic() + _SETTLE_SECONDS
        self._feed.break_off()
        self.lease.revision = 0
        self._is_lost = True

    def _bring_back(self) -> None:
        if not self.lease.revision:
            self._renew()
        lease = self.lease
        for name, claim in tuple(lease.claims.items()):
            try:
                claim.revision = self._put_again(name, Holding(name, claim.owner, lease.key))
            except Conflict:
                lease.claims.pop(name, None)
                self._tell([(name, None)])
        self._is_lost = False

    def _put_again(self, name: str, holding: Holding) -> int:
        key, value = key_of(name), holding.encode()
        try:
            return self.bucket.put(key, value, 0)
        except Conflict:
            row = self.bucket.get_exactly(key)
            if row is None or row.value != value:
                raise
            # Put by a try that failed behind it. Who takes it for an orphan has the old revision.
            return self.bucket.put(key, value, row.revision)

    def _renew(self) -> None:
        lease, sent_at = self.lease, clock()
        key, value = LEASE + lease.key, self.bucket.client.name.encode()
        patience = _SLOW if self._is_unanswered else self._patience
        self._is_unanswered = not self._is_unanswered
        try:
            revision = self.bucket.put(key, value, lease.revision, lease.seconds, patience)
        except Conflict:
            self._is_unanswered = False
            row = self.bucket.get_exactly(key)
            if row is not None and row.value is not None:
                # A renewal has arrived whose answer has not: the next step goes on from there.
                lease.revision = row.revision
                self._patience = _SLOW
            elif lease is self.lease and lease.revision and lease.is_valid(clock()):
                # All servers of a cluster have been started anew: the bucket is there, but empty.
                self._lose_rows()
            elif lease is self.lease:
                self.lose("the lease has ended at the server")
            self._news.set()
            return
        lease.renewed(revision, sent_at)
        self._is_unanswered = False
        seconds = clock() - sent_at
        if seconds < _QUICK / 2 or seconds >= _QUICK:
            self._patience = _QUICK if seconds < _QUICK else _SLOW
        if lease is self.lease:
            self._is_valid.set()
        elif lease not in self._over:
            self._over.append(lease)

    def _end_leases(self) -> None:
        while self._over:
            lease = self._over.pop()
            self._delete(LEASE + lease.key, lease.revision)

    def _end_strays(self) -> None:
        lease = self.lease
        for key, holding, revision in self.table.rows_of(lease.key):
            name = holding.name
            if lease is self.lease and name not in lease.claims and not self.claiming[name]:
                self._delete(key, revision)

    def _sweep(self) -> bool:
        """Delete rows whose lease is over; return whether to go on at once.

        Where most are gone already somebody else is at it.
        """
        rows = self.table.orphans(_MAX_SWEPT)
        deleted = sum(self._delete(key, revision) for key, revision in rows)
        return len(rows) == _MAX_SWEPT and 2 * deleted > len(rows)

    def _delete(self, key: str, revision: int) -> bool:
        try:
            self.bucket.delete(key, revision)
        except Conflict:
            self.bucket.client.counters["names: conflicts"] += 1
            return False
        return True
