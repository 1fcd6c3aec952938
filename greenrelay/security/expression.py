"""Regular expressions of conditions, so that no value can keep one busy.

Source: HTTP, "Security". Python's engine goes back and tries again; how often is bounded here by
what an expression may be made of, and by the length of the values it is asked about. Each
repetition and each choice multiplies the ways to try, so there may be three of them, or two where
the expression may begin anywhere; a repeated group must hold neither.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_VALUE = 256
MAX_PATTERN = 256
MOST_ANCHORED, MOST_FREE = 3, 2

_TOKEN = re.compile(
    r"(?P<escaped>\\(?:[1-9]|.))|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<special>\(\?(?!:))"
    r"|(?P<open>\((?:\?:)?)|(?P<close>\))|(?P<repeat>[*+?][?+]?|\{\d*(?:,\d*)?\}[?+]?)|(?P<choice>\|)|.",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A regular expression: its ``pattern`` as it was written, and what that was compiled to."""

    pattern: str
    _compiled: re.Pattern[str]

    def is_found_in(self, text: str) -> bool:
        """Say whether any part of ``text`` matches."""
        return self._compiled.search(text) is not None


def compile_expression(text: str) -> Expression:
    """Return the compiled expression; raises ValueError for one that is broken or could be slow."""
    if len(text) > MAX_PATTERN:
        raise ValueError(f"has {len(text)} characters; it must have {MAX_PATTERN} at most")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"is no regular expression: {error}") from None
    ways, has_top_choice = _count_ways(text)
    is_anchored = text.startswith(("^", r"\A")) and not has_top_choice
    most = MOST_ANCHORED if is_anchored else MOST_FREE
    if ways > most:
        raise ValueError(
            f"has {ways} repetitions and choices; it must have {MOST_ANCHORED} at most, or "
            f"{MOST_FREE} where it does not begin with ^"
        )
    return Expression(text, re.compile(_ended(text)))


def _ended(text: str) -> str:
    """Return the expression with ``$`` as the very end: Python lets a line feed follow it."""
    return _TOKEN.sub(lambda token: r"\Z" if token[0] == "$" else token[0], text)


def _count_ways(text: str) -> tuple[int, bool]:
    """Return how many repetitions and choices there are, and whether one is outside all groups."""
    ways = 0
    has_top_choice = False
    # For each group that is open whether it holds any; the first is the whole expression.
    open_groups = [False]
    closed_holds_any = False
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "special" or (kind == "escaped" and token[0][1:].isdigit()):
            raise ValueError("has a look-around, a flag or a back-reference; it must have none")
        if kind == "open":
            open_groups.append(False)
        elif kind == "close":
            closed_holds_any = open_groups.pop()
            open_groups[-1] |= closed_holds_any
            continue
        elif kind in ("repeat", "choice"):
            if kind == "repeat" and closed_holds_any:
                raise ValueError("repeats a group with a repetition or a choice in it")
            has_top_choice |= kind == "choice" and len(open_groups) == 1
            ways += 1
            open_groups[-1] = True
        closed_holds_any = False
    return ways, has_top_choice
