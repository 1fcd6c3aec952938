from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import msgspec
import pytest

import greenrelay as gr
from greenrelay.cluster import wire
from greenrelay.cluster.bundle import join
from greenrelay.cluster.carried import dump_error, dump_result, load_error, load_result
from greenrelay.cluster.wire import Frame, Kind, encode, read_frame
from greenrelay.core.events import result_of_reason
from tests.cluster.joined import Joined, mesh_of
from tests.probe import assert_receive


def carried(value: object) -> object:
    """Return what arrives of a value."""
    return wire.load(wire.dump(value))


def frame_of(*fields: object) -> Frame:
    frame = read_frame(encode(fields))
    assert isinstance(frame, Frame)
    return frame


def test_a_frame_is_an_array_with_a_version_and_the_session_s_numbers() -> None:
    frame = frame_of(1, Kind.MESSAGE, 77, 5, "{b@h|1}", "{a@h|2}", "topic", 3, None, "payload")

    assert (frame.kind, frame.epoch, frame.seq) == (Kind.MESSAGE, 77, 5)
    assert (frame.to, frame.sender, frame.topic, frame.ref) == ("{b@h|1}", "{a@h|2}", "topic", 3)
    assert wire.load(frame.payload) == "payload"


@pytest.mark.parametrize("number", [0, 1, 127, 128, 255, 65_536, 2**32, 2**64 - 1])
def test_a_frame_that_is_packed_in_two_parts_is_the_same_frame(number: int) -> None:
    fields = ("room", "{a@h|2}", "topic", 3, {"x": 1}, [1, {"y": UUID(int=5)}])

    frame = wire.pack_head(Kind.BROADCAST, number, 7) + wire.pack_rest(*fields)

    assert frame == wire.pack(Kind.BROADCAST, number, 7, *fields)


def test_what_several_nodes_get_is_no_larger_than_a_frame_may_be() -> None:
    room = wire.MAX_FRAME - len(wire.pack(1, 2**64 - 1, 2**64 - 1, "room", "", "t", 0, None, ""))
    largest = "x" * (room - 4)  # The length of a long text takes four bytes more.

    assert len(wire.pack_rest("room", "", "t", 0, None, largest)) < wire.MAX_FRAME
    with pytest.raises(gr.UnsendablePayload, match="makes a frame of 1048577 bytes; 1048576 at"):
        wire.pack_rest("room", "", "t", 0, None, largest + "x")


def test_the_payload_stays_raw() -> None:
    """payload left raw until its inbox reads it"""
    frame = frame_of(1, Kind.MESSAGE, 1, 1, "", "", "", 0, None, {"big": 1})

    assert isinstance(frame.payload, msgspec.Raw)


def test_fields_of_a_later_version_of_a_kind_are_passed_by() -> None:
    """unknown versions and kinds are counted and dropped, so releases can be mixed"""
    frame = frame_of(1, Kind.MESSAGE, 1, 1, "", "", "t", 0, None, 1, "new", {"newer": 1})

    assert frame.topic == "t"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "malformed"),
        (b"\xc1", "malformed"),
        (b"\xdd\xff\xff\xff\xff", "malformed"),
        (encode([1]), "malformed"),
        (encode({"a": 1}), "malformed"),
        (encode((1, Kind.MESSAGE, "epoch", 1)), "malformed"),
        (encode((2, Kind.MESSAGE, 1, 1)), "unknown_version"),
        (encode((2, 5, "another", ["shape"])), "unknown_version"),
        (encode((1, 200, 1, 1)), "unknown_kind"),
        (encode((1, 200, ["another shape"])), "unknown_kind"),
        (b"\x91" * 100_000, "malformed"),
        (b"\x00" * (wire.MAX_FRAME + 1), "too_large"),
    ],
)
def test_what_is_no_frame_says_why(data: bytes, reason: str) -> None:
    assert read_frame(data) == reason


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        2**64 - 1,
        float("inf"),
        "",
        b"",
        [],
        {},
        gr.Pid("n", "h", 1),
        UUID(int=2**127),
        datetime(1, 1, 1),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=-3, minutes=-30))),
        {"deep": [{"er": [gr.Pid("n", "h", 2)]}]},
    ],
)
def test_plain_data_comes_back_as_it_was(value: object) -> None:
    back = carried(value)

    assert back == value
    assert type(back) is type(value)


def test_a_pid_as_a_key_comes_back_as_its_text() -> None:
    pid = gr.Pid("n", "h", 1)

    assert carried({pid: 1}) == {str(pid): 1}


class Text(str):
    """No plain text."""


class Number(int):
    """No plain number."""


@pytest.mark.parametrize(
    "value",
    [{1}, frozenset(), object(), Text("x"), Number(1), 1j, range(3), bytearray(b"x"), Exception()],
)
def test_what_is_not_plain_is_refused_wherever_it_is(value: object) -> None:
    for payload in (value, [value], {"key": value}):
        with pytest.raises(gr.UnsendablePayload):
            wire.dump(payload)


def test_a_topic_that_is_no_text_of_the_wire_is_refused() -> None:
    with pytest.raises(gr.UnsendablePayload, match="cannot be encoded"):
        wire.pack(Kind.MESSAGE, 1, 1, "", "", "\ud800", 0, None, b"")


def test_a_refusal_says_where_what_and_what_is_allowed() -> None:
    with pytest.raises(gr.UnsendablePayload) as raised:
        wire.dump({"rooms": [1, {2}]})

    assert str(raised.value).startswith("payload['rooms'][1] is builtins.set; what leaves its node")


def test_a_payload_that_holds_itself_is_refused() -> None:
    endless: list[object] = []
    endless.append(endless)

    with pytest.raises(gr.UnsendablePayload, match="nested deeper than 64"):
        wire.dump(endless)


def test_a_result_travels() -> None:
    result = gr.Result({"a": 1}, None, "shutdown")
    failure = gr.Result(None, gr.ExitError("ValueError", "no", "Traceback"), "ValueError: no")

    for each in (result, failure, result_of_reason("killed")):
        assert load_result(dump_result(each)[0]) == each


def test_long_texts_of_errors_are_cut_in_the_middle() -> None:
    failure = gr.Result(None, gr.ExitError("E", "m", "a" * 10**6 + "end"), "reason")

    error = load_result(dump_result(failure)[0]).error

    assert error is not None
    assert len(error.traceback) < 70_000
    assert error.traceback.endswith("end")


def test_errors_of_python_and_ours_travel_as_they_were() -> None:
    for error in (KeyError("k"), gr.NameTaken("n", "{a@b|1}"), ZeroDivisionError("by zero")):
        back = load_error(dump_error(error))

        assert type(back) is type(error)
        assert back.args == error.args


@pytest.mark.parametrize("name", ["SystemExit", "KeyboardInterrupt", "exec", "ProcessExit", "x.Y"])
def test_no_name_of_an_error_does_harm(name: str) -> None:
    back = load_error(msgspec.Raw(encode([name, ["print(1)"], "text"])))

    assert type(back) is gr.RemoteError


@pytest.mark.parametrize("value", [None, 1, "x", [], [1, 2, 3], {"a": 1}, [None, None, None]])
def test_what_is_no_result_and_no_error_is_an_error(value: object) -> None:
    raw = msgspec.Raw(encode(value))

    for read in (load_result, load_error):
        with pytest.raises(ValueError, match="it is no"):
            read(raw)


# fuzz

FRAMES = 100_000


def test_a_hundred_thousand_fuzzed_frames_raise_nothing_in_the_reader(
    joined: Joined, one: gr.Node, two: gr.Node, caplog: pytest.LogCaptureFixture
) -> None:
    """100,000 fuzzed frames: nothing raised in the reader"""
    chance = random.Random(1)
    probe = joined.probe(one)
    mesh = mesh_of(one)
    link = mesh.links[two.id]
    for _ in range(FRAMES):
        mesh.on_frame(two.id, bundled(chance, link.session.remote, link.session._expected), None)

    assert mesh.counts["failed"] == 0
    assert mesh.counts["malformed"] > 1000
    assert mesh.counts["bad_frame"] > 1000
    assert not [record for record in caplog.records if record.exc_info]
    one.send(probe.pid, "alive")
    assert_receive(probe, topic="alive")


def bundled(chance: random.Random, epoch: int, seq: int) -> bytes:
    """Return what fuzzed does, or a bundle of that which may be cut."""
    frame = fuzzed(chance, epoch, seq)
    form = chance.random()
    if form < 0.9:
        return frame
    joined = join([frame, fuzzed(chance, epoch, seq + 1)])
    return joined if form < 0.97 else joined[: chance.randrange(len(joined))]


def fuzzed(chance: random.Random, epoch: int, seq: int) -> bytes:
    """Return noise, a frame with some bytes of noise, or a frame in its turn with odd fields."""
    form = chance.random()
    if form < 0.2:
        return chance.randbytes(chance.randrange(60))
    kind = chance.choice([kind for kind in Kind if kind not in (Kind.SPAWN, Kind.HELLO)])
    odd = [None, -1, 0, 2**63, "", "{", "{a@b|1}", b"x", [], {}, [1, None], {"a": -1}, 1.5, True]
    texts = ["", "{", "{a@b|1}", "@x", "topic", "\x00"]
    frame = encode(
        (
            1,
            kind,
            epoch,
            seq,
            *(chance.choice(texts) for _ in range(3)),
            chance.choice([0, 1, -5, 2**62]),
            chance.choice(odd),
            chance.choice(odd),
        )
    )
    if form < 0.6:
        return frame
    noisy = bytearray(frame)
    for _ in range(chance.randrange(1, 4)):
        noisy[chance.randrange(len(noisy))] = chance.randrange(256)
    return bytes(noisy[: chance.randrange(1, len(noisy) + 1)])
