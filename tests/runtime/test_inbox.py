"""The mailbox alone: order, marks, drops."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from greenrelay.core.events import Cancel, Event, Exit, LinkDown, MonitorRef, Result
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.runtime.inbox import Mailbox

PID = Pid("n", "h", 1)


def event(number: int) -> LinkDown:
    return LinkDown(PID, Result(value=number))


# What is done to a mailbox and to a plain list of everything in it.
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from("abc")),
        st.tuples(st.sampled_from(["event", "cancel"]), st.none()),
        st.tuples(st.sampled_from(["take", "take_message", "take_event", "drop"]), st.none()),
        st.tuples(st.just("take_topic"), st.sampled_from("abc")),
    ),
    max_size=40,
)


@given(STEPS)
def test_it_is_one_list_in_order_of_arrival(steps: list[tuple[str, str | None]]) -> None:
    mailbox = Mailbox(1000)
    model: list[Message | Event] = []

    def first(kind: type, topic: str | None = None) -> Message | Event | None:
        for item in model:
            if isinstance(item, kind) and topic in (None, getattr(item, "topic", None)):
                model.remove(item)
                return item
        return None

    for number, (step, topic) in enumerate(steps):
        if step == "put":
            assert topic is not None
            message = Message(topic, number)
            mailbox.put(message)
            model.append(message)
        elif step in ("event", "cancel"):
            new = event(number) if step == "event" else Cancel(None, str(number), 1.0)
            mailbox.put_event(new)
            model.append(new)
        elif step == "take":
            assert mailbox.take() == (model.pop(0) if model else None)
        elif step == "take_message":
            assert mailbox.take_message() == first(Message)
        elif step == "take_event":
            assert mailbox.take_event() == first(LinkDown | Cancel)  # type: ignore[arg-type]
        elif step == "take_topic":
            assert topic is not None
            assert mailbox.take_topic((topic,)) == first(Message, topic)
        else:
            mailbox.drop_oldest()
            first(Message)
        cancels = [index for index, item in enumerate(model) if isinstance(item, Cancel)]
        assert mailbox.cancels == len(cancels)
        assert mailbox.is_cancelled() == bool(
            cancels and not any(isinstance(item, Message) for item in model[: cancels[0]])
        )

    assert [mailbox.take() for _ in model] == model
    assert mailbox.take() is None


def test_dropping_exits_keeps_all_else_in_its_place() -> None:
    mailbox = Mailbox(10)
    refs = [MonitorRef(PID, None, number) for number in range(3)]
    exits = [Exit("x", Result(), ref) for ref in refs]
    mailbox.put_event(exits[0])
    mailbox.put(Message("one"))
    mailbox.put_event(exits[1])
    mailbox.put_event(event(7))
    mailbox.put(Message("two"))
    mailbox.put_event(exits[2])

    mailbox.drop_exits(lambda each: each.ref in refs[1:])

    taken = [mailbox.take() for _ in range(5)]
    assert taken == [exits[0], Message("one"), event(7), Message("two"), None]


def test_whoever_waits_for_room_is_told_once_at_half_the_limit() -> None:
    told: list[str] = []
    mailbox = Mailbox(4)
    for _ in range(4):
        mailbox.put(Message("topic"))
    mailbox.when_room(lambda: told.append("room"))

    depths = []
    for take in (mailbox.take, mailbox.take_message, mailbox.take, mailbox.take):
        take()
        depths.append((len(mailbox.messages), len(told)))

    assert depths == [(3, 0), (2, 1), (1, 1), (0, 1)]


def test_a_selective_take_and_the_end_tell_of_room_too() -> None:
    told: list[str] = []
    mailbox = Mailbox(2)
    mailbox.put(Message("a"))
    mailbox.put(Message("b"))
    mailbox.when_room(lambda: told.append("topic"))
    mailbox.take_topic(("b",))
    mailbox.when_room(lambda: told.append("end"))

    mailbox.clear()

    assert told == ["topic", "end"]


def test_a_room_waiter_can_be_taken_back() -> None:
    told: list[str] = []
    mailbox = Mailbox(2)

    def tell() -> None:
        told.append("room")

    mailbox.forget_room(tell)
    mailbox.when_room(tell)
    mailbox.forget_room(tell)
    mailbox.clear()

    assert told == []


class CountedEvents(deque[Any]):
    """Events that count how often somebody has gone through them."""

    walks = 0

    def __iter__(self) -> Iterator[Any]:
        self.walks += 1
        return super().__iter__()


def test_taking_the_first_message_by_its_topic_moves_no_event() -> None:
    mailbox = Mailbox(10)
    for number in range(3):
        mailbox.put_event(event(number))
        mailbox.put(Message("answer", number))
    unread = mailbox.events

    taken = [mailbox.take_topic(("answer",)) for _ in range(3)]

    assert taken == [Message("answer", number) for number in range(3)]
    # Moving the mark of one makes them all anew.
    assert mailbox.events is unread
    assert [mailbox.take_event() for _ in range(3)] == [event(number) for number in range(3)]


def test_a_cancelled_inbox_is_read_without_going_through_the_events_each_time() -> None:
    mailbox = Mailbox(1000)
    for number in range(100):
        mailbox.put_event(event(number))
        mailbox.put(Message("work", number))
    mailbox.put_event(Cancel(None, "enough", 1.0))
    unread = mailbox.events = CountedEvents(mailbox.events or ())
    unread.walks = 0

    read = 0
    while not mailbox.is_cancelled():
        assert mailbox.take_message() is not None
        read += 1

    assert read == 100
    assert unread.walks == 1


def test_the_next_cancel_counts_once_the_first_is_read() -> None:
    mailbox = Mailbox(10)
    mailbox.put_event(Cancel(None, "first", 1.0))
    mailbox.put(Message("between"))
    mailbox.put_event(Cancel(None, "second", 1.0))
    assert mailbox.is_cancelled()

    mailbox.take_event()

    assert not mailbox.is_cancelled()
    mailbox.take_message()
    assert mailbox.is_cancelled()


def test_a_message_taken_from_behind_a_cancel_leaves_it_behind_the_others() -> None:
    mailbox = Mailbox(10)
    mailbox.put(Message("before"))
    mailbox.put_event(Cancel(None, "enough", 1.0))
    mailbox.put(Message("behind"))
    assert not mailbox.is_cancelled()

    mailbox.take_topic(("behind",))

    assert not mailbox.is_cancelled()
    mailbox.take_message()
    assert mailbox.is_cancelled()
