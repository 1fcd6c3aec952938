"""Readers of what policies and token stores are made of.

Source: HTTP, "Security". Patterns, conditions and expressions are read here, so a typo is a
problem of the configuration and not of a request.
"""

from __future__ import annotations

from greenrelay.config.fragment import text_like, written_as
from greenrelay.config.read import read_each, text_list
from greenrelay.security.condition import ALONE, OPERATORS, PATH, Condition, parse_conditions
from greenrelay.security.pattern import SYNTAX, Pattern
from greenrelay.security.settings import ALGORITHMS

_FIELD = {"type": "string", "pattern": rf"^{PATH}$"}
_ALGORITHM = "|".join(ALGORITHMS)
_CONDITION = {
    "type": "object",
    "required": ["field", "operator"],
    "properties": {
        "field": _FIELD,
        "operator": {"enum": list(OPERATORS)},
        "value": True,
        "value_from": _FIELD,
    },
    "additionalProperties": False,
    "if": {"required": ["operator"], "properties": {"operator": {"enum": list(ALONE)}}},
    "then": {"not": {"anyOf": [{"required": ["value"]}, {"required": ["value_from"]}]}},
    "else": {"oneOf": [{"required": ["value"]}, {"required": ["value_from"]}]},
}


@written_as(
    text_like(rf"[\s,]*{SYNTAX}(?:\s*,[\s,]*{SYNTAX})*[\s,]*"),
    {"type": "array", "items": text_like(SYNTAX), "minItems": 1},
)
def pattern_list(value: object) -> tuple[Pattern, ...]:
    """Read a pattern or a list of them."""
    found = read_each(Pattern, text_list(value))
    if not found:
        raise ValueError("is empty; it must be a pattern or a list of them")
    return found


@written_as({"type": "array", "items": _CONDITION})
def condition_list(value: object) -> tuple[Condition, ...]:
    """Read a list of conditions."""
    return parse_conditions(value)


@written_as({"type": "string", "pattern": r"\S"})
def secret_text(value: object) -> str:
    """Read text as it is; a problem does not quote it."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("it must be text that is not empty, write it in quotes")
    return value


@written_as(
    text_like(rf"[\s,]*(?:{_ALGORITHM})(?:\s*,[\s,]*(?:{_ALGORITHM}))*[\s,]*"),
    {"type": "array", "items": text_like(_ALGORITHM), "minItems": 1},
)
def algorithm_names(value: object) -> tuple[str, ...]:
    """Read names of JWT algorithms; "none" is not among them."""
    names = text_list(value)
    unknown = [name for name in names if name not in ALGORITHMS]
    if unknown or not names:
        what = ", ".join(map(repr, unknown)) or "empty"
        raise ValueError(f"is {what}; known: {', '.join(ALGORITHMS)}")
    return names
