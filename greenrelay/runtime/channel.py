"""What a process reads from: its inbox and its events.

Source: Processes, "Functions", rows inbox and events.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from greenrelay.core.events import Event
from greenrelay.core.message import Message
from greenrelay.durations import parse_duration
from greenrelay.errors import Timeout
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.task import EXITING, WAITING

T = TypeVar("T", Message, Event)


class _Channel(Generic[T]):
    __slots__ = ("_process",)

    def __init__(self, process: FunctionProcess) -> None:
        self._process = process

    def _take(self) -> T | None:
        raise AssertionError("a channel says what it takes")

    def receive(self, timeout: float | str | None = None) -> T:
        """Wait for the next item and return it.

        ``timeout`` is a duration; raises Timeout when nothing came in time, and ProcessExit when
        the process has to end.
        """
        seconds = None if timeout is None else parse_duration(timeout)
        item: T = self._process.await_item(self._take, seconds, f"{type(self).__name__}.receive()")
        return item

    def get_nowait(self) -> T:
        """Return the next item without waiting; raises Timeout when there is none."""
        if self._process.state >= EXITING:
            raise self._process.exit_now()
        item = self._take()
        if item is None:
            raise Timeout(f"{type(self).__name__}.get_nowait()", 0.0)
        return item

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return self.receive()


class Inbox(_Channel[Message]):
    """The messages of a process, in order of arrival.

    Iteration ends when the process is cancelled, after what arrived before that; in a process
    that reads ``events()``, and so handles CANCEL itself, it goes on.
    """

    __slots__ = ()

    def __len__(self) -> int:
        return self._process.depth()

    def __bool__(self) -> bool:
        return True

    def _take(self) -> Message | None:
        return self._process.mailbox.take_message()

    def __next__(self) -> Message:
        process = self._process
        mailbox = process.mailbox
        if process.state >= EXITING:
            raise process.exit_now()
        while True:
            if mailbox.cancels and not process.reads_events and mailbox.is_cancelled():
                raise StopIteration
            message = mailbox.take_message()
            if message is not None:
                return message
            process.wait(WAITING)


class Events(_Channel[Event]):
    """The lifecycle events of a process: EXIT, LINK_DOWN and CANCEL, in order of arrival."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._process.mailbox.events)

    def __bool__(self) -> bool:
        return True

    def _take(self) -> Event | None:
        return self._process.mailbox.take_event()
