from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from greenrelay.core.pid import Pid
from greenrelay.core.plain import MAX_DEPTH, check_plain
from greenrelay.errors import UnsendablePayload

PID = Pid("n", "h", 1)


def nested(depth: int) -> object:
    value: object = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "payload",
    [
        None,
        False,
        -(2**63),
        2**64 - 1,
        0.5,
        "text",
        b"bytes",
        [1, "two"],
        (1, 2),
        {"key": {"of": []}, PID: 1},
        datetime(2026, 1, 1, tzinfo=UTC),
        UUID(int=1),
        PID,
        nested(MAX_DEPTH),
    ],
)
def test_plain_data_passes(payload: object) -> None:
    check_plain(payload)


class Dict(dict[str, int]):
    """No plain dict."""


@pytest.mark.parametrize(
    ("payload", "where", "why"),
    [
        ({"a": (1, {2})}, "payload['a'][1]", "is builtins.set"),
        ({1: 2}, "payload", "has the key 1; keys are text"),
        ({"\ud800": 2}, "payload", "is text with a lone surrogate"),
        (["\ud800"], "payload[0]", "is text with a lone surrogate"),
        ([2**64], "payload[0]", "is an int that needs more than 64 bits"),
        (-(2**63) - 1, "payload", "is an int that needs more than 64 bits"),
        (Dict(), "payload", f"is {__name__}.Dict"),
        (nested(MAX_DEPTH + 1), "payload" + "[0]" * MAX_DEPTH, "is nested deeper than 64 levels"),
    ],
)
def test_anything_else_is_refused_with_its_place(payload: object, where: str, why: str) -> None:
    """anything else is UnsendablePayload at the sender"""
    with pytest.raises(UnsendablePayload) as raised:
        check_plain(payload)

    assert (raised.value.text, raised.value.why) == (where, why)
