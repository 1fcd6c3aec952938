"""The shuffled run queue: what it does to an order, and that a seed brings it back."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import greenrelay as gr
from greenrelay.proving.interleaving import ShuffledQueue
from greenrelay.testing import explore, settle, shuffle


def order_of_five(node: gr.Node) -> tuple[int, ...]:
    ran: list[int] = []
    for number in range(5):
        node.spawn(ran.append, number)
    settle(node)
    return tuple(ran)


def order_under(seed: int) -> tuple[int, ...]:
    with gr.Node() as node:
        shuffle(node, seed)
        return order_of_five(node)


def lose_an_update(node: gr.Node) -> None:
    """Two clients read, add and write: right as long as nobody comes in between."""
    account = {"balance": 0}

    def deposit() -> None:
        balance = account["balance"]
        if balance:
            gr.exec(int)
        account["balance"] = balance + 1

    for _ in range(2):
        node.spawn(deposit)
    node.spawn(deposit)
    settle(node)
    assert account["balance"] == 3


def test_processes_run_in_the_order_they_became_ready_without_a_seed(node: gr.Node) -> None:
    assert order_of_five(node) == (0, 1, 2, 3, 4)


def test_a_seed_decides_the_order_and_brings_it_back() -> None:
    assert order_under(7) == order_under(7)


def test_many_seeds_give_many_orders_in_which_each_process_runs_once() -> None:
    orders = {order_under(seed) for seed in range(50)}

    assert len(orders) > 25
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)


def test_what_was_ready_before_the_shuffle_runs_too(node: gr.Node) -> None:
    ran: list[int] = []
    for number in range(5):
        node.spawn(ran.append, number)

    shuffle(node, 1)
    settle(node)

    assert sorted(ran) == [0, 1, 2, 3, 4]


@given(st.integers(), st.lists(st.sampled_from(["look", "take", "put", "put back"]), max_size=60))
def test_the_entry_that_was_looked_at_is_the_one_that_is_taken(seed: int, steps: list[str]) -> None:
    tasks: list[Any] = list(range(5))
    queue, number = ShuffledQueue(tasks, Random(seed)), 5
    inside, looked_at = Counter(tasks), None

    for step in steps:
        if step == "put":
            queue.append(number)
            inside[number] += 1
            number += 1
        elif not queue:
            continue
        elif step == "look":
            assert looked_at in (None, queue[0])
            looked_at = queue[0]
        else:
            task: Any = queue.popleft()
            assert looked_at in (None, task)
            looked_at = None
            inside[task] -= 1
            if step == "put back":
                queue.appendleft(task)
                inside[task] += 1

    assert Counter(queue) == +inside


def test_an_empty_queue_is_as_empty_as_any() -> None:
    queue = ShuffledQueue([], Random(0))

    queue.clear()

    assert not queue
    with pytest.raises(IndexError):
        queue[0]
    with pytest.raises(IndexError):
        queue.popleft()


def test_explore_runs_the_scenario_under_each_seed_with_a_node_of_its_own() -> None:
    nodes: list[gr.Node] = []

    explore(nodes.append, range(3))

    assert [node.name for node in nodes] == ["seed-0", "seed-1", "seed-2"]
    assert all(node.is_stopped for node in nodes)


def test_a_failure_says_under_which_seed_and_fails_again_under_it() -> None:
    with pytest.raises(AssertionError) as first:
        explore(lose_an_update)
    note = first.value.__notes__[-1]
    seed = int(note.split("seed ")[1].split(":")[0])

    with pytest.raises(AssertionError) as again:
        explore(lose_an_update, [seed])

    assert note.startswith("The order of processes was that of seed")
    assert again.value.__notes__[-1] == note
