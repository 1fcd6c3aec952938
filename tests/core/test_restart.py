"""When an ended service starts again. Source: Processes, "Supervision"."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.core.restart import Backoff, RestartPolicy


@pytest.mark.parametrize(
    ("policy", "ended_normally", "wanted"),
    [
        ("permanent", True, True),
        ("permanent", False, True),
        ("transient", True, False),
        ("transient", False, True),
        ("temporary", True, False),
        ("temporary", False, False),
    ],
)
def test_the_policy_says_who_comes_back(policy: str, ended_normally: bool, wanted: bool) -> None:
    assert RestartPolicy(policy).wants_restart(ended_normally) is wanted


def test_the_delay_grows_and_is_capped() -> None:
    """The delay does grow, is capped."""
    backoff = Backoff(RestartPolicy(initial_delay=1, max_delay=5, backoff_factor=2, jitter=0))

    delays = [backoff.next_delay(uptime=0, chance=0.5) for _ in range(5)]

    assert delays == [1, 2, 4, 5, 5]


def test_the_delay_resets_once_stable() -> None:
    """and resets once stable."""
    backoff = Backoff(RestartPolicy(jitter=0, stable_threshold=5))
    backoff.next_delay(uptime=0, chance=0.5)
    backoff.next_delay(uptime=4.9, chance=0.5)

    assert backoff.next_delay(uptime=5, chance=0.5) == 1.0


def test_attempts_may_be_limited() -> None:
    backoff = Backoff(RestartPolicy(jitter=0, max_attempts=2))

    delays = [backoff.next_delay(uptime=0, chance=0.5) for _ in range(3)]

    assert delays == [1, 2, None]


def test_jitter_spreads_the_delay_both_ways_but_not_above_the_cap() -> None:
    policy = RestartPolicy(initial_delay=10, max_delay=10.5, jitter=0.1)

    assert Backoff(policy).next_delay(uptime=0, chance=0.0) == 9.0
    assert Backoff(policy).next_delay(uptime=0, chance=1.0) == 10.5


@given(
    st.integers(0, 3000),
    st.floats(0, 1),
    st.floats(0, 100),
    st.floats(1, 1e6),
    st.floats(0, 1),
)
def test_no_delay_is_negative_or_above_the_cap(
    attempts: int, chance: float, initial: float, factor: float, jitter: float
) -> None:
    policy = RestartPolicy(initial_delay=initial, backoff_factor=factor, jitter=jitter)
    backoff = Backoff(policy)
    backoff.attempts = attempts

    delay = backoff.next_delay(uptime=0, chance=chance)

    assert delay is not None
    assert 0 <= delay <= 90.0


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"policy": "permanant"}, "policy is 'permanant'; it must be one of permanent, transient"),
        ({"initial_delay": -1}, "must not be negative"),
        ({"max_delay": "soon"}, "soon"),
        ({"stable_threshold": None}, "None"),
        ({"backoff_factor": 0}, "backoff_factor is 0; it must be a number from 1 on"),
        ({"backoff_factor": "2"}, "backoff_factor is '2'"),
        ({"backoff_factor": float("inf")}, "backoff_factor is inf"),
        ({"jitter": 1.5}, "jitter is 1.5; it must be a number from 0 to 1"),
        ({"jitter": True}, "jitter is True"),
        ({"max_attempts": "3"}, "max_attempts is '3'; it must be a whole number from 0 on"),
        ({"max_attempts": -1}, "max_attempts is -1"),
        ({"max_attempts": True}, "max_attempts is True"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_at_once(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        RestartPolicy(**options)


def test_the_times_of_a_policy_are_durations() -> None:
    policy = RestartPolicy(initial_delay="250ms", max_delay="1m30s", stable_threshold="5s")

    assert policy == RestartPolicy(initial_delay=0.25, max_delay=90.0, stable_threshold=5.0)


@pytest.mark.parametrize(
    ("initial", "factor", "delay"), [(1.0, 1.0, 1.0), (0.0, 2.0, 0.0), (1.0, 2.0, 90.0)]
)
def test_the_delay_after_a_hundred_billion_failures_takes_no_longer_to_find(
    initial: float, factor: float, delay: float
) -> None:
    backoff = Backoff(RestartPolicy(initial_delay=initial, backoff_factor=factor, jitter=0))
    backoff.attempts = 10**11

    assert backoff.next_delay(uptime=0, chance=0.5) == delay
