"""The messages that a process without a socket gets and sends, for whoever looks at it.

Source: Operations, "Command line" (``tail PID``) and "Dashboard" ("live tail").

Theory. Nobody is to pay for a tail that nobody looks at, so no process asks whether somebody does.
Instead the queue that keeps what is unread is exchanged for one that shows what is appended, as in
debug mode it is one that checks payloads; the last to look away puts an ordinary one back. A
channel that the process begins to listen to, and an inbox that it has made anew, are found at the
next ``refresh``. What it sends it tells its outlet, which is None while nobody looks.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time

from greenrelay.core.fifo import Fifo
from greenrelay.core.message import Message
from greenrelay.dashboard.shown import short
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.inbox import Mailbox
from greenrelay.runtime.payload_check import CheckedMessages
from greenrelay.transport.tap import IN, OUT, Seen, Tail


@dataclass(frozen=True, slots=True)
class Heard(Seen):
    """One message of a process: ``peer`` is who sent it, "" for nobody, or whom it was sent to."""

    peer: str = ""


class _Hears:
    """What a queue has whose messages are looked at."""

    tails: tuple[Tail, ...] = ()

    def append(self, message: Message) -> None:
        """Add the newest message, and show it."""
        if self.tails:
            heard = _heard(message)
            for tail in self.tails:
                tail.add(heard)
        super().append(message)  # type: ignore[misc]  # of the queue that it is as well


class _Queue(_Hears, Fifo):
    """A queue that is looked at."""


class _CheckedQueue(_Hears, CheckedMessages):
    """The same in debug mode."""


class _Outlet:
    """Shows what a process sends; a reply is none of it."""

    def __init__(self) -> None:
        self.tails: tuple[Tail, ...] = ()

    def __call__(self, dest: str, topic: str, payload: object) -> None:
        heard = Heard(time(), OUT, str(topic), True, short(payload), 0, str(dest))
        for tail in self.tails:
            tail.add(heard)


class Hearing:
    """What one looker hears of ``process`` from now on; ``stop`` ends it."""

    def __init__(self, process: FunctionProcess) -> None:
        self.process = process
        self.tail = Tail()
        outlet = process.outlet
        if not isinstance(outlet, _Outlet):
            outlet = process.outlet = _Outlet()
        outlet.tails += (self.tail,)
        self.refresh()

    def refresh(self) -> None:
        """Listen at the inbox and at each channel that is there now."""
        for box in self.process.open_mailbox().boxes():
            found = box.messages
            queue = found if isinstance(found, _Hears) else _exchange(self.process, box)
            if self.tail not in queue.tails:
                queue.tails += (self.tail,)

    def stop(self) -> None:
        """Hear nothing any more; nothing happens a second time."""
        outlet = self.process.outlet
        if isinstance(outlet, _Outlet):
            outlet.tails = tuple(each for each in outlet.tails if each is not self.tail)
            if not outlet.tails:
                self.process.outlet = None
        for box in self.process.open_mailbox().boxes():
            queue = box.messages
            if isinstance(queue, _Hears):
                queue.tails = tuple(each for each in queue.tails if each is not self.tail)
                if not queue.tails:
                    checked = self.process.no_messages()
                    plain = Fifo() if checked is None else checked
                    plain.extend(box.messages)
                    box.messages = plain


def _exchange(process: FunctionProcess, box: Mailbox) -> _Hears:
    """Put a queue that can be looked at in the place of an ordinary one."""
    queue: _Queue | _CheckedQueue
    queue = _CheckedQueue(process.pid) if process.node.debug else _Queue()
    # Before anybody looks: what waits already is not news.
    queue.extend(box.messages)
    box.messages = queue
    return queue


def _heard(message: Message) -> Heard:
    text, peer = short(message.payload), message.sender or ""
    return Heard(time(), IN, message.topic, True, text, 0, peer)
