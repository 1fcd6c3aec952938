from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from itertools import count as counter

import pytest

from greenrelay.cluster.session import OVERDUE, STALLED, TICK, Session
from greenrelay.cluster.wire import MAX_FRAME, Frame, Kind, load, pack_rest, read_frame
from greenrelay.errors import EngineError, UnsendablePayload

LOST = "lost"
SEEDS = range(100)


class Side:
    """One end: what it has got of the other, in order; LOST where a session was over."""

    def __init__(self, epochs: Iterator[int]) -> None:
        self.wire: deque[bytes] = deque()
        self.got: list[object] = []
        self.counts: list[str] = []
        self.has_room = True
        self.max_size = MAX_FRAME
        self.opened = 0
        self.session = Session(
            self.transmit,
            lambda: next(epochs),
            opened=self.open,
            lost=lambda: self.got.append(LOST),
            count=self.counts.append,
        )

    def transmit(self, frame: bytes) -> bool:
        if len(frame) > self.max_size:
            raise EngineError("test", "too large")
        if self.has_room:
            self.wire.append(frame)
        return self.has_room

    def open(self) -> None:
        self.opened += 1

    def say(self, *values: object) -> None:
        for value in values:
            self.session.post(Kind.MESSAGE, payload=value)

    def take(self, data: bytes) -> None:
        frame = read_frame(data)
        assert isinstance(frame, Frame)
        if self.session.receive(frame):
            self.got.append(load(frame.payload))


class Pair:
    """Two sessions and the wire between them, which does as the test says."""

    def __init__(self) -> None:
        self.one, self.two = Side(counter(1000)), Side(counter(2000))
        self.now = 0.0

    def carry(self) -> None:
        """Hand over all that is on the wire, and what that gives rise to."""
        while self.one.wire or self.two.wire:
            for source, dest in ((self.one, self.two), (self.two, self.one)):
                while source.wire:
                    dest.take(source.wire.popleft())

    def tick(self, seconds: float = TICK) -> None:
        """Let time pass, and both do what is due."""
        self.now += seconds
        for side in (self.one, self.two):
            side.session.tick(self.now)
        self.carry()

    def lose(self) -> None:
        """Lose all that is on the wire."""
        self.one.wire.clear()
        self.two.wire.clear()


@pytest.fixture
def pair() -> Pair:
    """Two sides whose session is open."""
    pair = Pair()
    pair.one.session.hello()
    pair.carry()
    return pair


def test_a_hello_opens_the_session_on_both_sides() -> None:
    pair = Pair()

    pair.one.session.hello()
    pair.carry()

    assert pair.one.session.is_open
    assert pair.two.session.is_open
    assert (pair.one.opened, pair.two.opened) == (1, 1)


def test_a_lost_hello_is_said_again() -> None:
    pair = Pair()
    pair.one.session.hello()
    pair.lose()

    pair.tick()

    assert pair.one.session.is_open
    assert pair.two.session.is_open
    assert LOST not in pair.one.got + pair.two.got


def test_what_is_sent_before_the_session_is_open_arrives() -> None:
    pair = Pair()
    pair.one.say(1, 2)

    pair.two.session.hello()
    pair.carry()

    assert pair.two.got == [1, 2]


def test_frames_arrive_in_order_on_both_ways(pair: Pair) -> None:
    pair.one.say(1, 2, 3)
    pair.two.say("a", "b")
    pair.carry()

    assert pair.two.got == [1, 2, 3]
    assert pair.one.got == ["a", "b"]


def test_what_several_nodes_get_has_its_place_in_the_order(pair: Pair) -> None:
    pair.one.say(1)
    pair.one.session.post_rest(Kind.BROADCAST, pack_rest("room", "", "t", 0, None, 2))
    pair.one.say(3)
    pair.carry()

    assert pair.two.got == [1, 2, 3]


def test_a_gap_is_filled_from_the_ring(pair: Pair) -> None:
    pair.one.say(1)
    pair.lose()
    pair.one.say(2, 3)

    pair.carry()

    assert pair.two.got == [1, 2, 3]
    assert "out_of_order" in pair.two.counts


def test_the_loss_of_the_last_frame_is_found_out(pair: Pair) -> None:
    pair.one.say(1, 2)
    pair.lose()

    pair.tick()
    pair.tick(OVERDUE)

    assert pair.two.got == [1, 2]


def test_a_frame_that_comes_twice_is_taken_once(pair: Pair) -> None:
    pair.one.say(1)
    pair.one.wire.append(pair.one.wire[0])

    pair.carry()

    assert pair.two.got == [1]
    assert pair.two.counts == ["repeated"]


def test_an_acknowledged_frame_leaves_the_ring(pair: Pair) -> None:
    pair.one.say(1, 2)
    pair.carry()
    kept = len(pair.one.session)

    pair.tick()

    assert kept == 2
    assert len(pair.one.session) == 0


def test_nothing_is_to_be_done_once_all_is_acknowledged(pair: Pair) -> None:
    pair.one.say(1)
    pair.carry()
    pair.tick()
    pair.tick()

    assert not pair.one.session.tick(pair.now)
    assert not pair.two.session.tick(pair.now)


def test_every_4096_frames_are_acknowledged_without_a_tick(pair: Pair) -> None:
    pair.one.say(*range(5000))
    pair.carry()

    assert len(pair.one.session) == 5000 - 4096


def test_what_the_engine_does_not_take_goes_out_later_in_order(pair: Pair) -> None:
    pair.one.say(1)
    pair.one.has_room = False
    pair.one.say(2, 3)
    pair.carry()
    pair.one.has_room = True
    pair.one.say(4)

    pair.tick()

    assert pair.two.got == [1, 2, 3, 4]


def test_the_ring_says_when_it_is_full_and_when_it_has_room(pair: Pair) -> None:
    told: list[str] = []
    pair.one.session.max_frames = 4
    pair.one.say(1, 2, 3, 4)
    was_full = pair.one.session.is_full
    pair.one.session.room_waiters.append(lambda: told.append("room"))

    pair.carry()
    pair.tick()

    assert was_full
    assert not pair.one.session.is_full
    assert told == ["room"]


def test_the_ring_is_bounded_in_bytes_too(pair: Pair) -> None:
    pair.one.session.max_bytes = 100

    pair.one.say("x" * 100)

    assert pair.one.session.is_full


def test_what_may_not_be_refused_has_a_bound_beyond_which_the_session_is_over(pair: Pair) -> None:
    pair.one.session.max_frames = 4

    pair.one.say(*range(9))
    assert pair.one.got == []
    pair.tick()

    assert pair.one.counts == ["ring_overflow"]
    assert pair.one.got == [LOST]
    assert pair.two.got[-1] == LOST
    assert pair.one.session.is_open


def test_being_asked_again_for_what_was_acknowledged_changes_nothing(pair: Pair) -> None:
    pair.one.say(1, 2)
    pair.carry()
    pair.tick()

    pair.one.session.receive(
        Frame(1, Kind.AGAIN, pair.two.session.epoch, 1, ref=pair.one.session.epoch)
    )
    pair.carry()

    assert pair.one.counts == ["stale_again"]
    assert pair.two.got == [1, 2]


def test_frames_flow_again_after_a_session_was_over(pair: Pair) -> None:
    pair.one.session.reset()
    pair.carry()

    pair.one.say(1)
    pair.two.say(2)
    pair.carry()

    assert pair.one.got == [LOST, 2]
    assert pair.two.got == [LOST, 1]


def test_both_sides_may_begin_anew_at_the_same_time(pair: Pair) -> None:
    pair.one.session.reset()
    pair.two.session.reset()

    pair.carry()

    assert pair.one.session.is_open
    assert pair.two.session.is_open
    # Each for the hole of its own frames and for that of the other's.
    assert pair.one.got == pair.two.got == [LOST, LOST]


def test_a_side_that_the_other_has_forgotten_begins_anew(pair: Pair) -> None:
    pair.one.say(1)
    pair.carry()
    pair.tick()
    pair.two = Side(counter(3000))
    pair.two.session.hello()
    pair.carry()

    pair.one.say(2)
    pair.two.say(3)
    pair.carry()

    assert pair.two.got == [2]
    assert pair.one.got == [LOST, 3]


def test_a_gap_is_not_asked_for_again_while_the_answer_is_on_its_way(pair: Pair) -> None:
    pair.one.say(*range(10))
    pair.one.wire.popleft()
    while pair.one.wire:
        pair.two.take(pair.one.wire.popleft())
    asked = list(pair.two.wire)
    pair.now += TICK
    pair.two.session.tick(pair.now)

    assert len(asked) == 1
    assert len(pair.two.wire) == 1
    pair.lose()
    for _ in range(3):
        pair.tick()
    assert pair.two.got == list(range(10))


def test_silence_ends_the_session(pair: Pair) -> None:
    pair.one.say(1)
    for _ in range(int(STALLED / TICK) + 2):
        pair.now += TICK
        pair.one.session.tick(pair.now)
        pair.lose()

    assert "stalled" in pair.one.counts
    assert pair.one.got == [LOST]


def test_the_time_without_the_engine_is_no_silence(pair: Pair) -> None:
    pair.one.say(1)
    for _ in range(int(STALLED / TICK) + 2):
        pair.now += TICK
        pair.one.session.tick(pair.now)
        pair.one.session.pause()
        pair.lose()

    assert pair.one.got == []


def test_an_engine_that_may_have_lost_something_is_not_waited_for(pair: Pair) -> None:
    pair.one.say(1)
    pair.lose()

    pair.two.session.resync()
    pair.carry()

    assert pair.two.got == [1]


def test_asking_without_a_gap_ends_with_the_answer(pair: Pair) -> None:
    pair.two.session.resync()
    pair.carry()

    assert not pair.two.session.tick(pair.now)


def test_a_frame_of_an_epoch_that_is_over_is_dropped(pair: Pair) -> None:
    pair.one.say(1)
    old = pair.one.wire.pop()
    pair.one.session.reset()
    pair.carry()

    pair.two.take(old)
    pair.carry()

    assert pair.two.got == [LOST]
    assert "stale_epoch" in pair.two.counts


def test_an_acknowledgement_of_what_was_never_sent_is_dropped(pair: Pair) -> None:
    one, two = pair.one.session, pair.two.session
    for kind in (Kind.ACK, Kind.AGAIN):
        one.receive(Frame(1, kind, two.epoch, 99, ref=one.epoch))

    assert pair.one.counts == ["bad_ack", "bad_ack"]


def test_a_frame_that_is_too_large_is_refused_and_leaves_no_gap(pair: Pair) -> None:
    with pytest.raises(UnsendablePayload):
        pair.one.say("x" * MAX_FRAME)
    pair.one.say(1)
    pair.carry()

    assert pair.two.got == [1]


def test_a_frame_the_engine_finds_too_large_is_refused_and_leaves_no_gap(pair: Pair) -> None:
    pair.one.max_size = 1000

    with pytest.raises(EngineError):
        pair.one.say("x" * 1000)
    kept = len(pair.one.session)
    pair.one.say(1)
    pair.carry()

    assert kept == 0
    assert pair.two.got == [1]


def test_a_frame_that_waited_and_is_too_large_ends_the_session(pair: Pair) -> None:
    pair.one.has_room = False
    pair.one.say("x" * 1000)
    pair.one.has_room, pair.one.max_size = True, 1000

    pair.tick()
    pair.one.say(1)
    pair.carry()

    assert pair.one.counts == ["too_large"]
    assert pair.one.got == [LOST]
    assert pair.two.got == [LOST, 1]


def test_a_hello_says_that_bundles_can_be_read(pair: Pair) -> None:
    assert pair.one.session.reads_bundles
    assert pair.two.session.reads_bundles


@pytest.mark.parametrize("said", [None, 0, 2, "1", [1], {"1": 1}, 1.0])
def test_whoever_does_not_say_so_gets_none(said: object) -> None:
    side = Side(counter(1000))

    side.session.receive(Frame(1, Kind.HELLO, 7, 1, context=said))

    assert not side.session.reads_bundles
    assert side.session.remote == 7


@pytest.mark.parametrize("seed", SEEDS)
def test_on_a_wire_that_drops_doubles_and_delays_all_arrives_once_in_order(
    pair: Pair, seed: int
) -> None:
    numbers = {id(pair.one): counter(), id(pair.two): counter()}
    for side, other, act in chances(pair, seed):
        if act < 0.4:
            side.say(next(numbers[id(side)]))
        elif act < 0.5 and side.wire:
            side.wire.popleft()
        elif act < 0.55 and side.wire:
            side.wire.append(side.wire[0])
        elif act < 0.6:
            side.wire.rotate()
        elif act < 0.9 and side.wire:
            other.take(side.wire.popleft())
        else:
            pair.now += TICK
            side.session.tick(pair.now)
    for _ in range(10):
        pair.tick(OVERDUE)

    assert pair.two.got == list(range(next(numbers[id(pair.one)])))
    assert pair.one.got == list(range(next(numbers[id(pair.two)])))


@pytest.mark.parametrize("seed", SEEDS)
def test_with_sessions_that_end_at_any_time_the_rest_is_in_order_and_a_hole_is_told(
    pair: Pair, seed: int
) -> None:
    numbers = {id(pair.one): counter(), id(pair.two): counter()}
    for side, other, act in chances(pair, seed):
        if act < 0.4:
            side.say(next(numbers[id(side)]))
        elif act < 0.5 and side.wire:
            side.wire.popleft()
        elif act < 0.9 and side.wire:
            other.take(side.wire.popleft())
        elif act < 0.92:
            side.session.reset()
        else:
            pair.now += TICK
            side.session.tick(pair.now)
    for _ in range(10):
        pair.tick(OVERDUE)
    pair.one.say("end")
    pair.two.say("end")
    pair.tick(OVERDUE)

    for side in (pair.one, pair.two):
        assert side.got[-1] == "end"
        assert holes_are_told(side.got[:-1])


def chances(pair: Pair, seed: int) -> Iterator[tuple[Side, Side, float]]:
    """Yield whose turn it is, the other side, and a chance from 0 to 1."""
    chance = random.Random(seed)
    for _ in range(400):
        side, other = chance.choice([(pair.one, pair.two), (pair.two, pair.one)])
        yield side, other, chance.random()


def holes_are_told(got: list[object]) -> bool:
    """Whether numbers grow by one, and by more only where LOST stands between."""
    last = -1
    may_skip = False
    for each in got:
        if each == LOST:
            may_skip = True
            continue
        assert isinstance(each, int)
        if each <= last or (each > last + 1 and not may_skip):
            return False
        last, may_skip = each, False
    return True
