"""How long a connection or a stream may last: as long as the actor who has opened it may.

Source: HTTP, "Security" ("its expiry closes the connection with 1008"). Who that is stands in the
context that the request has handed on. All this room has to know of him is when he expires and how
to be told that he was revoked earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from time import time
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from greenrelay.core.message import NO_CONTEXT
from greenrelay.runtime.timers import Timer, Timers

if TYPE_CHECKING:
    from greenrelay.transport.connection import Connection
    from greenrelay.transport.stream import Stream

# The key of the context.
ACTOR = "actor"
EXPIRED, REVOKED = "actor expired", "actor revoked"
POLICY_VIOLATION = 1008


@runtime_checkable
class Holder(Protocol):
    """Somebody whose right to a connection ends."""

    @property
    def expires_at(self) -> float | None:
        """When, in seconds since the epoch; None is never."""

    def is_valid(self, now: float) -> bool:
        """Whether it has not ended by ``now``."""

    def watch(self, callback: Callable[[], object]) -> None:
        """Call ``callback`` when it ends before its time."""

    def unwatch(self, callback: Callable[[], object]) -> None:
        """Call it no more."""


class Term:
    """Calls ``end`` with a reason when the time of ``holder`` is over, unless it is stopped."""

    __slots__ = ("_end", "_holder", "_timer")

    def __init__(self, timers: Timers, holder: Holder, end: Callable[[str], object]) -> None:
        self._holder = holder
        self._end: Callable[[str], object] | None = end
        self._timer: Timer | None = None
        if holder.expires_at is not None:
            left = max(0.0, holder.expires_at - time())
            self._timer = timers.call_after(left, self._expire)
        holder.watch(self._revoke)

    def check(self) -> None:
        """Look whether it is over by now: the view may have taken its time."""
        now = time()
        if not self._holder.is_valid(now):
            expires_at = self._holder.expires_at
            is_expired = expires_at is not None and expires_at <= now
            self._expire() if is_expired else self._revoke()

    def stop(self) -> None:
        """End nothing any more, and let go of what it would have ended."""
        self._end = None
        self._holder.unwatch(self._revoke)
        if self._timer is not None:
            self._timer.cancel()

    def _expire(self) -> None:
        if self._end is not None:
            self._end(EXPIRED)

    def _revoke(self) -> None:
        if self._end is not None:
            self._end(REVOKED)


def last_as_long(connection: Connection) -> None:
    """Close a connection that is open with 1008 when the time of its actor is over."""
    holder = _holder(connection.context)
    if holder is not None and connection.is_open:
        term = connection.term = Term(connection.node.timers, holder, connection.close_for_actor)
        term.check()


def stream_as_long(stream: Stream) -> None:
    """End a stream that is open when the time of its actor is over."""
    holder = _holder(stream.context)
    if holder is not None and stream.is_open:
        term = stream.term = Term(stream.node.timers, holder, stream.close)
        term.check()


def _holder(context: Mapping[str, object]) -> Holder | None:
    found = None if context is NO_CONTEXT else context.get(ACTOR)
    return found if isinstance(found, Holder) else None
