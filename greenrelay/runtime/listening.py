"""Topics that go to a channel of their own instead of to the inbox.

Source: Processes, "Functions", row listen.

A mailbox has channels from the first listen of its process to the last unlisten.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from heapq import merge
from math import inf

from greenrelay.core.events import Cancel
from greenrelay.core.fifo import Fifo
from greenrelay.core.message import Message, check_topic
from greenrelay.runtime.channel import Inbox
from greenrelay.runtime.current import require_process
from greenrelay.runtime.inbox import Mailbox

# How many messages had arrived in the inbox before this one, and in the channels.
Mark = tuple[int, float]


def listen(topic: str) -> Inbox:
    """Let messages with ``topic`` go to a channel of their own from now on; return it.

    ``receive`` and ``inbox`` see them no more. Those that are in the inbox already stay there.
    The host's limit and overflow rule hold for the channel by itself. Listening again returns the
    same messages. Raises ReservedTopic.
    """
    process = require_process("listen")
    check_topic(topic)
    mailbox = process.mailbox
    if mailbox.channels is None:
        mailbox.channels = Channels()
    box = mailbox.channels.get(topic)
    if box is None:
        box = mailbox.channels[topic] = TopicBox(mailbox, mailbox.channels, process.no_messages())
    return Inbox(process, box)


def unlisten(topic: str) -> None:
    """Let messages with ``topic`` come to the inbox again; no error if they do already.

    What is unread moves there, each message to the place where it had arrived, even if the inbox
    holds more than its limit then. The channel stays empty from then on.
    """
    process = require_process("unlisten")
    mailbox = process.mailbox
    channels = mailbox.channels
    box = channels.pop(topic, None) if channels is not None else None
    if channels is None or box is None:
        return
    box.move_unread()
    if not channels:
        mailbox.channels = None


class TopicBox(Mailbox):
    """The unread messages of one topic of a process, and when each of them came."""

    __slots__ = ("_all", "_owner", "marks")

    def __init__(self, owner: Mailbox, channels: Channels, messages: Fifo | None = None) -> None:
        super().__init__(owner.limit, messages)
        self._owner = owner
        self._all = channels
        self.marks: deque[Mark] = deque()
        self.note_cancel()

    def put(self, message: Message) -> None:
        """Append a message, whatever the limit."""
        self._all.arrived += 1
        self.marks.append((self._owner.arrived, self._all.arrived))
        super().put(message)

    def take_message(self) -> Message | None:
        """Return the next message, or None."""
        if self.marks:
            self.marks.popleft()
        return super().take_message()

    def drop_oldest(self) -> Message | None:
        """Throw the oldest message away and return it, None when there is none."""
        if self.marks:
            self.marks.popleft()
        return super().drop_oldest()

    def note_cancel(self) -> None:
        """Put the oldest unread CANCEL of the process behind what has arrived here."""
        self.events = None
        self.cancels, self.cancel_at = 0, -1
        unread = (entry[1] for entry in self._owner.events or ())
        oldest = next((event for event in unread if isinstance(event, Cancel)), None)
        if oldest is not None:
            self.put_event(oldest)

    def is_cancelled(self) -> bool:
        """Whether an unread CANCEL of the process arrived before every message that is left."""
        return self._owner.cancels > 0 and super().is_cancelled()

    def clear(self) -> None:
        """Throw everything away and tell whoever waits for room."""
        self.marks.clear()
        super().clear()

    def move_unread(self) -> None:
        """Put what is unread into the inbox, as if there had never been a channel.

        Events stay where they are in the order of arrival.
        """
        owner = self._owner
        marks = list(self.marks)
        if marks:
            first = owner.arrived - len(owner.messages)
            # The message of the inbox with a number came after what is marked with that number.
            numbered = (((number, inf), each) for number, each in enumerate(owner.messages, first))
            mine = zip(marks, self.messages, strict=True)
            merged = [each for _, each in merge(mine, numbered, key=_mark_of)]
            owner.replace(merged, self.messages)
            # What came before messages that have been read comes before the first that is left.
            owner.cancel_at = -1
            owner.events = deque(
                (max(place, first) + bisect_right(marks, (place, beside)), event, beside)
                for place, event, beside in owner.events or ()
            )
            for box in self._all.values():
                box.marks = deque(
                    (max(mark[0], first) + bisect_left(marks, mark), mark[1]) for mark in box.marks
                )
        if owner.events and not self._all:
            # Channels made later count from 0, and all they get comes after these.
            owner.events = deque((place, event, 0) for place, event, _ in owner.events)
        self.clear()


class Channels(dict[str, TopicBox]):
    """The channels of one process by topic; ``arrived`` counts the messages of them all."""

    __slots__ = ("arrived",)

    def __init__(self) -> None:
        super().__init__()
        self.arrived = 0

    def close_gap(self, place: int) -> None:
        """Mark that the message with number ``place`` of the inbox was taken out of turn."""
        for box in self.values():
            box.marks = deque(
                (mark[0] + 1, mark[1]) if mark[0] <= place else mark for mark in box.marks
            )

    def note_cancel(self) -> None:
        """Let iterating a channel end with the first unread CANCEL as well."""
        for box in self.values():
            box.note_cancel()

    def clear_all(self) -> None:
        """Throw all messages away and tell whoever waits for room."""
        for box in self.values():
            box.clear()


def _mark_of(item: tuple[Mark, Message]) -> Mark:
    return item[0]
