"""The timers of a node: their order, what is swept out of the heap, another source of time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.runtime.timers import SWEPT_FROM, Alarm, Timer, Timers, open_timers
from tests.probe import wait_for

FAR = 3600.0


class Sleeper:
    """Counts how often its deadline has passed."""

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.alarm: Alarm | None = None
        self.woken = 0

    def deadline_passed(self) -> None:
        self.woken += 1


class Hand:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time


def nothing() -> None:
    pass


@pytest.fixture
def timers() -> Iterator[Timers]:
    timers = Timers()
    yield timers
    timers.close()


@pytest.fixture
def hand(timers: Timers) -> Hand:
    hand = Hand()
    timers.drive(hand.now)
    return hand


def test_calls_are_made_in_the_hub_in_order_of_time(timers: Timers) -> None:
    made: list[int] = []

    for number in (3, 1, 2):
        timers.call_after(number / 1000, partial(made.append, number))

    wait_for(lambda: len(made) == 3)
    assert made == [1, 2, 3]


def test_a_call_that_raises_keeps_no_other_from_being_made(
    timers: Timers, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[int] = []
    timers.call_after(0, lambda: 1 // 0)
    timers.call_after(0, lambda: made.append(1))

    wait_for(lambda: made)

    assert "a timer's call raised" in caplog.text


def test_cancelled_timers_are_swept_out_when_they_are_more_than_half(timers: Timers) -> None:
    kept = [timers.call_after(FAR, nothing) for _ in range(100)]
    gone = [timers.call_after(FAR, nothing) for _ in range(101)]

    for timer in gone[:100]:
        timer.cancel()
    assert len(timers) == 201
    gone[100].cancel()

    assert len(timers) == 100
    assert not any(timer.is_dead for timer in kept)


def test_a_small_heap_is_not_worth_a_sweep(timers: Timers) -> None:
    for timer in [timers.call_after(FAR, nothing) for _ in range(SWEPT_FROM)]:
        timer.cancel()

    assert len(timers) == SWEPT_FROM


def test_starting_and_cancelling_for_ever_keeps_the_heap_small(timers: Timers) -> None:
    largest = 0

    for _ in range(10_000):
        timers.call_after(FAR, nothing).cancel()
        largest = max(largest, len(timers))

    assert largest <= SWEPT_FROM + 1


def test_sleepers_that_let_go_are_swept_out_too(timers: Timers) -> None:
    sleepers = [Sleeper() for _ in range(1000)]
    for sleeper in sleepers:
        timers.wake_at(sleeper, timers.now() + FAR)

    for sleeper in sleepers:
        assert sleeper.alarm is not None
        sleeper.alarm.cancel()
        sleeper.alarm.cancel()

    assert len(timers) <= SWEPT_FROM + 1


def test_earlier_and_earlier_deadlines_of_one_sleeper_keep_the_heap_small(timers: Timers) -> None:
    sleeper = Sleeper()

    for number in range(10_000):
        timers.wake_at(sleeper, timers.now() + FAR - number / 100)

    assert len(timers) <= SWEPT_FROM + 1


def test_a_sleeper_has_one_entry_however_often_its_deadline_moves_on(timers: Timers) -> None:
    sleeper = Sleeper()

    for number in range(1000):
        timers.wake_at(sleeper, 10.0 + FAR + number)

    assert len(timers) == 1


def test_timers_cancelled_in_another_thread_are_swept_in_their_own(timers: Timers) -> None:
    started = [timers.call_after(FAR, nothing) for _ in range(200)]

    thread = threading.Thread(target=lambda: [timer.cancel() for timer in started])
    thread.start()
    thread.join()

    wait_for(lambda: len(timers) <= SWEPT_FROM)


def test_a_timer_cancelled_before_it_is_started_is_not_started(timers: Timers) -> None:
    timer = Timer(nothing)

    assert timer.cancel()
    timers.start(FAR, timer)

    assert len(timers) == 0
    assert not timer.cancel()


def test_a_sweep_while_timers_fire_loses_none(timers: Timers, hand: Hand) -> None:
    fired: list[int] = []
    late = [timers.call_after(2, nothing) for _ in range(300)]
    timers.call_after(1, lambda: [timer.cancel() for timer in late])
    for number in range(50):
        timers.call_after(1 + number / 100, partial(fired.append, number))

    hand.time = 1.9
    timers.fire_due()

    assert fired == list(range(50))
    assert len(timers) <= SWEPT_FROM


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=300), st.integers(0, 30))
def test_what_fires_is_what_is_due_and_was_not_cancelled(
    plan: list[tuple[int, bool]], time: int
) -> None:
    timers, hand = Timers(), Hand()
    timers.drive(hand.now)
    fired: list[int] = []
    started = [
        timers.call_after(delay, partial(fired.append, number))
        for number, (delay, _) in enumerate(plan)
    ]
    for timer, (_, is_cancelled) in zip(started, plan, strict=True):
        if is_cancelled:
            timer.cancel()

    hand.time = time
    timers.fire_due()
    left = timers.next_due()
    timers.close()

    wanted = [(delay, number) for number, (delay, gone) in enumerate(plan) if not gone]
    assert fired == [number for delay, number in sorted(wanted) if delay <= time]
    assert left == min((delay for delay, _ in wanted if delay > time), default=None)


def test_pending_names_the_timers_that_say_what_they_are(timers: Timers) -> None:
    timers.start(FAR, Timer(nothing, "the later one"))
    timers.start(1, Timer(nothing, "the next"))
    timers.start(1, Timer(nothing))
    cancelled = Timer(nothing, "cancelled")
    timers.start(1, cancelled)
    cancelled.cancel()

    assert timers.pending() == ("the next", "the later one")


def test_closed_timers_are_no_longer_among_the_open_ones() -> None:
    timers = Timers()
    assert timers in open_timers

    timers.close()

    assert timers not in open_timers
    timers.call_after(FAR, nothing).cancel()


class TestAnotherClock:
    def test_the_time_is_that_of_the_machine_by_default(self, timers: Timers) -> None:
        assert timers.now is monotonic

    def test_a_driven_timer_fires_only_when_it_is_told_to(self, timers: Timers, hand: Hand) -> None:
        fired: list[float] = []
        timers.call_after(0.001, lambda: fired.append(hand.time))
        other = Timers()
        passed: list[int] = []
        other.call_after(0.01, lambda: passed.append(1))

        wait_for(lambda: passed)
        other.close()
        assert fired == []
        hand.time = 5.0
        timers.fire_due()

        assert fired == [5.0]

    def test_a_delay_of_0_needs_no_advance(self, timers: Timers, hand: Hand) -> None:
        fired: list[int] = []

        timers.call_after(0, lambda: fired.append(1))

        wait_for(lambda: fired)
        assert hand.time == 0.0

    def test_a_delay_of_0_fires_by_itself_after_an_advance_too(
        self, timers: Timers, hand: Hand
    ) -> None:
        fired: list[int] = []
        hand.time = 7.0
        timers.fire_due()

        timers.call_after(0, lambda: fired.append(1))

        wait_for(lambda: fired)

    def test_what_was_left_fires_when_time_runs_on(self, timers: Timers, hand: Hand) -> None:
        fired: list[int] = []
        timers.call_after(1, lambda: fired.append(1))
        hand.time = 0.999
        begin = monotonic()

        timers.run_on(lambda: monotonic() - begin + 0.999)

        wait_for(lambda: fired)

    def test_timers_started_before_the_clock_was_stopped_follow_it(self, timers: Timers) -> None:
        sleeper, hand = Sleeper(), Hand()
        hand.time = monotonic()
        timers.wake_at(sleeper, hand.time + 0.001)

        timers.drive(hand.now)
        hand.time += 1
        timers.fire_due()

        assert sleeper.woken == 1
