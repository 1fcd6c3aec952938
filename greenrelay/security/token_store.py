"""Token stores: each makes tokens of actors and actors of tokens.

Source: HTTP, "Security". Whatever is wrong with a token, it makes no actor; why is not told.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from time import time

from greenrelay.durations import parse_duration
from greenrelay.security.actor import Actor
from greenrelay.security.settings import LONGEST, StoreSettings

MAX_TOKEN = 8192


class TokenStore(ABC):
    """What all stores can; ``now`` tells the time in seconds since the epoch."""

    def __init__(self, settings: StoreSettings, now: Callable[[], float] = time) -> None:
        self.settings = settings
        self.now = now

    def create(
        self,
        actor_id: str,
        meta: Mapping[str, object] | None = None,
        expires_in: float | str | None = None,
        *,
        groups: Iterable[str] = (),
    ) -> str:
        """Return a new token for an actor, good for ``expires_in``, a duration.

        None is the store's ``expiration``. Raises ValueError for what cannot be an actor, and
        TypeError for ``meta`` that cannot be written into the token.
        """
        lasts = self.settings.expiration if expires_in is None else parse_duration(expires_in)
        if not 0 < lasts <= LONGEST:
            raise ValueError(f"expires_in: {expires_in!r} must be above 0 and at most 36500d")
        if isinstance(groups, str):
            raise ValueError(f"groups: {groups!r} must be a list of texts")
        actor = Actor(actor_id, meta or {}, tuple(groups), self.now() + lasts)
        return self._create(actor)

    def validate(self, token: str) -> Actor | None:
        """Return the actor of a token; None for one that is forged, revoked or over."""
        if not token or len(token) > MAX_TOKEN or not token.isascii():
            return None
        actor = self._actor(token)
        return actor if actor is not None and actor.is_valid(self.now()) else None

    def revoke(self, token: str) -> bool:
        """Let a token be good for nothing and close what it has opened; False if it was so."""
        actor = self.validate(token)
        if actor is None:
            return False
        self._revoke(token, actor)
        return True

    @abstractmethod
    def take_over(self, old: TokenStore) -> None:
        """Know what ``old``, the store with other settings before this one, has known."""

    @abstractmethod
    def _create(self, actor: Actor) -> str: ...

    @abstractmethod
    def _actor(self, token: str) -> Actor | None: ...

    @abstractmethod
    def _revoke(self, token: str, actor: Actor) -> None: ...


def fingerprint(text: str) -> bytes:
    """Return what is kept of a token, or of the part of it that is signed."""
    return sha256(text.encode()).digest()
