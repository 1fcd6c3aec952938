"""Who makes a request, and how long that holds.

Source: HTTP, "Security". An actor is a value; its lease is shared by all that rely on one token, so
that they can be told when it is revoked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# The key of a process's context under which an actor travels.
CONTEXT_KEY = "actor"


class Lease:
    """What is left of one token: ``revoke`` ends it for whoever watches."""

    __slots__ = ("__weakref__", "_watchers", "is_revoked")

    def __init__(self) -> None:
        self.is_revoked = False
        self._watchers: dict[Callable[[], object], None] = {}

    def watch(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when the token is revoked."""
        self._watchers[callback] = None

    def unwatch(self, callback: Callable[[], object]) -> None:
        """Call it no more."""
        self._watchers.pop(callback, None)

    def revoke(self) -> None:
        """End it now; only the first time does anything."""
        self.is_revoked = True
        watchers, self._watchers = self._watchers, {}
        for callback in watchers:
            callback()


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody who was recognised: ``id``, what else is known as ``meta``, and its ``groups``.

    ``expires_at`` is in seconds since the epoch, None is never. ``lease`` is that of its token.
    Nothing of it changes: lists in ``meta`` become tuples, and maps are read-only.
    """

    id: str
    meta: Mapping[str, object] = field(default_factory=dict, hash=False)
    groups: tuple[str, ...] = ()
    expires_at: float | None = None
    lease: Lease | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not self.id:
            raise ValueError(f"id: {self.id!r} must be text that is not empty")
        if not isinstance(self.meta, Mapping):
            raise ValueError(f"meta: {self.meta!r} must be a map")
        if isinstance(self.groups, str):
            raise ValueError(f"groups: {self.groups!r} must be a tuple of texts")
        # A store hands out the same meta again and again, so nobody must be able to change it.
        object.__setattr__(self, "meta", MappingProxyType(_frozen(self.meta)))
        object.__setattr__(self, "groups", tuple(self.groups))

    def is_valid(self, now: float) -> bool:
        """Whether it has neither expired at ``now`` nor been revoked."""
        if self.lease is not None and self.lease.is_revoked:
            return False
        return self.expires_at is None or now < self.expires_at

    def watch(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when its token is revoked."""
        if self.lease is not None:
            self.lease.watch(callback)

    def unwatch(self, callback: Callable[[], object]) -> None:
        """Call it no more."""
        if self.lease is not None:
            self.lease.unwatch(callback)


def plain(value: object) -> object:
    """Return a value of ``meta`` in dicts and lists, as JSON takes it."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def _frozen(value: Mapping[str, object]) -> dict[str, object]:
    return {key: _frozen_value(each) for key, each in value.items()}


def _frozen_value(value: object) -> object:
    if isinstance(value, Mapping):
        return MappingProxyType(_frozen(value))
    if isinstance(value, (list, tuple)):
        return tuple(_frozen_value(each) for each in value)
    return value
