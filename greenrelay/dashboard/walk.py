"""Looks at many sockets or processes without holding the hub up, and keeps what was found a while.

Source: Operations, "Dashboard" (at 10,000 sockets it must not slow the server down).

Theory. A look at all of them is done for a millisecond at a time, and others run in between. A
timer brings it back, and not a callback as of ``sleep(0)``: gevent runs a thousand of those before
it looks at a socket. Whoever scrolls asks for the same list again and again, so it is kept; the
longer a look has taken, the longer it is good: never more than a twentieth of the time goes into
it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from heapq import merge
from time import monotonic
from typing import Generic, TypeVar

import gevent

T = TypeVar("T")

# How long a look goes on, and how long it then lets others run at least, in seconds.
STRIDE = 0.001
REST = 0.001
# How long a list is good at least, in seconds, and how many times as long as it took to make.
KEPT = 1.0
SHARE = 20.0
# How many are sorted in one go: a few milliseconds.
CHUNK = 20_000


def strides(items: Iterable[T]) -> Iterator[T]:
    """Yield ``items``, and let others run now and then; whoever takes them must be able to wait."""
    until = monotonic() + STRIDE
    for item in items:
        yield item
        if monotonic() >= until:
            gevent.sleep(REST)
            until = monotonic() + STRIDE


def in_order(keys: Sequence[float]) -> list[int]:
    """Return the places of ``keys``, the lowest first; it lets others run as ``strides`` does."""
    places = range(len(keys))
    chunks = strides(places[first : first + CHUNK] for first in places[::CHUNK])
    parts = [sorted(each, key=keys.__getitem__) for each in chunks]
    if len(parts) < 2:
        return [place for part in parts for place in part]
    return list(strides(merge(*parts, key=keys.__getitem__)))


@dataclass(slots=True)
class Kept(Generic[T]):
    """The last thing that was made, with what was asked for it."""

    _question: object = None
    _answer: T | None = None
    _until: float = field(default=0.0)

    def get(self, question: object, make: Callable[[], T]) -> T:
        """Return what ``make`` has made for this question, a moment ago or now."""
        began_at = monotonic()
        if self._answer is None or self._question != question or began_at >= self._until:
            self._answer = make()
            self._question = question
            now = monotonic()
            self._until = now + max(KEPT, SHARE * (now - began_at))
        return self._answer
