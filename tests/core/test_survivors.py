"""What tests of core let pass when the code was changed on purpose: a test for each such change.

Source: Processes, "Endings" and "Supervision".
"""

from __future__ import annotations

from unittest.mock import ANY

import pytest

from greenrelay.core.events import RESULT_NORMAL, Exit, LinkDown, MonitorRef, Result
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.core.restart import Backoff, RestartPolicy
from greenrelay.core.strategy import Child, in_start_order
from greenrelay.errors import InvalidDuration, InvalidPid

ONE, OTHER = Pid("n", "h", 1), Pid("n", "h", 2)

# Two values made alike, and one that differs.
VALUES = [
    pytest.param(lambda: Result(7), Result(8), id="Result"),
    pytest.param(lambda: MonitorRef(ONE, OTHER, 1), MonitorRef(ONE, OTHER, 2), id="MonitorRef"),
    pytest.param(
        lambda: Exit(OTHER, RESULT_NORMAL, MonitorRef(ONE, OTHER, 1)),
        Exit(OTHER, RESULT_NORMAL, MonitorRef(ONE, OTHER, 2)),
        id="Exit",
    ),
    pytest.param(
        lambda: LinkDown(OTHER, RESULT_NORMAL), LinkDown(ONE, RESULT_NORMAL), id="LinkDown"
    ),
    pytest.param(lambda: Message("topic", 7, ONE), Message("topic", 8, ONE), id="Message"),
]


class TestValues:
    @pytest.mark.parametrize(("make", "different"), VALUES)
    def test_values_made_alike_are_one_in_a_set(self, make: type, different: object) -> None:
        assert {make(), make(), different} == {different, make()}
        assert len({make(), make(), different}) == 2

    @pytest.mark.parametrize(("make", "different"), VALUES)
    def test_they_are_equal_when_all_they_carry_is(self, make: type, different: object) -> None:
        assert make() == make()
        assert (make() == different) is False

    @pytest.mark.parametrize(("make", "different"), VALUES)
    def test_a_stranger_says_whether_it_equals_them(self, make: type, different: object) -> None:
        assert make() == ANY
        assert (make() == "text") is False


def test_a_pid_with_nothing_in_its_braces_does_not_lack_them() -> None:
    with pytest.raises(InvalidPid, match=r"it lacks its '@' or '\|'"):
        Pid.parse("{}")


class TestBackoff:
    def test_the_delay_grows_again_after_it_has_started_over(self) -> None:
        backoff = Backoff(RestartPolicy(jitter=0, stable_threshold=5))
        backoff.next_delay(uptime=0, chance=0.5)

        delays = [backoff.next_delay(uptime, chance=0.5) for uptime in (5, 0, 0)]

        assert delays == [1, 2, 4]

    def test_no_more_attempts_are_made_after_it_has_started_over(self) -> None:
        backoff = Backoff(RestartPolicy(jitter=0, stable_threshold=5, max_attempts=1))

        assert [backoff.next_delay(uptime, chance=0.5) for uptime in (5, 0)] == [1, None]

    @pytest.mark.parametrize(("chance", "delay"), [(0.0, 9.0), (0.5, 10.0), (1.0, 11.0)])
    def test_chance_places_the_delay_around_its_middle(self, chance: float, delay: float) -> None:
        """is spread by `jitter`."""
        policy = RestartPolicy(initial_delay=10, jitter=0.1)

        assert Backoff(policy).next_delay(uptime=0, chance=chance) == pytest.approx(delay)


class TestChild:
    def test_a_start_timeout_that_is_no_duration_is_refused(self) -> None:
        with pytest.raises(InvalidDuration):
            Child("a", len, start_timeout="soon")

    def test_a_circle_of_requirements_is_shown(self) -> None:
        children = [Child("cache", len, requires=("db",)), Child("db", len, requires=("cache",))]

        with pytest.raises(ValueError, match=r"(cache <- db <- cache|db <- cache <- db)$"):
            in_start_order(children)
