"""Values as the page shows them: short text, whatever their size, with secrets masked.

Source: Operations, "Dashboard". What a program keeps in metadata, contexts and inboxes may be huge
or refuse to be shown; a look at it must cost little and fail never.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import Any

from greenrelay.config.effective import MASK, Setting

MAX_ITEMS = 50


class _Short(reprlib.Repr):
    """``repr`` with bounds; the values of keys that look like secrets are masked."""

    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = 12
        self.maxstring = self.maxother = 300
        self.maxlevel = 4

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Return a map, with secrets masked."""
        if level <= 0:
            return "{…}"
        parts = []
        for index, (key, value) in enumerate(x.items()):
            if index == self.maxdict:
                parts.append("…")
                break
            text = repr(MASK) if is_secret(key, value) else self.repr1(value, level - 1)
            parts.append(f"{self.repr1(key, level - 1)}: {text}")
        return "{" + ", ".join(parts) + "}"


_short = _Short()


def short(value: object) -> str:
    """Return what a value looks like, cut; text stands as it is."""
    if isinstance(value, str):
        cut = value[: _short.maxstring]
        return cut if len(cut) == len(value) else f"{cut}…"
    try:
        return _short.repr(value)
    except Exception as error:
        # Somebody else's __repr__.
        return f"<{type(value).__name__}: its repr failed with {type(error).__name__}>"


def short_map(values: Mapping[str, object]) -> dict[str, str]:
    """Return a map of texts, with secrets masked; of many keys the first."""
    found: dict[str, str] = {}
    for key, value in values.items():
        if len(found) == MAX_ITEMS:
            break
        found[short(key)] = MASK if is_secret(key, value) else short(value)
    return found


def is_secret(key: object, value: object) -> bool:
    """Whether a value is to be hidden, by the name it has."""
    if not isinstance(key, str) or not value or isinstance(value, bool):
        return False
    # Whatever the value is, so that a large one is not walked through for this.
    shown = Setting("", {key: "x"}, "").shown
    return isinstance(shown, dict) and shown[key] == MASK
