"""What a process has been sent and has not read: messages and events, in order of arrival.

Source: Processes, "Functions", rows inbox, receive and events.

Theory. Messages and lifecycle events sit in a queue each, since most readers want one kind only.
The order between the two is kept by a mark: an event notes how many messages had arrived before
it, and the mailbox knows how many it has handed out. An event is next when that many are out.
It notes as well how many had arrived in the channels, for unlisten to know what came before it.
A queue is made with the first thing it has to hold.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from greenrelay.core.events import Cancel, Event, Exit
from greenrelay.core.fifo import Fifo
from greenrelay.core.message import Message

if TYPE_CHECKING:
    from greenrelay.runtime.listening import Channels

Item = Message | Event
# An event: how many messages had arrived before it here, the event, and how many in the channels.
Entry = tuple[int, Event, int]
# Stands for the messages of a mailbox that never got any.
NOTHING = Fifo()
log = logging.getLogger("greenrelay.runtime")


class Mailbox:
    """The unread messages and events of one process."""

    __slots__ = (
        "_deepest",
        "arrived",
        "cancel_at",
        "cancels",
        "channels",
        "dropped",
        "events",
        "limit",
        "messages",
        "room_waiters",
    )

    def __init__(self, limit: int, messages: Fifo | None = None) -> None:
        self.limit = limit
        self.messages = NOTHING if messages is None else messages
        self.events: deque[Entry] | None = None
        self.arrived = 0
        self.dropped = 0
        self._deepest = 0
        # How many of the events were CANCEL: looking for one among many others takes time.
        self.cancels = 0
        # The mark of the first of these, -1 while nobody has looked for it.
        self.cancel_at = -1
        self.room_waiters: list[Callable[[], object]] | None = None
        # Those of topics that do not come here: see listening.py.
        self.channels: Channels | None = None

    def put(self, message: Message) -> None:
        """Append a message, whatever the limit."""
        messages = self.messages
        if messages is NOTHING:
            messages = self.messages = Fifo()
        messages.append(message)
        self.arrived += 1
        depth = len(messages)
        if depth > self._deepest:
            self._deepest = depth

    def replace(self, messages: list[Message], others: Fifo) -> None:
        """Have these messages instead of what is unread; those from ``others`` have arrived."""
        self.arrived += len(messages) - len(self.messages)
        self.messages = self.messages.joined(others, messages)
        self._deepest = max(self._deepest, len(messages))

    @property
    def high_water(self) -> int:
        """The most messages that ever waited; one that is waited for is put in without put()."""
        return self._deepest or min(self.arrived, 1)

    def box_of(self, message: Message) -> Mailbox:
        """Return where ``message`` goes: here, or to the channel of its topic."""
        if self.channels is None:
            return self
        return self.channels.get(message.topic, self)

    def boxes(self) -> list[Mailbox]:
        """Return the mailbox and its channels."""
        return [self, *(self.channels or {}).values()]

    def put_event(self, event: Event) -> None:
        """Append an event; events are not limited."""
        if self.events is None:
            self.events = deque()
        beside = 0 if self.channels is None else self.channels.arrived
        self.events.append((self.arrived, event, beside))
        if isinstance(event, Cancel):
            self.cancels += 1
            if self.cancels == 1 and self.channels is not None:
                self.channels.note_cancel()

    def take(self) -> Item | None:
        """Return the next of messages and events, None when there is neither."""
        events = self.events
        if events and events[0][0] <= self.arrived - len(self.messages):
            return self.take_event()
        return self.take_message()

    def take_message(self) -> Message | None:
        """Return the next message, passing by events, or None."""
        messages = self.messages
        if not messages:
            return None
        message: Message = messages.popleft()
        if self.room_waiters is not None:
            self._notice_room()
        return message

    def take_event(self) -> Event | None:
        """Return the next event, passing by messages, or None."""
        if not self.events:
            return None
        event: Event = self.events.popleft()[1]
        if isinstance(event, Cancel):
            self.cancels -= 1
            self.cancel_at = -1
        return event

    def take_topic(self, topics: tuple[str, ...], since: int = 0) -> Message | None:
        """Return the first message with one of ``topics``; the rest stay in order.

        The messages that had arrived when ``arrived`` was ``since`` are known to have none.
        """
        messages = self.messages
        for index in range(max(0, len(messages) - (self.arrived - since)), len(messages)):
            message: Message = messages[index]
            if message.topic in topics:
                del messages[index]
                # The first of them is not out of turn.
                if index:
                    self._close_gap(self.arrived - len(messages) - 1 + index)
                if self.room_waiters is not None:
                    self._notice_room()
                return message
        return None

    def drop_oldest(self) -> Message | None:
        """Throw the oldest message away and return it, None when there is none."""
        oldest: Message | None = self.messages.popleft() if self.messages else None
        return oldest

    def is_cancelled(self) -> bool:
        """Whether an unread CANCEL arrived before every message that is left."""
        if not self.cancels:
            return False
        out = self.arrived - len(self.messages)
        if self.cancel_at < 0:
            unread = self.events or ()
            self.cancel_at = next(mark for mark, event, _ in unread if isinstance(event, Cancel))
        return self.cancel_at <= out

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when the messages are down to half the limit, or none are."""
        if self.room_waiters is None:
            self.room_waiters = []
        self.room_waiters.append(function)

    def forget_room(self, function: Callable[[], object]) -> None:
        """Take back what when_room was told, if it was not called yet."""
        if self.room_waiters is not None and function in self.room_waiters:
            self.room_waiters.remove(function)

    def drop_exits(self, unwanted: Callable[[Exit], bool]) -> None:
        """Drop each unread EXIT that is ``unwanted``."""
        if self.events:
            self.events = deque(
                entry
                for entry in self.events
                if not (isinstance(entry[1], Exit) and unwanted(entry[1]))
            )

    def clear(self) -> None:
        """Throw everything away and tell whoever waits for room."""
        self.messages.clear()
        self.events = None
        self.cancels, self.cancel_at = 0, -1
        if self.room_waiters is not None:
            self._tell_room()
        if self.channels is not None:
            self.channels.clear_all()

    def _close_gap(self, place: int) -> None:
        # A message taken from behind an event counts as handed out before it: move the marks of
        # the events in front of it up by one, or they would come early.
        if self.events:
            self.cancel_at = -1
            self.events = deque(
                (mark + 1, event, beside) if mark <= place else (mark, event, beside)
                for mark, event, beside in self.events
            )
        if self.channels is not None:
            self.channels.close_gap(place)

    def _notice_room(self) -> None:
        if len(self.messages) <= self.limit // 2:
            self._tell_room()

    def _tell_room(self) -> None:
        waiters, self.room_waiters = self.room_waiters, None
        for function in waiters or ():
            try:
                function()
            except Exception:
                log.exception("telling of room in an inbox failed")
