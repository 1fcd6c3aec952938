"""Plain data: what a payload may be made of that leaves its node.

Source: Cluster, "What changes for a program". Only these exact types: what inherits from one of
them would arrive as something else.
"""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from greenrelay.core.pid import Pid
from greenrelay.errors import UnsendablePayload

# What holds nothing else.
LEAVES = frozenset({str, bytes, int, float, bool, type(None)})
MAX_DEPTH = 64
MIN_INT, MAX_INT = -(2**63), 2**64 - 1


def check_plain(payload: object, where: str = "payload") -> None:
    """Raise UnsendablePayload, which says where in it, unless ``payload`` is plain data."""
    _check(payload, where, 0)


def _check(value: object, where: str, depth: int) -> None:
    kind = type(value)
    if kind is dict or kind is list or kind is tuple:
        if depth == MAX_DEPTH:
            raise UnsendablePayload(where, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(value, dict):
            for key, each in value.items():
                if type(key) not in (str, Pid):
                    raise UnsendablePayload(where, f"has the key {key!r:.80}; keys are text")
                _check_text(key, where)
                _check(each, f"{where}[{key!r}]", depth + 1)
        elif isinstance(value, (list, tuple)):
            for index, each in enumerate(value):
                _check(each, f"{where}[{index}]", depth + 1)
    elif isinstance(value, int) and kind is int:
        if not MIN_INT <= value <= MAX_INT:
            raise UnsendablePayload(where, "is an int that needs more than 64 bits")
    elif isinstance(value, str) and kind is str:
        _check_text(value, where)
    elif kind not in LEAVES and kind not in (Pid, UUID, datetime):
        raise UnsendablePayload(where, f"is {kind.__module__}.{kind.__qualname__}")


def _check_text(text: str, where: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnsendablePayload(where, "is text with a lone surrogate") from None
