"""How a value is written, as a fragment of JSON Schema that stands beside its reader.

Source: Configuration, the item on ``greenrelay schema``. A reader without a fragment takes anything
as far as the schema is concerned; what it refuses, only the loader can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

Fragment = Mapping[str, object]
Read = TypeVar("Read", bound=Callable[[object], object])

_FRAGMENT = "greenrelay_fragment"
ANYTHING: Fragment = {}


def written_as(*fragments: Fragment) -> Callable[[Read], Read]:
    """Return a decorator that says what a reader takes: what any one of the fragments allows."""

    def mark(read: Read) -> Read:
        setattr(read, _FRAGMENT, any_of(fragments))
        return read

    return mark


def fragment_of(read: Callable[[object], object]) -> Fragment:
    """Return what a reader takes."""
    found: Fragment = getattr(read, _FRAGMENT, ANYTHING)
    return found


def any_of(fragments: tuple[Fragment, ...]) -> Fragment:
    """Return the fragment that allows what any of them does."""
    return fragments[0] if len(fragments) == 1 else {"anyOf": list(fragments)}


def text_like(pattern: str) -> Fragment:
    """Return the fragment for text that as a whole, save for spaces around it, is ``pattern``."""
    return {"type": "string", "pattern": rf"^\s*(?:{pattern})\s*$"}
