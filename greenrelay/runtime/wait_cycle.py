"""Processes that wait for each other in a circle: A calls B while B calls A.

Source: Processes, "Functions", row call. Nobody can answer in such a circle, so a call in it ends
with Timeout; the Timeout names the circle. Pure: who calls whom comes in as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def find_cycle(start: T, awaited_by: Callable[[T], T | None]) -> tuple[T, ...]:
    """Return who waits for whom, from ``start`` up to the one that waits for ``start``.

    ``awaited_by`` returns whom a process waits for now, None for one that waits for nobody. The
    answer is empty when the chain ends, or runs into a circle that ``start`` is no part of. Whoever
    waits for itself is a circle of one.
    """
    chain = [start]
    # By identity: what is asked about need not be hashable.
    seen = {id(start)}
    while True:
        after = awaited_by(chain[-1])
        if after is start:
            return tuple(chain)
        if after is None or id(after) in seen:
            return ()
        chain.append(after)
        seen.add(id(after))


def describe_cycle(cycle: Sequence[object]) -> str:
    """Return a circle as text: ``{A} waits for {B}, {B} waits for {A}``."""
    around = [*cycle[1:], *cycle[:1]]
    return ", ".join(f"{one} waits for {other}" for one, other in zip(cycle, around, strict=True))
