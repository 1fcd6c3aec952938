"""Who is there, as one node sees it; pure.

Source: Cluster, "Promises", row failure. A node is there from its first beat. It is gone when it
says so, when it has been silent, when the server has told that its connection is gone and nobody
listens for it any more, or when another incarnation of it has come. A dead incarnation stays dead:
if it speaks again it was frozen or cut off, and is told that it has been buried, upon which it
comes back as another one. ``now`` and what is derived from it are seconds on one monotonic clock.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from greenrelay.cluster.engine import Member

MAX_GRAVES = 4096
BURY_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Up:
    """A node has come."""

    member: Member


@dataclass(frozen=True, slots=True)
class Down:
    """An incarnation of a node is gone: "left", "silent", "disconnected" or "replaced"."""

    member: Member
    reason: str


@dataclass(frozen=True, slots=True)
class Bury:
    """A dead incarnation has spoken and has to be told."""

    member: Member


@dataclass(frozen=True, slots=True)
class Clash:
    """Another process says that it is this node."""

    member: Member


Change = Up | Down | Bury | Clash


class Roster:
    """The other nodes; ``me`` is this one, ``silence`` how long one may say nothing."""

    def __init__(self, me: Member, silence: float) -> None:
        self.me = me
        self._silence = silence
        self._alive: dict[str, Member] = {}
        self._heard: dict[str, float] = {}
        # When each was told last; a frozen node may have much to say at once.
        self._graves: OrderedDict[Member, float] = OrderedDict()

    def members(self) -> tuple[Member, ...]:
        """Return who is there."""
        return tuple(self._alive.values())

    def get(self, node: str) -> Member | None:
        """Return a node that is there."""
        return self._alive.get(node)

    def hear(self, member: Member, now: float) -> tuple[Change, ...]:
        """Return what it means that ``member`` has been heard."""
        known = self._alive.get(member.node)
        if known == member:
            self._heard[member.node] = now
            return ()
        if member.node == self.me.node:
            is_self = member == self.me or _is_before(member, self.me)
            return () if is_self else (Clash(member),)
        if known is not None and _is_before(member, known):
            # A server that stood still still had this; there is nobody any more to be told.
            return ()
        told_at = self._graves.get(member)
        if told_at is not None:
            if now - told_at < BURY_SECONDS:
                return ()
            self._graves[member] = now
            return (Bury(member),)
        before = self.end(known, "replaced") if known else ()
        self._alive[member.node] = member
        self._heard[member.node] = now
        return (*before, Up(member))

    def touch(self, node: str, now: float) -> None:
        """Take note that a node that is there has been heard."""
        if node in self._alive:
            self._heard[node] = now

    def end(self, member: Member, reason: str) -> tuple[Change, ...]:
        """Return what it means that ``member`` is gone; nothing if it was not there."""
        if self._alive.get(member.node) != member:
            return ()
        del self._alive[member.node], self._heard[member.node]
        self._graves[member] = -BURY_SECONDS
        if len(self._graves) > MAX_GRAVES:
            self._graves.popitem(last=False)
        return (Down(member, reason),)

    def silent(self, horizon: float) -> tuple[Change, ...]:
        """Return who has been silent for too long at ``horizon``.

        Everything that was sent to this node before then has been heard, so neither a backlog nor
        a connection that is away makes others silent.
        """
        limit = horizon - self._silence
        silent = [self._alive[node] for node, heard in self._heard.items() if heard < limit]
        return tuple(change for member in silent for change in self.end(member, "silent"))

    def forget(self, me: Member) -> tuple[Change, ...]:
        """Begin anew as ``me``; return that everybody is gone, for now.

        They are not dead: this node was away, and they may come back as they were.
        """
        gone = tuple(Down(member, "unreachable") for member in self._alive.values())
        self._alive.clear()
        self._heard.clear()
        self.me = me
        return gone


def life_after(base: str, life: int) -> str:
    """Return the incarnation that begins when the one called ``base`` does for the nth time."""
    return f"{base}-{life}"


def _is_before(member: Member, other: Member) -> bool:
    """Whether a member is an earlier life of the process that is ``other``."""
    base, _, life = other.incarnation.rpartition("-")
    if not base or not life.isdigit():
        return False
    earlier, _, number = member.incarnation.rpartition("-")
    is_earlier = earlier == base and number.isdigit() and int(number) < int(life)
    return is_earlier or member.incarnation == base
