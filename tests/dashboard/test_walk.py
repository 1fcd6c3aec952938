"""Source: Operations, "Dashboard" (with 10,000 sockets it does not slow the server down)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import gevent
import pytest

from greenrelay import Child, Node, Supervisor
from greenrelay.dashboard import processes, walk
from greenrelay.dashboard.processes import Depths
from greenrelay.dashboard.walk import in_order, strides
from tests.probe import wait, wait_for

MANY = 20


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every look be done one item at a time, and three be sorted at a time.

    Without a rest it takes turns with whoever does not rest either.
    """
    monkeypatch.setattr(walk, "STRIDE", 0.0)
    monkeypatch.setattr(walk, "REST", 0.0)
    monkeypatch.setattr(walk, "CHUNK", 3)


@pytest.fixture
def crowd() -> Iterator[Node]:
    """A node with many processes, most of them the children of one supervisor."""
    with Node() as node:
        children = [Child(f"child {number}", wait) for number in range(MANY)]
        node.spawn(Supervisor(children))
        wait_for(lambda: len(node.processes) == MANY + 1)
        yield node


def turns_of_others(function: Callable[[], object]) -> int:
    """Return how often somebody else ran before ``function`` had returned."""
    task = gevent.spawn(function)
    turns = 0
    while not task.ready():
        gevent.sleep(0)
        turns += 1
    task.get()
    return turns


def test_a_look_is_done_in_turns_with_others(small_parts: None) -> None:
    walked: list[int] = []

    def look() -> None:
        for each in strides(range(MANY)):
            walked.append(each)

    task, seen = gevent.spawn(look), {0}
    while not task.ready():
        gevent.sleep(0)
        seen.add(len(walked))

    # Somebody else has seen it at every step.
    assert seen == set(range(MANY + 1))


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 6, 7, 20])
def test_parts_that_were_sorted_one_by_one_are_in_order(small_parts: None, count: int) -> None:
    keys = [float(-(place * 7 % 5)) for place in range(count)]

    places = in_order(keys)

    # What is the same stays in the order in which it was found.
    assert places == sorted(range(count), key=keys.__getitem__)


def test_sorting_many_lets_others_run(small_parts: None) -> None:
    keys = [float(place % 4) for place in range(MANY)]

    assert turns_of_others(partial(in_order, keys)) >= MANY


@pytest.mark.parametrize("order", processes.ORDERS)
@pytest.mark.parametrize("text", ["", "child"])
def test_no_list_of_processes_is_made_in_one_go(
    crowd: Node, small_parts: None, order: str, text: str
) -> None:
    find = partial(processes.find, crowd, text, order, {})
    # To take what is sorted by, to sort, and to take what is searched for.
    looks = 1 if order in ("tree", "oldest", "newest") else 3

    assert turns_of_others(find) >= looks * len(crowd.processes)


def test_inboxes_are_not_looked_at_in_one_go(crowd: Node, small_parts: None) -> None:
    look = partial(Depths().look, list(crowd.processes.values()), 10.0)

    assert turns_of_others(look) >= MANY


def test_services_are_not_listed_in_one_go(crowd: Node, small_parts: None) -> None:
    assert turns_of_others(partial(processes.services, crowd)) >= MANY
