"""Patterns of actions and resources, which match whole segments.

Source: HTTP, "Security" ("Patterns match whole segments"). Segments stand between ``.``, ``:`` and
``/``. ``*`` is exactly one segment, ``**`` at the end is the rest, one segment at least, and a
pattern that is nothing but ``*`` or ``**`` matches all there is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LITERAL = r"[^\s*,.:/]+"
_SEGMENT = rf"(?:{_LITERAL}|\*)"
SYNTAX = rf"(?:[.:/]*{_SEGMENT}(?:[.:/]+{_SEGMENT})*(?:[.:/]+\*\*|[.:/]*)|\*\*)"
_SYNTAX = re.compile(SYNTAX)
_WILDCARD = re.compile(r"\*\*?")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What ``text`` says, ready to be asked; raises ValueError for text that is no pattern."""

    text: str
    _regex: re.Pattern[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not _SYNTAX.fullmatch(self.text):
            raise ValueError(
                f'{self.text!r} is no pattern: "*" and "**" stand for whole segments, "**" at the '
                'end only, as in "user.*" and "app:docs/**"'
            )
        object.__setattr__(self, "_regex", re.compile(_regex_of(self.text), re.DOTALL))

    def __str__(self) -> str:
        return self.text

    def matches(self, value: str) -> bool:
        """Whether ``value`` as a whole is what the pattern says."""
        return self._regex.fullmatch(value) is not None


def _regex_of(text: str) -> str:
    if text in ("*", "**"):
        return ".*"
    parts: list[str] = []
    end = 0
    for found in _WILDCARD.finditer(text):
        parts.append(re.escape(text[end : found.start()]))
        # The rest begins with a segment, and whatever follows it belongs to it.
        parts.append(r"[^.:/]+" if found[0] == "*" else r"[^.:/].*")
        end = found.end()
    return "".join([*parts, re.escape(text[end:])])
