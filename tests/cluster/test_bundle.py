from __future__ import annotations

from collections.abc import Callable

import pytest

from greenrelay.cluster import wire
from greenrelay.cluster.bundle import BUNDLE_BYTES, Bundle, join, read
from greenrelay.cluster.wire import Frame, Kind, encode, read_frame
from greenrelay.errors import EngineError

LARGE = b"x" * (BUNDLE_BYTES + 1)


class Engine:
    """What a bundle sends to, and the turns of the loop."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.has_room = True
        self.max_size = 10 * BUNDLE_BYTES
        self.counts: list[tuple[str, int]] = []
        self.turns: list[Callable[[], object]] = []
        self.bundle = Bundle(self.send, self.turns.append, self.count)

    def send(self, frame: bytes) -> bool:
        if len(frame) > self.max_size:
            raise EngineError("test", "too large")
        if self.has_room:
            self.sent.append(frame)
        return self.has_room

    def count(self, reason: str, number: int) -> None:
        self.counts.append((reason, number))

    def turn(self) -> None:
        """Let the turn of the loop be over."""
        for call in self.turns:
            call()
        self.turns.clear()


@pytest.fixture
def engine() -> Engine:
    return Engine()


def numbered(number: int) -> bytes:
    return encode((1, Kind.MESSAGE, 1, number))


def numbers(sent: list[bytes]) -> list[int]:
    """Return the numbers of the frames that went out, in their order."""
    frames = [frame for data in sent for frame in read(data)]
    assert all(isinstance(frame, Frame) for frame in frames)
    return [frame.seq for frame in frames if isinstance(frame, Frame)]


def test_a_single_frame_goes_out_at_once_and_as_it_is(engine: Engine) -> None:
    assert engine.bundle.add(numbered(1))

    assert engine.sent == [numbered(1)]
    engine.turn()
    assert engine.sent == [numbered(1)]


def test_what_follows_in_the_same_turn_goes_out_as_one(engine: Engine) -> None:
    for number in range(1, 51):
        assert engine.bundle.add(numbered(number))
    engine.turn()

    assert len(engine.sent) == 2
    assert numbers(engine.sent) == list(range(1, 51))


def test_the_next_turn_begins_anew(engine: Engine) -> None:
    engine.bundle.add(numbered(1))
    engine.turn()

    engine.bundle.add(numbered(2))

    assert engine.sent == [numbered(1), numbered(2)]


def test_a_full_bundle_does_not_wait_for_the_turn(engine: Engine) -> None:
    count = 3 * BUNDLE_BYTES // len(numbered(1000))
    for number in range(1000, 1000 + count):
        engine.bundle.add(numbered(number))

    assert len(engine.sent) == 3
    assert max(map(len, engine.sent)) <= BUNDLE_BYTES + 6
    engine.turn()
    assert numbers(engine.sent) == list(range(1000, 1000 + count))


def test_a_large_frame_goes_out_alone_and_overtakes_nothing(engine: Engine) -> None:
    engine.bundle.add(numbered(1))
    engine.bundle.add(numbered(2))

    assert engine.bundle.add(LARGE)

    assert engine.sent == [numbered(1), numbered(2), LARGE]


def test_what_cannot_go_out_is_kept_and_goes_later_in_order(engine: Engine) -> None:
    engine.bundle.add(numbered(1))
    engine.bundle.add(numbered(2))
    engine.has_room = False
    engine.turn()
    is_taken = engine.bundle.add(numbered(3))
    engine.has_room = True
    engine.bundle.add(numbered(4))
    engine.turn()

    assert not is_taken
    assert numbers(engine.sent) == [1, 2, 4]


def test_what_is_kept_is_not_overtaken_in_a_later_turn(engine: Engine) -> None:
    engine.bundle.add(numbered(1))
    engine.bundle.add(numbered(2))
    engine.has_room = False
    engine.turn()
    engine.has_room = True

    assert engine.bundle.add(numbered(3))

    assert engine.sent == [numbered(1), numbered(2), numbered(3)]


def test_no_more_is_kept_than_a_bundle_holds(engine: Engine) -> None:
    engine.bundle.add(numbered(1))
    engine.has_room = False

    while engine.bundle.add(numbered(1000)):
        assert len(engine.bundle) * len(numbered(1000)) <= BUNDLE_BYTES

    assert not engine.bundle.add(LARGE)
    assert engine.sent == [numbered(1)]


def test_what_the_engine_finds_too_large_is_told_to_who_sends_it(engine: Engine) -> None:
    with pytest.raises(EngineError):
        engine.bundle.add(b"x" * (engine.max_size + 1))

    assert len(engine.bundle) == 0


def test_a_bundle_that_is_too_large_is_dropped_and_counted(engine: Engine) -> None:
    engine.max_size = 100
    for number in range(1, 22):
        engine.bundle.add(numbered(number))

    engine.turn()

    assert engine.counts == [("bundle_refused", 20)]
    assert len(engine.bundle) == 0


def test_a_cleared_bundle_sends_nothing(engine: Engine) -> None:
    engine.bundle.add(numbered(1))
    engine.bundle.add(numbered(2))

    engine.bundle.clear()
    engine.turn()

    assert engine.sent == [numbered(1)]


def of_seq(seq: int) -> bytes:
    return encode((1, Kind.MESSAGE, 7, seq, "", "", "t", 0, None, {"n": seq}))


def test_the_frames_of_a_bundle_come_back_in_their_order() -> None:
    found = read(join([of_seq(seq) for seq in range(1, 400)]))

    assert [each.seq for each in found if isinstance(each, Frame)] == list(range(1, 400))
    last = found[-1]
    assert isinstance(last, Frame)
    assert wire.load(last.payload) == {"n": 399}


def test_a_single_frame_is_read_as_one() -> None:
    (frame,) = read(of_seq(5))

    assert isinstance(frame, Frame)
    assert frame.seq == 5


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        (encode((2, 5, "another", ["shape"])), "unknown_version"),
        (encode((2, Kind.MESSAGE, 1, 1)), "unknown_version"),
        (encode((1, 200, 1, 1)), "unknown_kind"),
        (encode((1, 200, ["another shape"])), "unknown_kind"),
        (encode("no frame"), "malformed"),
        (join([encode((1, Kind.MESSAGE, 1, 1))]), "unknown_kind"),
    ],
)
def test_what_is_unknown_in_a_bundle_takes_nothing_with_it(odd: bytes, reason: str) -> None:
    """unknown versions and kinds are counted and dropped, so releases can be mixed"""
    before, word, after = read(join([of_seq(1), odd, of_seq(2)]))

    assert isinstance(before, Frame)
    assert isinstance(after, Frame)
    assert (before.seq, word, after.seq) == (1, reason, 2)


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (join([]), []),
        (join([of_seq(1)])[:-1], ["malformed"]),
        (join([of_seq(1)]) + b"x", ["malformed"]),
        (join([])[:3], ["malformed"]),
        (b"\x93\x01\x3c\xdd\xff\xff\xff\xff", ["malformed"]),
        (b"\x93\x01\x3c" + b"\x91" * 100_000, ["malformed"]),
        (join([b"\xc6\x00\x10\x00\x00" + bytes(2**20)]), ["too_large"]),
    ],
)
def test_what_is_no_bundle_says_why(data: bytes, reasons: list[str]) -> None:
    assert read(data) == reasons


def test_an_older_release_counts_a_bundle_as_of_an_unknown_kind() -> None:
    assert read_frame(join([of_seq(1), of_seq(2)])) == "unknown_kind"
