"""What the channels of topics promise, whatever comes in whatever order."""

from __future__ import annotations

from itertools import count
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import greenrelay as gr
from greenrelay.core.events import Cancel, Event, LinkDown, Result
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.runtime.inbox import Mailbox
from greenrelay.runtime.listening import Channels, TopicBox

TOPICS = "abc"
# What happens: a message with that topic comes ("a"), the oldest is read ("-"), or by topic ("-a").
STEPS = st.lists(st.sampled_from([*TOPICS * 3, "-", "-a", "-b", "-c"]), max_size=40)


@given(steps=STEPS, listened=st.sets(st.sampled_from(TOPICS)), order=st.permutations(TOPICS))
@settings(deadline=None, max_examples=300)
def test_unlisten_restores_the_order_of_arrival(
    steps: list[str], listened: set[str], order: list[str]
) -> None:
    mailbox = Mailbox(1000)
    channels = mailbox.channels = Channels()
    for topic in sorted(listened):
        channels[topic] = TopicBox(mailbox, channels)
    numbers = count()
    left: list[int] = []
    for step in steps:
        topic = step[-1]
        if step in TOPICS:
            left.append(next(numbers))
            channels.get(topic, mailbox).put(Message(topic, left[-1]))
            continue
        if step == "-":
            taken = mailbox.take_message()
        else:
            box = channels.get(topic)
            taken = box.take_message() if box is not None else mailbox.take_topic((topic,))
        if taken is not None:
            left.remove(taken.payload)  # type: ignore[arg-type]

    for topic in order:
        if topic in channels:
            channels.pop(topic).move_unread()

    assert [message.payload for message in mailbox.messages] == left


# As STEPS, and: an event comes ("!"), the oldest event is read ("-!"), all that is listened to goes
# back to the inbox and is listened to again (".").
STEPS_WITH_EVENTS = st.lists(
    st.sampled_from([*TOPICS * 3, "!", "!", "-", "-a", "-b", "-c", "-!", "."]), max_size=40
)


@given(steps=STEPS_WITH_EVENTS, listened=st.sets(st.sampled_from(TOPICS), min_size=1))
@settings(deadline=None, max_examples=300)
def test_unlisten_leaves_each_event_between_the_messages_it_came_between(
    steps: list[str], listened: set[str]
) -> None:
    mailbox = Mailbox(1000)
    left: list[int] = []

    def listen() -> None:
        channels = mailbox.channels = Channels()
        for topic in sorted(listened):
            channels[topic] = TopicBox(mailbox, channels)

    def unlisten() -> None:
        channels = mailbox.channels
        assert channels is not None
        for topic in sorted(listened):
            channels.pop(topic).move_unread()
        mailbox.channels = None

    listen()
    for number, step in enumerate(steps):
        if step == ".":
            unlisten()
            listen()
            continue
        taken: Message | Event | None = None
        if step == "!":
            mailbox.put_event(LinkDown(Pid("n", "h", 1), Result(number)))
            left.append(number)
        elif step in TOPICS:
            message = Message(step, number)
            mailbox.box_of(message).put(message)
            left.append(number)
        elif step == "-":
            taken = mailbox.take_message()
        elif step == "-!":
            taken = mailbox.take_event()
        else:
            assert mailbox.channels is not None
            box = mailbox.channels.get(step[-1])
            taken = box.take_message() if box is not None else mailbox.take_topic((step[-1],))
        if taken is not None:
            left.remove(number_of(taken))

    unlisten()

    assert [number_of(mailbox.take()) for _ in left] == left
    assert mailbox.take() is None


def number_of(item: Any) -> int:
    number = item.payload if isinstance(item, Message) else item.result.value
    assert isinstance(number, int)
    return number


def test_what_comes_back_from_a_channel_is_read_before_a_later_cancel() -> None:
    mailbox = Mailbox(10)
    channels = mailbox.channels = Channels()
    channels["b"] = TopicBox(mailbox, channels)
    channels["b"].put(Message("b"))
    mailbox.put_event(Cancel(None, "enough", 1.0))
    assert mailbox.is_cancelled()

    channels.pop("b").move_unread()

    assert not mailbox.is_cancelled()
    assert mailbox.take() == Message("b")
    assert mailbox.is_cancelled()


def test_a_server_can_listen(node: gr.Node) -> None:
    class Room(gr.Server):
        def init(self) -> None:
            self.later = gr.listen("later")

        def handle_call(self, message: gr.Message) -> object:
            if message.topic == "stop":
                return gr.stop(reply=None)
            return [self.later.get_nowait().payload for _ in range(len(self.later))]

    def main() -> object:
        room = gr.spawn(Room)
        gr.call(room, "first")
        gr.send(room, "later", 1)
        gr.send(room, "later", 2)
        answer = gr.call(room, "read")
        gr.call(room, "stop")
        return answer

    assert node.run(main) == [1, 2]
