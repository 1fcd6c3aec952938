"""Conditions of a policy: a field of the question, an operator, and what it is compared with.

Source: HTTP, "Security" (conditions). A condition holds, does not hold, or cannot be told: a field
is missing, or two values cannot be compared. What follows from that is the policy's to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from greenrelay.security.actor import Actor
from greenrelay.security.expression import MAX_VALUE, Expression, compile_expression

PATH = r"(?:actor\.id|action|resource|(?:actor\.)?meta\.[^\s.]+(?:\.[^\s.]+)*)"
_PATH = re.compile(PATH)
_PATHS = "actor.id, actor.meta.…, action, resource or meta.…"
KEYS = ("field", "operator", "value", "value_from")
ORDERED = ("lt", "gt", "lte", "gte")
ALONE = ("exists", "nexists")
LISTED = ("in", "nin")
EXPRESSIONS = ("matches", "nmatches")
OPERATORS = ("eq", "ne", *ORDERED, *LISTED, *ALONE, "contains", "ncontains", *EXPRESSIONS)
MISSING = object()


class Undecided(Exception):
    """Whether a condition holds cannot be told."""


@dataclass(frozen=True, slots=True)
class Access:
    """What is asked: may ``actor`` do ``action`` with ``resource``; ``meta`` is how it is asked."""

    actor: Actor
    action: str
    resource: str
    meta: Mapping[str, object] = field(default_factory=dict)

    def value(self, path: str) -> object:
        """Return what stands at a path such as ``actor.meta.role``, or MISSING."""
        if path in ("action", "resource"):
            return self.action if path == "action" else self.resource
        if path == "actor.id":
            return self.actor.id
        is_actors = path.startswith("actor.")
        found: object = self.actor.meta if is_actors else self.meta
        for key in path.split(".")[2 if is_actors else 1 :]:
            found = found.get(key, MISSING) if isinstance(found, Mapping) else MISSING
        return found


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; ``value_from`` is the path of what it is compared with, else ``value`` is."""

    field: str
    operator: str
    value: object = None
    value_from: str | None = None

    def __str__(self) -> str:
        if self.operator in ALONE:
            return f"{self.field} {self.operator}"
        other = self.value.pattern if isinstance(self.value, Expression) else self.value
        shown = f"{other!r}" if self.value_from is None else self.value_from
        return f"{self.field} {self.operator} {shown}"

    def holds(self, access: Access) -> bool:
        """Whether it holds; raises Undecided where that cannot be told."""
        found = access.value(self.field)
        if self.operator in ALONE:
            return (found is not MISSING) == (self.operator == "exists")
        other = self.value if self.value_from is None else access.value(self.value_from)
        if found is MISSING or other is MISSING:
            # What is missing equals nothing. All else, also that it differs, cannot be told.
            if self.operator in ("eq", "in", "contains"):
                return False
            raise Undecided(f"{self.field} {self.operator}: a value is missing")
        return _TESTS[self.operator](found, other)


def parse_conditions(value: object) -> tuple[Condition, ...]:
    """Read a list of maps with ``field``, ``operator`` and ``value`` or ``value_from``.

    Raises ValueError that says which items are wrong, and what with each.
    """
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"is {value!r}; it must be a list of conditions")
    found: list[Condition] = []
    wrong: list[str] = []
    for index, item in enumerate(value):
        try:
            found.append(_parse_condition(item))
        except ValueError as error:
            wrong.append(f"item {index + 1}: {error}")
    if wrong:
        raise ValueError("; ".join(wrong))
    return tuple(found)


def _parse_condition(item: object) -> Condition:
    if not isinstance(item, Mapping):
        raise ValueError(f"{item!r} must be a map of {', '.join(KEYS)}")
    unknown = [str(key) for key in item if key not in KEYS]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r}; known: {', '.join(KEYS)}")
    operator = item.get("operator")
    if operator not in OPERATORS:
        raise ValueError(f"operator {operator!r} must be one of {', '.join(OPERATORS)}")
    path = _path(item, "field")
    if len({"value", "value_from"} & item.keys()) != (0 if operator in ALONE else 1):
        wanted = "neither value nor value_from" if operator in ALONE else "value or value_from"
        raise ValueError(f"operator {operator} takes {wanted}")
    if "value_from" in item:
        if operator in EXPRESSIONS:
            raise ValueError(f"operator {operator} takes value: an expression is no outside text")
        return Condition(path, operator, value_from=_path(item, "value_from"))
    return Condition(path, operator, _operand(operator, item.get("value")))


def _path(item: Mapping[str, object], key: str) -> str:
    path = item.get(key)
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise ValueError(f"{key} {path!r} must be {_PATHS}")
    return path


def _operand(operator: str, value: object) -> object:
    if operator in EXPRESSIONS:
        if not isinstance(value, str):
            raise ValueError(f"value {value!r} must be a regular expression")
        try:
            return compile_expression(value)
        except ValueError as error:
            raise ValueError(f"value {value!r} {error}") from None
    if operator in LISTED:
        if not isinstance(value, (list, tuple)):
            raise ValueError(f"value {value!r} must be a list")
        return tuple(value)
    if operator in ORDERED and (
        isinstance(value, bool) or not isinstance(value, (int, float, str))
    ):
        raise ValueError(f"value {value!r} must be a number or text")
    return value


def _equal(one: object, other: object) -> bool:
    # To Python True is 1.
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    # An actor has tuples where the file has lists.
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    return one == other


def _is_in(one: object, other: object) -> bool:
    if isinstance(other, str) or not isinstance(other, Sequence):
        raise Undecided(f"{other!r} is no list")
    return any(_equal(one, each) for each in other)


def _contains(one: object, other: object) -> bool:
    if isinstance(one, str):
        if isinstance(other, str):
            return other in one
        raise Undecided(f"{other!r} cannot be part of a text")
    return _is_in(other, one)


def _ordered(test: Callable[[float, float], bool]) -> Callable[[object, object], bool]:
    def compare(one: object, other: object) -> bool:
        for kind in ((int, float), str):
            if isinstance(one, kind) and isinstance(other, kind):
                if not (_has_order(one) and _has_order(other)):
                    break
                return test(one, other)  # type: ignore[arg-type]  # texts compare as well
        raise Undecided(f"{one!r} and {other!r} have no order")

    return compare


def _has_order(value: object) -> bool:
    # What is not a number (NaN) is the only float that differs from itself.
    return not isinstance(value, bool) and value == value


def _matches(one: object, other: object) -> bool:
    if not isinstance(one, str) or len(one) > MAX_VALUE:
        raise Undecided(f"an expression is asked about text of {MAX_VALUE} characters at most")
    assert isinstance(other, Expression), "it was compiled when it was read"
    return other.is_found_in(one)


def _negated(test: Callable[[object, object], bool]) -> Callable[[object, object], bool]:
    return lambda one, other: not test(one, other)


_TESTS: Mapping[str, Callable[[object, object], bool]] = {
    "eq": _equal,
    "ne": _negated(_equal),
    "lt": _ordered(lambda one, other: one < other),
    "gt": _ordered(lambda one, other: one > other),
    "lte": _ordered(lambda one, other: one <= other),
    "gte": _ordered(lambda one, other: one >= other),
    "in": _is_in,
    "nin": _negated(_is_in),
    "contains": _contains,
    "ncontains": _negated(_contains),
    "matches": _matches,
    "nmatches": _negated(_matches),
}
