"""What the channels of topics promise, whatever comes in whatever order."""

from __future__ import annotations

from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

import greenrelay as gr
from greenrelay.core.message import Message
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
