"""Which names this node holds, and until when it may believe so; pure.

Source: Cluster, "Promises", row names. All names of a node hang on one lease. It is renewed long
before it ends; what the node believes ends before what the server does, as it counts from when a
renewal was sent, and a margin earlier. ``now`` is seconds on a clock that also runs while the
machine sleeps, where there is one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from secrets import token_hex

# Of the lease: it is renewed after so much of it, and not believed in its last part.
RENEW_PART = 0.25
MARGIN_PART = 0.1


@dataclass(slots=True)
class Claim:
    """A name that is held: its owner, and the revision of its row."""

    owner: str
    revision: int


@dataclass(slots=True)
class Lease:
    """The lease ``key`` of ``seconds``; ``revision`` is that of its row, 0 for none."""

    seconds: float
    key: str = field(default_factory=lambda: token_hex(12))
    revision: int = 0
    ends_at: float = 0.0
    renew_at: float = 0.0
    claims: dict[str, Claim] = field(default_factory=dict)

    def renewed(self, revision: int, sent_at: float) -> None:
        """Take note that the server has a renewal that was sent at ``sent_at``."""
        self.revision = revision
        self.ends_at = sent_at + self.seconds * (1 - MARGIN_PART)
        self.renew_at = sent_at + self.seconds * RENEW_PART

    def is_valid(self, now: float) -> bool:
        """Whether the names are this node's, for all that it can know."""
        return now < self.ends_at

    def is_over(self, now: float) -> bool:
        """Whether it was valid and is not any more."""
        return 0.0 < self.ends_at <= now

    def owner_of(self, name: str, now: float) -> str | None:
        """Return the owner of a name that this node holds."""
        claim = self.claims.get(name)
        return claim.owner if claim is not None and self.is_valid(now) else None
