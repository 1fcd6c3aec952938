"""The names of ``greenrelay.testing`` that most tests here use, and what only they need."""

from __future__ import annotations

from greenrelay.proving.probe import DO, run_for
from greenrelay.testing import (
    Probe,
    assert_event,
    assert_not_received,
    assert_nothing,
    assert_receive,
    settle,
    wait_for,
)

__all__ = [
    "DO",
    "Probe",
    "assert_event",
    "assert_not_received",
    "assert_nothing",
    "assert_receive",
    "run_for",
    "settle",
    "wait_for",
]
