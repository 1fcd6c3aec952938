"""Opaque tokens: chance, which only the store can make sense of.

Source: HTTP, "Security". The store is in the memory of one node: its tokens end with it, and other
workers do not know them. It keeps hashes, not tokens. What is looked up is the hash of 256 bits of
chance, so how long a look takes tells nobody anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from heapq import heappop, heappush
from secrets import token_urlsafe
from time import time

from greenrelay.security.actor import Actor, Lease
from greenrelay.security.settings import StoreSettings
from greenrelay.security.token_store import TokenStore, fingerprint

TOKEN_BYTES = 32


class OpaqueStore(TokenStore):
    """The tokens of one node; those that are over leave when others come."""

    def __init__(self, settings: StoreSettings, now: Callable[[], float] = time) -> None:
        super().__init__(settings, now)
        self._actors: dict[bytes, Actor] = {}
        self._by_end: list[tuple[float, bytes]] = []

    def __len__(self) -> int:
        return len(self._actors)

    def take_over(self, old: TokenStore) -> None:
        """Know the tokens of ``old``."""
        if isinstance(old, OpaqueStore):
            self._actors, self._by_end = old._actors, old._by_end

    def _create(self, actor: Actor) -> str:
        self._forget()
        token = token_urlsafe(TOKEN_BYTES)
        key = fingerprint(token)
        assert actor.expires_at is not None, "every token has an end"
        self._actors[key] = replace(actor, lease=Lease())
        heappush(self._by_end, (actor.expires_at, key))
        return token

    def _actor(self, token: str) -> Actor | None:
        return self._actors.get(fingerprint(token))

    def _revoke(self, token: str, actor: Actor) -> None:
        del self._actors[fingerprint(token)]
        if actor.lease is not None:
            actor.lease.revoke()

    def _forget(self) -> None:
        now = self.now()
        while self._by_end and self._by_end[0][0] <= now:
            self._actors.pop(heappop(self._by_end)[1], None)
