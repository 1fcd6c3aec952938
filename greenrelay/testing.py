"""Tests of code that uses greenrelay, and the pytest plug-in. See ``docs/testing.md``.

pytest finds the plug-in by itself where greenrelay is installed. The names here need no pytest.
"""

from __future__ import annotations

from greenrelay.proving.assertion import (
    ANYTHING,
    assert_event,
    assert_not_received,
    assert_nothing,
    assert_receive,
)
from greenrelay.proving.clock import VirtualClock
from greenrelay.proving.interleaving import explore, shuffle
from greenrelay.proving.leaks import no_leaks
from greenrelay.proving.probe import Probe, settle, wait_for

__all__ = [
    "ANYTHING",
    "Probe",
    "VirtualClock",
    "assert_event",
    "assert_not_received",
    "assert_nothing",
    "assert_receive",
    "explore",
    "no_leaks",
    "settle",
    "shuffle",
    "wait_for",
]

# What pytest loads beside this module: the fixtures, markers and options.
pytest_plugins = ["greenrelay.proving.plugin"]
