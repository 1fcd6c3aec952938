"""The policies and token stores of one node, and the answer to "may this actor do that".

Source: HTTP, "Security". Strict: without an actor, or without a policy that allows it, the answer
is no. It belongs to a node, so all apps that share one share their tokens; a reload gives it other
policies and keeps what its stores know.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from time import time
from weakref import WeakKeyDictionary

from greenrelay.errors import UnknownEntry
from greenrelay.security.actor import Actor
from greenrelay.security.condition import Access
from greenrelay.security.opaque import OpaqueStore
from greenrelay.security.policy import Policy, decide
from greenrelay.security.settings import JWT, OPAQUE, SIGNED, StoreSettings
from greenrelay.security.token_store import TokenStore
from greenrelay.security.written import JwtStore, SignedStore

_STORES: Mapping[str, type[TokenStore]] = {OPAQUE: OpaqueStore, SIGNED: SignedStore, JWT: JwtStore}
NOTHING: Mapping[str, object] = {}


class Authority:
    """What decides on one node; ``endpoint_ids`` are those of entries, by Flask's endpoint."""

    def __init__(self, now: Callable[[], float] = time) -> None:
        self.now = now
        self.namespace = ""
        self.policies: tuple[Policy, ...] = ()
        self.endpoint_ids: Mapping[str, str] = {}
        self._stores: dict[str, TokenStore] = {}

    def configure(
        self,
        policies: Iterable[Policy],
        stores: Mapping[str, StoreSettings],
        endpoint_ids: Mapping[str, str],
        namespace: str,
    ) -> None:
        """Have these from now on; a store whose settings stay stays, one that changes knows on.

        Raises ValueError for settings that no store can be made of.
        """
        made = {store_id: self._store(store_id, each) for store_id, each in stores.items()}
        self.policies, self._stores = tuple(policies), made
        self.endpoint_ids, self.namespace = endpoint_ids, namespace

    def _store(self, store_id: str, settings: StoreSettings) -> TokenStore:
        old = self._stores.get(store_id)
        if old is not None and old.settings == settings:
            return old
        new = make_store(settings, self.now)
        if old is not None:
            new.take_over(old)
        return new

    def store(self, name: str) -> TokenStore:
        """Return a token store by id, or by the name it has in the first file.

        Raises UnknownEntry.
        """
        found = self._stores.get(name if ":" in name else f"{self.namespace}:{name}")
        if found is None:
            raise UnknownEntry(name, sorted(self._stores), "no security.token_store has this id")
        return found

    def allows(
        self,
        actor: Actor | None,
        action: str,
        resource: str,
        meta: Mapping[str, object] = NOTHING,
    ) -> bool:
        """Whether ``actor`` may; not if it is None, has expired or was revoked."""
        if actor is None or not actor.is_valid(self.now()):
            return False
        return decide(self.policies, Access(actor, action, resource, meta))


def make_store(settings: StoreSettings, now: Callable[[], float] = time) -> TokenStore:
    """Return a store; raises ValueError for settings that none can be made of."""
    return _STORES[settings.type](settings, now)


_authorities: WeakKeyDictionary[object, Authority] = WeakKeyDictionary()


def authority_of(node: object) -> Authority:
    """Return what decides on ``node``; at first it knows no policy, and so allows nothing."""
    found = _authorities.get(node)
    if found is None:
        found = _authorities[node] = Authority()
    return found
