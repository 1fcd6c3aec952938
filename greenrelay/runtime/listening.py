"""Topics that go to a channel of their own instead of to the inbox.

Source: Processes, "Functions", row listen.

A process that listens is of another kind, whose ``deliver`` looks at the topic; it becomes one with
its first listen and an ordinary one with its last unlisten. So those that never listen, which are
most, pay nothing when they get a message.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from heapq import merge
from math import inf

from greenrelay.core.events import Cancel, Event
from greenrelay.core.message import Message, check_topic
from greenrelay.runtime.channel import Inbox
from greenrelay.runtime.current import require_process
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.inbox import Mailbox
from greenrelay.runtime.task import EXITING

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
        process.__class__ = _listening_kind(type(process))
    box = mailbox.channels.get(topic)
    if box is None:
        box = mailbox.channels[topic] = TopicBox(mailbox, mailbox.channels)
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
        process.__class__ = type(process).__bases__[1]


class TopicBox(Mailbox):
    """The unread messages of one topic of a process, and when each of them came."""

    __slots__ = ("_all", "_owner", "marks")

    def __init__(self, owner: Mailbox, channels: Channels) -> None:
        super().__init__(owner.limit)
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

    def drop_oldest(self) -> None:
        """Throw the oldest message away."""
        if self.marks:
            self.marks.popleft()
        super().drop_oldest()

    def note_cancel(self) -> None:
        """Put the oldest unread CANCEL of the process behind what has arrived here."""
        self.events.clear()
        self.cancels = 0
        unread = (event for _, event in self._owner.events if isinstance(event, Cancel))
        oldest = next(unread, None)
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

        An event stays behind all messages that arrived before it.
        """
        owner = self._owner
        marks = list(self.marks)
        if marks:
            first = owner.arrived - len(owner.messages)
            # The message of the inbox with a number came after what is marked with that number.
            numbered = (((number, inf), each) for number, each in enumerate(owner.messages, first))
            mine = zip(marks, self.messages, strict=True)
            merged = [each for _, each in merge(mine, numbered, key=_mark_of)]
            owner.replace(merged)
            # What came before messages that have been read comes before the first that is left.
            owner.events = deque(
                (max(place, first) + bisect_right(marks, (place, inf)), event)
                for place, event in owner.events
            )
            for box in self._all.values():
                box.marks = deque(
                    (max(mark[0], first) + bisect_left(marks, mark), mark[1]) for mark in box.marks
                )
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

    def clear_all(self) -> None:
        """Throw all messages away and tell whoever waits for room."""
        for box in self.values():
            box.clear()


class _Listening(FunctionProcess):
    """What a process that listens does otherwise; see _listening_kind."""

    __slots__ = ()

    def deliver(self, message: Message) -> bool:
        """Append to the channel of the topic, or the mailbox; at the limit obey the host."""
        if self.state >= EXITING:
            return False
        box = self._box_of(message)
        if len(box.messages) >= box.limit:
            return self.overflow(message, box)
        box.put(message)
        self.wake_up()
        return True

    def deliver_surely(self, message: Message) -> bool:
        """Append to the channel of the topic, or the mailbox, whatever its limit."""
        if self.state >= EXITING:
            return False
        self._box_of(message).put(message)
        self.wake_up()
        return True

    def deliver_event(self, event: Event) -> None:
        """Append to the events; iterating a channel ends with CANCEL as well."""
        is_first = isinstance(event, Cancel) and not self.mailbox.cancels
        super().deliver_event(event)
        if is_first:
            for box in (self.mailbox.channels or {}).values():
                box.note_cancel()

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when something that is full now is half empty, or has ended."""
        full = [box for box in self._boxes() if len(box.messages) >= box.limit]
        if self.state >= EXITING or not full:
            function()
            return
        waiting = [function]

        def tell() -> None:
            if waiting:
                waiting.pop()()

        for box in full:
            box.when_room(tell)

    def depth(self) -> int:
        """How many messages wait unread, in the channels too."""
        return sum(len(box.messages) for box in self._boxes())

    @property
    def received(self) -> int:
        """How many messages it has taken."""
        return self.mailbox.arrived + sum(box.arrived for box in self._boxes()[1:])

    def high_water(self) -> int:
        """The most messages that ever waited unread, in the inbox or one channel."""
        return max(box.high_water for box in self._boxes())

    def _box_of(self, message: Message) -> Mailbox:
        mailbox = self.mailbox
        channels = mailbox.channels
        return channels.get(message.topic, mailbox) if channels is not None else mailbox

    def _boxes(self) -> list[Mailbox]:
        mailbox = self.mailbox
        return [mailbox, *(mailbox.channels or {}).values()]


# One more class for each kind of process that has ever listened; no two are needed.
_kinds: dict[type[FunctionProcess], type[FunctionProcess]] = {}


def _listening_kind(kind: type[FunctionProcess]) -> type[FunctionProcess]:
    found = _kinds.get(kind)
    if found is None:
        # No slots more or less, or an object could not change from one kind to the other.
        found = type(f"Listening{kind.__name__}", (_Listening, kind), {"__slots__": ()})
        _kinds[kind] = found
    return found


def _mark_of(item: tuple[Mark, Message]) -> Mark:
    return item[0]
