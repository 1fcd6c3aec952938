"""What the page has sent, as typed values: nothing of it is trusted.

Source: Operations, "Dashboard". A field that is not what it should be is a BadQuestion.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_ROWS = 200
MAX_TEXT = 200


class BadQuestion(Exception):
    """What is wrong with a question or an order, for the person who has made it."""


class Asked:
    """The arguments of one question."""

    __slots__ = ("_values",)

    def __init__(self, values: object) -> None:
        if not isinstance(values, Mapping):
            raise BadQuestion("with: it must be a map")
        self._values = values

    def text(self, name: str, default: str | None = None, limit: int = MAX_TEXT) -> str:
        """Return a text; raises BadQuestion where it is missing and has no default."""
        found = self._values.get(name, default)
        if not isinstance(found, str) or (default is None and not found):
            raise BadQuestion(f"{name}: it must be text")
        if len(found) > limit:
            raise BadQuestion(f"{name}: it must be at most {limit} characters long")
        return found

    def choice(self, name: str, *allowed: str) -> str:
        """Return one of ``allowed``; the first unless given."""
        found = self.text(name, allowed[0])
        if found not in allowed:
            raise BadQuestion(f"{name}: it must be one of {', '.join(allowed)}")
        return found

    def number(self, name: str, default: int, low: int, high: int) -> int:
        """Return a whole number between both."""
        found = self._values.get(name, default)
        if isinstance(found, bool) or not isinstance(found, int) or not low <= found <= high:
            raise BadQuestion(f"{name}: it must be a whole number from {low} to {high}")
        return found

    def flag(self, name: str) -> bool:
        """Return a boolean, False unless given."""
        return self._values.get(name) is True

    def window(self) -> tuple[int, int]:
        """Return from which row on, and up to which, exclusive."""
        first = self.number("offset", 0, 0, 10_000_000)
        return first, first + self.number("limit", 50, 1, MAX_ROWS)

    def values(self) -> dict[str, object]:
        """Return all of them, for whoever looks at them next."""
        return {str(name): value for name, value in self._values.items()}

    def value(self, name: str) -> object:
        """Return whatever it is."""
        return self._values.get(name)
