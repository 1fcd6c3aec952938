"""Durations and sizes as people write them, and as numbers.

Source: Processes, "Functions" (durations) and Configuration (sizes). A duration is a number of
seconds or text such as ``"250ms"``, ``"30s"``, ``"1m30s"``, ``"2h"``; a size is a number of bytes
or text such as ``"64KiB"``, ``"1 MiB"``, ``"500kB"``.
"""

from __future__ import annotations

import math
import re
import sys

from greenrelay.errors import InvalidDuration, InvalidSize

_SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|m|h|d)")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_BYTES = {
    "": 1,
    "b": 1,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def parse_duration(value: object) -> float:
    """Return seconds for a number of seconds or a text such as ``"1m30s"``.

    Raises InvalidDuration for anything else, for a negative value and for NaN or infinity.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            # Whole numbers have no largest one.
            seconds = math.inf if value > 0 else -math.inf
    elif isinstance(value, str):
        seconds = _read_duration(value)
    else:
        raise InvalidDuration(value)
    if not math.isfinite(seconds):
        raise InvalidDuration(value, "it must be finite")
    if seconds < 0:
        raise InvalidDuration(value, "it must not be negative")
    return seconds


def _read_duration(value: str) -> float:
    text = value.strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    if text.startswith("-"):
        raise InvalidDuration(value, "it must not be negative")
    parts = _DURATION_PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise InvalidDuration(value)
    return sum(float(number) * _SECONDS[unit] for number, unit in parts)


def format_duration(seconds: float) -> str:
    """Return the shortest text that parse_duration reads back as the same number of seconds.

    Resolution is a millisecond: ``90`` is ``"1m30s"``, ``0.25`` is ``"250ms"``.
    """
    milliseconds = round(seconds * 1000)
    if milliseconds == 0:
        return "0s"
    text = ""
    for unit, length in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, milliseconds = divmod(milliseconds, length)
        if count:
            text += f"{count}{unit}"
    return text


def parse_size(value: object) -> int:
    """Return bytes for a number of bytes or a text such as ``"64KiB"`` or ``"1 MB"``.

    Raises InvalidSize for anything else, for a negative value, for a fraction of a byte and for
    more than any buffer can have.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        if value < 0:
            raise InvalidSize(value, "it must not be negative")
        return _at_most_a_buffer(value, value)
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    factor = _BYTES.get(match[2].lower()) if match else None
    if match is None or factor is None:
        raise InvalidSize(value)
    size = float(match[1]) * factor
    if math.isfinite(size) and size != int(size):
        raise InvalidSize(value, "it is not a whole number of bytes")
    return _at_most_a_buffer(size, value)


def _at_most_a_buffer(size: float, value: object) -> int:
    if size > sys.maxsize:
        raise InvalidSize(value, f"it must be at most {sys.maxsize} bytes")
    return int(size)
