from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from greenrelay.relay.outbox import CHUNK_BYTES, Outbox


def drain(outbox: Outbox, step: int) -> bytes:
    """Send all there is, ``step`` bytes at a time at most."""
    wire = b""
    while outbox:
        piece = outbox.peek()[:step]
        wire += piece
        outbox.sent(len(piece))
    return wire


def test_a_new_outbox_is_empty() -> None:
    outbox = Outbox()

    assert len(outbox) == 0
    assert outbox.size_bytes == 0
    assert not outbox.is_partly_written


def test_the_limits_are_those_of_the_options() -> None:
    """`wsrelay.queue.messages`, `wsrelay.queue.bytes` | 256, 1 MiB"""
    outbox = Outbox()

    assert (outbox.limit_messages, outbox.limit_bytes) == (256, 1024 * 1024)


def test_small_frames_leave_in_one_chunk() -> None:
    outbox = Outbox()
    for frame in (b"one ", b"two ", b"three"):
        outbox.append(frame)

    assert bytes(outbox.peek()) == b"one two three"


def test_a_chunk_holds_whole_frames_up_to_its_limit() -> None:
    outbox = Outbox()
    for _ in range(5):
        outbox.append(bytes(CHUNK_BYTES // 4 + 1))

    assert len(outbox.peek()) == 3 * (CHUNK_BYTES // 4 + 1)


def test_a_large_frame_is_not_copied() -> None:
    outbox = Outbox()
    large = bytes(CHUNK_BYTES)
    outbox.append(large)
    outbox.append(b"small")

    assert outbox.peek().obj is large


def test_the_rest_of_a_chunk_is_not_joined_again() -> None:
    outbox = Outbox()
    outbox.append(b"aaaa")
    outbox.append(b"bbbb")
    first = outbox.peek()

    outbox.sent(3)
    outbox.append(b"cccc")

    assert bytes(outbox.peek()) == b"abbbb"
    assert outbox.peek().obj is first.obj


def test_sending_a_part_leaves_the_frame_partly_written() -> None:
    outbox = Outbox()
    outbox.append(b"aaaa")
    outbox.append(b"bbbb")
    outbox.peek()

    outbox.sent(5)

    assert outbox.is_partly_written
    assert (len(outbox), outbox.size_bytes) == (1, 3)


def test_sending_up_to_a_boundary_leaves_no_frame_partly_written() -> None:
    outbox = Outbox()
    outbox.append(b"aaaa")
    outbox.append(b"bbbb")
    outbox.peek()

    outbox.sent(4)

    assert not outbox.is_partly_written
    assert bytes(outbox.peek()) == b"bbbb"


def test_a_frame_over_the_limit_of_messages_is_refused() -> None:
    outbox = Outbox(limit_messages=2)

    assert [outbox.append(b"x") for _ in range(3)] == [True, True, False]
    assert len(outbox) == 2


def test_a_frame_over_the_limit_of_bytes_is_refused() -> None:
    outbox = Outbox(limit_bytes=10)

    assert [outbox.append(bytes(5)) for _ in range(3)] == [True, True, False]
    assert outbox.size_bytes == 10


def test_what_was_sent_makes_room() -> None:
    outbox = Outbox(limit_bytes=10)
    outbox.append(bytes(10))
    outbox.peek()

    outbox.sent(4)

    assert not outbox.append(bytes(5))
    assert outbox.append(bytes(4))


def test_an_empty_outbox_takes_one_frame_over_the_limit() -> None:
    outbox = Outbox(limit_bytes=10)

    assert outbox.append(bytes(1000))
    assert not outbox.append(b"x")


def test_the_rest_of_a_direct_send_goes_on_where_it_stopped() -> None:
    outbox = Outbox()

    assert outbox.append(b"Hello", written=2)
    outbox.append(b" world")

    assert outbox.is_partly_written
    assert outbox.size_bytes == 9
    assert bytes(outbox.peek()) == b"llo world"


def test_a_frame_cannot_be_begun_behind_another() -> None:
    outbox = Outbox()
    outbox.append(b"first")

    with pytest.raises(AssertionError, match="begun before"):
        outbox.append(b"second", written=1)


def test_a_frame_that_is_all_written_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="nothing to wait for"):
        Outbox().append(b"x", written=1)


def test_more_sent_than_there_was_is_a_mistake() -> None:
    outbox = Outbox()
    outbox.append(b"x")

    with pytest.raises(AssertionError, match="more was sent"):
        outbox.sent(2)


def test_the_oldest_frame_can_be_dropped() -> None:
    outbox = Outbox()
    for frame in (b"one", b"two!", b"three"):
        outbox.append(frame)
    outbox.peek()

    assert outbox.drop_oldest()

    assert outbox.size_bytes == 9
    assert bytes(outbox.peek()) == b"two!three"


def test_a_frame_that_is_partly_written_is_never_dropped() -> None:
    outbox = Outbox()
    outbox.append(b"begun", written=2)
    outbox.append(b"waiting")
    outbox.append(b"later")

    assert outbox.drop_oldest()

    assert bytes(outbox.peek()) == b"gunlater"
    assert outbox.size_bytes == 8


def test_there_may_be_nothing_to_drop() -> None:
    outbox = Outbox()

    assert not outbox.drop_oldest()
    outbox.append(b"begun", written=2)
    assert not outbox.drop_oldest()


def test_clear_drops_everything() -> None:
    outbox = Outbox()
    outbox.append(b"begun", written=2)
    outbox.append(b"waiting")

    outbox.clear()

    assert (len(outbox), outbox.size_bytes, outbox.is_partly_written) == (0, 0, False)


def test_clear_can_keep_the_frame_that_is_begun() -> None:
    outbox = Outbox()
    outbox.append(b"begun", written=2)
    outbox.append(b"waiting")
    outbox.peek()

    outbox.clear(keep_begun=True)
    outbox.append(b" close")

    assert outbox.size_bytes == 9
    assert drain(outbox, 100) == b"gun close"


def test_clear_keeps_nothing_when_nothing_is_begun() -> None:
    outbox = Outbox()
    outbox.append(b"waiting")

    outbox.clear(keep_begun=True)

    assert (len(outbox), outbox.size_bytes) == (0, 0)


@given(
    frames=st.lists(st.binary(min_size=1, max_size=300), max_size=30),
    step=st.integers(1, 400),
)
def test_all_bytes_leave_in_order_whatever_the_kernel_takes(frames: list[bytes], step: int) -> None:
    outbox = Outbox()
    for frame in frames:
        outbox.append(frame)

    assert drain(outbox, step) == b"".join(frames)
    assert outbox.size_bytes == 0
    assert not outbox.is_partly_written


def test_a_last_frame_is_taken_whatever_the_limits() -> None:
    outbox = Outbox(limit_messages=1, limit_bytes=4)
    outbox.append(b"aaaa")

    assert not outbox.append(b"b")
    assert outbox.append(b"close", is_last=True)
    assert drain(outbox, 100) == b"aaaaclose"


def test_room_is_told_of_when_half_of_it_is_free() -> None:
    outbox = Outbox(limit_messages=4)
    for _ in range(4):
        outbox.append(b"aa")
    told: list[str] = []
    outbox.when_room(lambda: told.append("first"))
    outbox.when_room(lambda: told.append("second"))
    outbox.peek()

    outbox.sent(2)
    assert told == []
    outbox.sent(2)

    assert told == ["first", "second"]
    outbox.sent(4)
    assert told == ["first", "second"]


def test_room_is_told_of_when_nothing_waits_any_more() -> None:
    outbox = Outbox(limit_messages=1, limit_bytes=1)
    outbox.append(b"aaaa")
    told: list[str] = []
    outbox.when_room(lambda: told.append("room"))

    outbox.peek()
    outbox.sent(3)
    assert told == []
    outbox.sent(1)

    assert told == ["room"]


def test_clearing_tells_of_room() -> None:
    outbox = Outbox()
    outbox.append(b"aaaa")
    told: list[str] = []
    outbox.when_room(lambda: told.append("room"))

    outbox.clear()

    assert told == ["room"]


def test_what_tls_has_tried_is_neither_dropped_nor_changed() -> None:
    outbox = Outbox(keeps_tried=True)
    outbox.append(b"first")
    assert not outbox.drop_oldest()
    outbox.append(b"second")
    tried = bytes(outbox.peek())
    outbox.append(b"third")
    outbox.append(b"fourth")

    assert outbox.drop_oldest()

    assert bytes(outbox.peek()) == tried == b"firstsecond"
    assert drain(outbox, 100) == b"firstsecondfourth"


def test_what_tls_has_tried_survives_a_clear_that_keeps_what_has_begun() -> None:
    outbox = Outbox(keeps_tried=True)
    for data in (b"first", b"second"):
        outbox.append(data)
    outbox.peek()
    outbox.append(b"third")

    outbox.clear(keep_begun=True)
    outbox.append(b"close", is_last=True)

    assert drain(outbox, 100) == b"firstsecondclose"


def test_what_tls_has_tried_directly_stays_in_front_however_large_it_is() -> None:
    large = b"x" * (CHUNK_BYTES - 1)
    outbox = Outbox(keeps_tried=True)
    outbox.append(large)
    outbox.append(b"yy")

    assert bytes(outbox.peek()[:CHUNK_BYTES]) == large
