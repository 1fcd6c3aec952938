"""Readers: each turns a value as people write it into a typed one, or says what is allowed.

Source: Configuration, the item "Strict" (values as people write them). A reader takes the plain
value of an option and raises ValueError, whose text is "is <value>; it must be …".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from greenrelay.config.mark import shown
from greenrelay.durations import parse_duration, parse_size

METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE")

_BOOLEANS = {"true": True, "false": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?[0-9]{1,18}(?:\.[0-9]+)?")
_IMPORT_PATH = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def duration(value: object) -> float:
    """Read seconds from a number or a text such as ``"1m30s"``."""
    return parse_duration(value)


def size(value: object) -> int:
    """Read bytes from a number or a text such as ``"64KiB"``."""
    return parse_size(value)


def boolean(value: object) -> bool:
    """Read ``true`` or ``false``, also as text; ``yes`` and ``on`` are no booleans."""
    read = _BOOLEANS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(read, bool):
        raise ValueError(f"is {shown(value)}; it must be true or false")
    return read


def integer(value: object) -> int:
    """Read a whole number, also as text."""
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"is {shown(value)}; it must be a whole number")
    return value


def integer_from(low: int, high: int | None = None) -> Callable[[object], int]:
    """Return a reader for whole numbers between both, inclusive; without ``high`` no upper end."""

    def read(value: object) -> int:
        number = integer(value)
        if number < low or (high is not None and number > high):
            limit = f"at least {low}" if high is None else f"{low} to {high}"
            raise ValueError(f"is {shown(value)}; it must be {limit}")
        return number

    return read


def number_from(low: float, high: float | None = None) -> Callable[[object], float]:
    """Return a reader for numbers, also as text, between both, inclusive."""

    def read(value: object) -> float:
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        is_text = isinstance(value, str) and _NUMBER.fullmatch(value.strip())
        if not isinstance(value, (int, float, str)) or not (is_number or is_text):
            raise ValueError(f"is {shown(value)}; it must be a number")
        number = float(value)
        # Written so that NaN, which compares as false, is refused.
        if not number >= low or not number <= (float("inf") if high is None else high):
            limit = f"at least {low:g}" if high is None else f"{low:g} to {high:g}"
            raise ValueError(f"is {shown(value)}; it must be {limit}")
        return number

    return read


def text(value: object) -> str:
    """Read text that is not empty. A number is refused: 1.10 would lose its zero."""
    if isinstance(value, (bool, int, float)):
        raise ValueError(f"is {shown(value)}; it must be text, write it in quotes")
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"is {shown(value)}; it must be text that is not empty")
    return value.strip()


def text_list(value: object) -> tuple[str, ...]:
    """Read a list of texts, or one text with commas between them."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if not isinstance(value, (list, tuple)):
        raise ValueError(f'is {shown(value)}; it must be a list or text such as "a, b"')
    return tuple(text(item) for item in value)


def anything_list(value: object) -> tuple[object, ...]:
    """Read a list of whatever YAML can hold."""
    if not isinstance(value, (list, tuple)):
        raise ValueError(f"is {shown(value)}; it must be a list")
    return tuple(value)


def choice(*allowed: str) -> Callable[[object], str]:
    """Return a reader for one of the allowed words."""

    def read(value: object) -> str:
        word = value.strip() if isinstance(value, str) else value
        if not isinstance(word, str) or word not in allowed:
            raise ValueError(f"is {shown(value)}; it must be one of {', '.join(allowed)}")
        return word

    return read


def methods(value: object) -> tuple[str, ...]:
    """Read one HTTP method or a list of them, in any case, into upper case without doubles."""
    names = tuple(dict.fromkeys(name.upper() for name in text_list(value)))
    unknown = [name for name in names if name not in METHODS]
    if unknown or not names:
        raise ValueError(f"is {shown(value)}; it must be one or more of {', '.join(METHODS)}")
    return names


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


def import_path(value: object) -> str:
    """Read ``package.module:callable``; nothing is imported."""
    path = text(value)
    if not is_import_path(path):
        raise ValueError(f'is {shown(value)}; it must look like "package.module:callable"')
    return path
