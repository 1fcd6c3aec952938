"""Endings as values. Source: Processes, "Endings"."""

from __future__ import annotations

import pytest

from greenrelay.core.events import (
    RESULT_NORMAL,
    Cancel,
    Exit,
    ExitError,
    LinkDown,
    MonitorRef,
    Result,
    result_of_reason,
)
from greenrelay.core.pid import Pid

ONE, OTHER = Pid("n", "h", 1), Pid("n", "h", 2)
REF = MonitorRef(ONE, OTHER, 1)


def test_the_kinds_of_event_have_names() -> None:
    """`event.kind` is `"EXIT"`, `"LINK_DOWN"`, `"CANCEL"`."""
    assert Exit(OTHER, RESULT_NORMAL, REF).kind == "EXIT"
    assert LinkDown(OTHER, RESULT_NORMAL).kind == "LINK_DOWN"
    assert Cancel(None, None, 10.0).kind == "CANCEL"


def test_events_are_made_for_match() -> None:
    """Events are frozen values made for `match`."""
    event: object = Exit(OTHER, Result(value=7), REF)

    match event:
        case Exit(pid, Result(value, None, reason), ref):
            found = (pid, value, reason, ref)

    assert found == (OTHER, 7, "normal", REF)


def test_events_are_frozen() -> None:
    event = LinkDown(OTHER, RESULT_NORMAL)

    with pytest.raises(AttributeError):
        event.pid = ONE  # type: ignore[misc]


@pytest.mark.parametrize("reason", ["normal", "shutdown"])
def test_normal_and_shutdown_are_clean(reason: str) -> None:
    """`normal` and `shutdown` are clean, anything else is abnormal."""
    result = result_of_reason(reason)

    assert result.is_normal
    assert result == Result(None, None, reason)


def test_any_other_reason_is_abnormal() -> None:
    result = result_of_reason("boom")

    assert not result.is_normal
    assert result.error == ExitError("ProcessExit", "boom")
    assert result.reason == "boom"


@pytest.mark.parametrize("reason", [None, 7, [], b"boom"])
def test_a_reason_is_text(reason: object) -> None:
    with pytest.raises(TypeError, match="it must be text"):
        result_of_reason(reason)  # type: ignore[arg-type]


def test_an_exit_error_reads_as_type_and_message() -> None:
    assert str(ExitError("ValueError", "bad", "Traceback …")) == "ValueError: bad"
    assert str(ExitError("KeyError", "")) == "KeyError"
