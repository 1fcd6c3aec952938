"""Readers: each turns a value as people write it into a typed one, or says what is allowed.

Source: Configuration, the item "Strict" (values as people write them). A reader takes the plain
value of an option and raises ValueError, whose text is "is <value>; it must be …".
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from greenrelay.config.fragment import Fragment, text_like, written_as
from greenrelay.config.mark import shown
from greenrelay.durations import parse_duration, parse_size

T = TypeVar("T")

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")

_BOOLEANS = {"true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]+)?")
_IMPORT_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_TEXT = {"type": "string", "pattern": r"\S"}
_DURATION = r"\d+(?:\.\d+)?|(?:\d+(?:\.\d+)?(?:us|ms|s|m|h|d))+"
_SIZE = r"\d+(?:\.\d+)?\s*(?:(?:[kKmMgG][iI]?)?[bB])?"


@written_as({"type": "number", "minimum": 0}, text_like(_DURATION))
def duration(value: object) -> float:
    """Read seconds from a number or a text such as ``"1m30s"``."""
    return parse_duration(value)


@written_as({"type": "integer", "minimum": 0}, text_like(_SIZE))
def size(value: object) -> int:
    """Read bytes from a number or a text such as ``"64KiB"``."""
    return parse_size(value)


@written_as({"type": "boolean"}, text_like("[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]"))
def boolean(value: object) -> bool:
    """Read ``true`` or ``false``, also as text; ``yes`` and ``on`` are no booleans."""
    read = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(read, bool):
        raise ValueError(f"is {shown(value)}; it must be true or false")
    return read


@written_as({"type": "integer"}, text_like(_INTEGER.pattern))
def integer(value: object) -> int:
    """Read a whole number, also as text."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        # Stripped once more: int() knows fewer spaces.
        return int(value.strip())
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"is {shown(value)}; it must be a whole number")
    return value


def integer_from(low: int, high: int | None = None) -> Callable[[object], int]:
    """Return a reader for whole numbers between both, inclusive; without ``high`` no upper end."""

    @written_as(_between("integer", low, high), text_like(_INTEGER.pattern))
    def read(value: object) -> int:
        number = integer(value)
        if number < low or (high is not None and number > high):
            limit = f"at least {low}" if high is None else f"{low} to {high}"
            raise ValueError(f"is {shown(value)}; it must be {limit}")
        return number

    return read


def number_from(low: float, high: float | None = None) -> Callable[[object], float]:
    """Return a reader for numbers, also as text, between both, inclusive."""

    @written_as(_between("number", low, high), text_like(_NUMBER.pattern))
    def read(value: object) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_text = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
        if not isinstance(value, (int, float, str)) or not (is_number or is_text):
            raise ValueError(f"is {shown(value)}; it must be a number")
        number = _float(value)
        # Written so that NaN, which compares as false, is refused.
        if not number >= low or not number <= (float("inf") if high is None else high):
            limit = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
            raise ValueError(f"is {shown(value)}; it must be {limit}")
        return number

    return read


@written_as(_TEXT)
def text(value: object) -> str:
    """Read text that is not empty. A number is refused: 1.10 would lose its zero."""
    if isinstance(value, (bool, int, float)):
        raise ValueError(f"is {shown(value)}; it must be text, write it in quotes")
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"is {shown(value)}; it must be text that is not empty")
    return value.strip()


@written_as({"type": "string"}, {"type": "array", "items": _TEXT})
def text_list(value: object) -> tuple[str, ...]:
    """Read a list of texts, or one text with commas between them."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)):
        raise ValueError(f'is {shown(value)}; it must be a list or text such as "a, b"')
    return tuple(text(item) for item in value)


def read_each(read: Callable[[str], T], values: Iterable[str]) -> tuple[T, ...]:
    """Return what ``read`` makes of each; raises one ValueError with all that is wrong."""
    found: list[T] = []
    wrong: list[str] = []
    for value in values:
        try:
            found.append(read(value))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("; ".join(wrong))
    return tuple(found)


@written_as({"type": "array"})
def anything_list(value: object) -> tuple[object, ...]:
    """Read a list of whatever YAML can hold."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"is {shown(value)}; it must be a list")
    return tuple(value)


def choice(*allowed: str) -> Callable[[object], str]:
    """Return a reader for one of the allowed words."""

    @written_as({"enum": list(allowed)}, text_like("|".join(map(re.escape, allowed))))
    def read(value: object) -> str:
        word = value.strip() if isinstance(value, str) else value
        if not isinstance(word, str) or word not in allowed:
            raise ValueError(f"is {shown(value)}; it must be one of {', '.join(allowed)}")
        return word

    return read


def _in_any_case(word: str) -> str:
    return "".join(f"[{letter}{letter.lower()}]" for letter in word)


_METHOD = "(?:" + "|".join(map(_in_any_case, METHODS)) + ")"


@written_as(
    text_like(rf"[\s,]*{_METHOD}(?:\s*,[\s,]*{_METHOD})*[\s,]*"),
    {"type": "array", "items": text_like(_METHOD), "minItems": 1},
)
def methods(value: object) -> tuple[str, ...]:
    """Read one HTTP method or a list of them, in any case, into upper case without doubles."""
    names = tuple(dict.fromkeys(name.upper() for name in text_list(value)))
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise ValueError(f"is {shown(value)}; it must be one or more of {', '.join(METHODS)}")
    return names


@written_as(text_like(_NAME.pattern))
def entry_name(value: object) -> str:
    """Read the name of an entry or namespace."""
    name = text(value)
    if not _NAME.fullmatch(name):
        rule = 'it must be letters, digits, "_", "-" and ".", and start with a letter or "_"'
        raise ValueError(f"is {shown(value)}; {rule}")
    return name


def is_import_path(value: str) -> bool:
    """Say whether the text has the shape ``package.module:callable``."""
    return _IMPORT_PATH.fullmatch(value) is not None


@written_as(text_like(_IMPORT_PATH.pattern))
def import_path(value: object) -> str:
    """Read ``package.module:callable``; nothing is imported."""
    path = text(value)
    if not is_import_path(path):
        raise ValueError(f'is {shown(value)}; it must look like "package.module:callable"')
    return path


def _float(value: float | str) -> float:
    try:
        return float(value.strip() if isinstance(value, str) else value)
    except OverflowError:
        # A whole number in Python has no largest one.
        return math.inf if int(value) > 0 else -math.inf


def _between(kind: str, low: float, high: float | None) -> Fragment:
    limits = {"minimum": low} if high is None else {"minimum": low, "maximum": high}
    return {"type": kind, **limits}
