"""Circles of calls. Source: Processes, "Functions", row call."""

from __future__ import annotations

import pytest

from greenrelay.runtime.wait_cycle import describe_cycle, find_cycle


@pytest.mark.parametrize(
    ("calls", "cycle"),
    [
        ({"a": "b", "b": "a"}, ("a", "b")),
        ({"a": "b", "b": "c", "c": "a"}, ("a", "b", "c")),
        ({"a": "a"}, ("a",)),
    ],
)
def test_a_circle_is_told_from_its_start(calls: dict[str, str], cycle: tuple[str, ...]) -> None:
    assert find_cycle("a", calls.get) == cycle


@pytest.mark.parametrize("calls", [{}, {"a": "b"}, {"a": "b", "b": "c"}, {"b": "c", "c": "b"}])
def test_a_chain_that_ends_is_no_circle(calls: dict[str, str]) -> None:
    assert find_cycle("a", calls.get) == ()


def test_a_circle_the_start_is_no_part_of_is_not_its_own() -> None:
    assert find_cycle("a", {"a": "b", "b": "c", "c": "b"}.get) == ()


def test_a_circle_of_ten_thousand_is_followed_without_recursion() -> None:
    numbers = list(range(10_000))
    after = [*numbers[1:], numbers[0]]

    assert find_cycle(numbers[0], after.__getitem__) == tuple(numbers)


def test_processes_are_told_apart_by_identity() -> None:
    one, other = [1], [1]

    found = find_cycle(one, lambda each: other if each is one else one)

    assert [id(each) for each in found] == [id(one), id(other)]


def test_a_circle_reads_as_who_waits_for_whom() -> None:
    assert describe_cycle(("{n@h|1}", "{n@h|2}")) == (
        "{n@h|1} waits for {n@h|2}, {n@h|2} waits for {n@h|1}"
    )
