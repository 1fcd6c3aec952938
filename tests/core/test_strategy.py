"""Which children start and stop when. Source: Processes, "Supervision"."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child, Intensity, affected, in_start_order, may_stop
from greenrelay.errors import InvalidDuration


def child(key: str, *requires: str) -> Child:
    return Child(key, len, requires=requires)


@pytest.mark.parametrize(
    ("strategy", "together"),
    [
        ("one_for_one", ("b",)),
        ("one_for_all", ("a", "b", "c")),
        ("rest_for_one", ("b", "c")),
        ("dynamic", ("b",)),
    ],
)
def test_the_strategy_says_who_restarts_together(strategy: str, together: tuple[str, ...]) -> None:
    assert affected(strategy, ("a", "b", "c"), "b") == together


def test_as_many_restarts_as_allowed_within_the_window_are_fine() -> None:
    intensity = Intensity(max_restarts=3, window=5.0)

    assert [intensity.is_exceeded_by(now) for now in (0.0, 1.0, 5.0)] == [False] * 3


def test_one_more_restart_within_the_window_is_too_many() -> None:
    """restart intensity `max_restarts` within `window`, beyond which the supervisor ends."""
    intensity = Intensity(max_restarts=3, window=5.0)

    assert [intensity.is_exceeded_by(now) for now in (0.0, 1.0, 2.0, 5.0)][-1] is True


def test_a_restart_outside_the_window_does_not_count() -> None:
    intensity = Intensity(max_restarts=1, window=5.0)

    assert [intensity.is_exceeded_by(now) for now in (0.0, 5.1, 10.3)] == [False] * 3


def test_no_restart_may_be_allowed_at_all_or_any_number() -> None:
    assert Intensity(0, 5.0).is_exceeded_by(0.0) is True
    assert Intensity(None, 5.0).is_exceeded_by(0.0) is False


def test_requirements_start_first_and_the_rest_as_it_was_given() -> None:
    """start in dependency order."""
    children = [child("web", "cache", "db"), child("db"), child("cache", "db"), child("mail")]

    assert [each.id for each in in_start_order(children)] == ["db", "cache", "web", "mail"]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=30))
def test_each_child_comes_after_what_it_requires(pairs: list[tuple[int, int]]) -> None:
    requires = {key: {low for low, high in pairs if low < high == key} for key in range(10)}
    children = [child(str(key), *map(str, requires[key])) for key in reversed(range(10))]

    ordered = [each.id for each in in_start_order(children)]

    assert sorted(ordered) == sorted(each.id for each in children)
    for each in children:
        assert all(ordered.index(key) < ordered.index(each.id) for key in each.requires)


@pytest.mark.parametrize(
    ("children", "why"),
    [
        ([child("a"), child("a")], "child id 'a' is there twice"),
        ([child("a", "b")], "child 'a' requires 'b', which is not there"),
        ([child("a", "b"), child("b", "a")], "children require each other: "),
    ],
)
def test_children_that_cannot_be_ordered_are_refused(children: list[Child], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        in_start_order(children)


REQUIRES = {"db": (), "cache": ("db",), "mail": (), "web": ("cache", "db")}


def test_children_nobody_requires_stop_together() -> None:
    """in parallel where nothing forbids it."""
    assert may_stop(REQUIRES) == ["web", "mail"]
    assert may_stop({key: REQUIRES[key] for key in ("db", "cache")}) == ["cache"]
    assert may_stop({key: REQUIRES[key] for key in ("db", "mail")}) == ["mail", "db"]


def test_a_child_comes_back_with_a_policy_of_its_own_or_by_its_name() -> None:
    mine = RestartPolicy("transient", initial_delay=3)

    assert Child("a", len, restart=mine).policy is mine
    assert Child("a", len, restart="temporary").policy == RestartPolicy(
        "temporary", initial_delay=0.1
    )


def test_a_child_that_makes_no_sense_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="restart is 'always'; it must be a RestartPolicy or one"):
        Child("a", len, restart="always")
    with pytest.raises(InvalidDuration):
        Child("a", len, shutdown="soon")
    assert Child("a", len, shutdown=None).shutdown is None


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"args": [1]}, r"child 'a': args is \[1\]; it must be a tuple"),
        ({"args": "abc"}, "child 'a': args is 'abc'; it must be a tuple"),
        ({"requires": "cache"}, "child 'a': requires is 'cache'; it must be a tuple of ids"),
        ({"id": 5}, "child 5: its id must be text"),
    ],
)
def test_a_child_of_the_wrong_kinds_is_refused_at_once(
    options: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(TypeError, match=complaint):
        Child(**{"id": "a", "entry": len, **options})


def test_what_is_no_child_has_no_place_in_the_order() -> None:
    children: list[Any] = [child("a"), len]

    with pytest.raises(TypeError, match="children has <built-in function len> in it; each must be"):
        in_start_order(children)
