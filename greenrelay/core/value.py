"""Frozen values that are made too often to be dataclasses.

A frozen dataclass sets each field by a call. These keep their fields privately and show them as
properties, which costs nothing to make; what all of them have is here.
"""

from __future__ import annotations


class Value:
    """A value made of what its class names in ``__match_args__``, and equal to another by that."""

    __slots__ = ()

    def _names(self) -> tuple[str, ...]:
        names: tuple[str, ...] = type(self).__match_args__  # type: ignore[attr-defined]
        return names

    def _parts(self) -> tuple[object, ...]:
        return tuple([getattr(self, name) for name in self._names()])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, type(self)):
            return NotImplemented
        return self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash(self._parts())

    def __repr__(self) -> str:
        shown = ", ".join([f"{name}={getattr(self, name)!r}" for name in self._names()])
        return f"{type(self).__name__}({shown})"
