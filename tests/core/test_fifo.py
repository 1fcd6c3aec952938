from __future__ import annotations

from collections import deque

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from greenrelay.core.fifo import Fifo


def test_what_is_appended_first_is_taken_first() -> None:
    queue = Fifo([1, 2])
    queue.append(3)

    assert [queue.popleft() for _ in range(3)] == [1, 2, 3]


def test_an_empty_one_has_nothing_to_take() -> None:
    queue = Fifo()

    with pytest.raises(IndexError):
        queue.popleft()

    assert not queue


class FifoMachine(RuleBasedStateMachine):
    """A Fifo does what a deque does."""

    def __init__(self) -> None:
        super().__init__()
        self.queue, self.model = Fifo(), deque[int]()

    @rule(items=st.lists(st.integers(), max_size=200))
    def extend(self, items: list[int]) -> None:
        self.queue.extend(items)
        self.model.extend(items)

    @rule(item=st.integers())
    def appendleft(self, item: int) -> None:
        self.queue.appendleft(item)
        self.model.appendleft(item)

    @rule(count=st.integers(1, 150))
    def popleft(self, count: int) -> None:
        for _ in range(min(count, len(self.model))):
            assert self.queue.popleft() == self.model.popleft()

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def change_one(self, data: st.DataObject) -> None:
        index = data.draw(st.integers(0, len(self.model) - 1))
        self.queue[index] = self.model[index] = -7
        other = data.draw(st.integers(0, len(self.model) - 1))
        del self.queue[other], self.model[other]

    @rule()
    def clear(self) -> None:
        self.queue.clear()
        self.model.clear()

    @invariant()
    def they_hold_the_same(self) -> None:
        assert list(self.queue) == list(self.model)
        assert len(self.queue) == len(self.model)
        assert bool(self.queue) == bool(self.model)
        if self.model:
            assert self.queue[0] == self.model[0]


TestFifo = FifoMachine.TestCase
