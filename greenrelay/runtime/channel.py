"""What a process reads from: its inbox, its events, one topic, the changes of a group.

Source: Processes, "Functions", rows inbox, events, listen and join.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Self

from greenrelay.core.events import Event, GroupEvent
from greenrelay.core.message import Message
from greenrelay.durations import parse_duration
from greenrelay.errors import Timeout
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.inbox import Mailbox
from greenrelay.runtime.task import EXITING, WAITING


class Channel:
    """What the channels have in common; each says the type of what it hands out."""

    __slots__ = ("_process",)

    def __init__(self, process: FunctionProcess) -> None:
        self._process = process

    def _take(self) -> Any:
        raise AssertionError("a channel says what it takes")

    def _await(self, timeout: float | str | None) -> Any:
        seconds = None if timeout is None else parse_duration(timeout)
        return self._process.await_item(self._take, seconds, f"{type(self).__name__}.receive()")

    def _take_now(self) -> Any:
        if self._process.state >= EXITING:
            raise self._process.exit_again()
        item = self._take()
        if item is None:
            raise Timeout(f"{type(self).__name__}.get_nowait()", 0.0)
        return item


class Inbox(Channel):
    """The messages of a process, or those of a topic it listens to, in order of arrival.

    Iteration ends when the process is cancelled, after what arrived before that; in a process
    that reads ``events()``, and so handles CANCEL itself, it goes on.
    """

    __slots__ = ("_is_plain", "_mailbox")

    def __init__(self, process: FunctionProcess, mailbox: Mailbox | None = None) -> None:
        super().__init__(process)
        self._mailbox: Mailbox = mailbox or process.open_mailbox()
        # A topic's box keeps count of what is taken from it.
        self._is_plain = type(self._mailbox) is Mailbox

    def __len__(self) -> int:
        return len(self._mailbox.messages)

    def __bool__(self) -> bool:
        return True

    def _take(self) -> Message | None:
        return self._mailbox.take_message()

    def receive(self, timeout: float | str | None = None) -> Message:
        """Wait for the next one and return it.

        ``timeout`` is a duration; raises Timeout when nothing came in time, and ProcessExit when
        the process has to end.
        """
        if timeout is not None:
            item: Message = self._await(timeout)
            return item
        process, mailbox = self._process, self._mailbox
        while process.state < EXITING:
            message = mailbox.take_message()
            if message is not None:
                return message
            process.wait(WAITING)
        raise process.exit_again()

    def get_nowait(self) -> Message:
        """Return the next one without waiting; raises Timeout when there is none."""
        item: Message = self._take_now()
        return item

    def __iter__(self) -> Iterator[Message]:
        return self

    def __next__(self) -> Message:
        process = self._process
        mailbox = self._mailbox
        if process.state >= EXITING:
            raise process.exit_again()
        messages = mailbox.messages
        if messages and self._is_plain and not mailbox.cancels and mailbox.room_waiters is None:
            # The ordinary case of a process that has more to do than it can.
            taken: Message = messages.popleft()
            return taken
        while True:
            if mailbox.cancels and not process.reads_events and mailbox.is_cancelled():
                raise StopIteration
            message = mailbox.take_message()
            if message is not None:
                return message
            process.wait(WAITING)


class Events(Channel):
    """The lifecycle events of a process: EXIT, LINK_DOWN and CANCEL, in order of arrival."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._process.mailbox.events or ())

    def __bool__(self) -> bool:
        return True

    def _take(self) -> Event | None:
        return self._process.mailbox.take_event()

    def receive(self, timeout: float | str | None = None) -> Event:
        """Wait for the next one and return it.

        ``timeout`` is a duration; raises Timeout when nothing came in time, and ProcessExit when
        the process has to end.
        """
        if timeout is not None:
            item: Event = self._await(timeout)
            return item
        process = self._process
        mailbox = process.open_mailbox()
        while process.state < EXITING:
            event: Event | None = mailbox.take_event()
            if event is not None:
                return event
            process.wait(WAITING)
        raise process.exit_again()

    def get_nowait(self) -> Event:
        """Return the next one without waiting; raises Timeout when there is none."""
        item: Event = self._take_now()
        return item

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        return self.receive()


class GroupEvents(Channel):
    """Who joins and who leaves a watched group, in order; there is no limit.

    Iteration ends when the process is cancelled and all is read, unless it reads ``events()``, and
    when the channel is closed.
    """

    __slots__ = ("_changes", "_stop", "group", "is_closed")

    def __init__(
        self, process: FunctionProcess, group: str, stop: Callable[[GroupEvents], object]
    ) -> None:
        super().__init__(process)
        self.group = group
        self.is_closed = False
        self._changes: deque[GroupEvent] = deque()
        self._stop = stop

    def __len__(self) -> int:
        return len(self._changes)

    def __bool__(self) -> bool:
        return True

    def put(self, change: GroupEvent) -> None:
        """Append a change; the node does that."""
        self._changes.append(change)
        self._process.wake_up()

    @property
    def watcher(self) -> FunctionProcess:
        """The process that watches."""
        return self._process

    def close(self) -> None:
        """Stop watching; what is unread is thrown away. Closing again changes nothing."""
        if not self.is_closed:
            self.is_closed = True
            self._changes.clear()
            self._stop(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _take(self) -> GroupEvent | None:
        if self.is_closed:
            raise ValueError(f"the channel of group {self.group!r} is closed: nothing comes")
        return self._changes.popleft() if self._changes else None

    def receive(self, timeout: float | str | None = None) -> GroupEvent:
        """Wait for the next one and return it.

        ``timeout`` is a duration; raises Timeout when nothing came in time, and ProcessExit when
        the process has to end.
        """
        item: GroupEvent = self._await(timeout)
        return item

    def get_nowait(self) -> GroupEvent:
        """Return the next one without waiting; raises Timeout when there is none."""
        item: GroupEvent = self._take_now()
        return item

    def __iter__(self) -> Iterator[GroupEvent]:
        return self

    def __next__(self) -> GroupEvent:
        process = self._process
        if process.state >= EXITING:
            raise process.exit_again()
        while not self.is_closed:
            change = self._take()
            if change is not None:
                return change
            if process.mailbox.cancels and not process.reads_events:
                break
            process.wait(WAITING)
        raise StopIteration
