"""Processes that run a function in a greenlet of their own and read a mailbox.

Source: Processes. The states and who may move a process between them are in ``scheduler.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import gevent
from greenlet import getcurrent, greenlet

from greenrelay.core.events import (
    KILLED,
    RESULT_NORMAL,
    Event,
    ExitError,
    LinkDown,
    Result,
)
from greenrelay.core.fifo import Fifo
from greenrelay.core.message import Message, ReplySlot
from greenrelay.core.pid import Pid
from greenrelay.errors import InboxFull, NotInProcess, ProcessExit, ProcessUpgrade, Timeout
from greenrelay.runtime.crash import ENDS_PROGRAM, result_of_error, result_of_value
from greenrelay.runtime.inbox import Mailbox
from greenrelay.runtime.payload_check import CheckedMessages
from greenrelay.runtime.process import Process
from greenrelay.runtime.scheduler import Scheduler
from greenrelay.runtime.task import (
    BLOCKED,
    DEAD,
    EXITING,
    NEW,
    NO_SIGNAL,
    READY,
    RUNNING,
    THROW,
    WAITING,
    WAKE,
)
from greenrelay.runtime.timers import Alarm
from greenrelay.runtime.waiter import Waiter

if TYPE_CHECKING:
    from greenrelay.runtime.host import Host
    from greenrelay.runtime.node import Node


class FunctionProcess(Process):
    """A process that runs a function in a greenlet of its own and reads a mailbox."""

    __slots__ = (
        "_mailbox",
        "alarm",
        "args",
        "children",
        "deadline",
        "exit_result",
        "function",
        "kwargs",
        "reads_events",
        "scheduler",
    )

    def __init__(self, node: Node, host: Host, pid: Pid, entry: object) -> None:
        self.scheduler: Scheduler = node.scheduler
        self.begin(node, host, pid, entry, self.scheduler.timers.now())
        # Made when it is first used: many a process neither reads nor gets anything.
        self._mailbox: Mailbox | None = None
        self.exit_result: Result | None = None
        self.deadline: float | None = None
        self.alarm: Alarm | None = None
        self.reads_events = False
        # What it spawned, with the name it gave, where somebody wants to know: see adopt.
        self.children: dict[Pid, str | None] | None = None
        self.function: Callable[..., object] | None = None
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] | None = None

    def prepare(
        self, function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any] | None
    ) -> None:
        """Say what to run; it runs when the run queue gets here."""
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.state = NEW

    def adopt(self, target: greenlet) -> None:
        """Be the process of a greenlet that runs already, such as an HTTP request's."""
        self.greenlet = target
        self.resume = target.switch
        target.greenrelay_process = self  # type: ignore[attr-defined]
        self.state = RUNNING

    @property
    def mailbox(self) -> Mailbox:
        """What it has been sent and has not read."""
        return self.open_mailbox()

    def open_mailbox(self) -> Mailbox:
        """Return the mailbox, made if it was not there."""
        mailbox = self._mailbox
        if mailbox is None:
            mailbox = self._mailbox = Mailbox(self.host.inbox_limit, self.no_messages())
        return mailbox

    def no_messages(self) -> Fifo | None:
        """Return what keeps its unread messages, in debug mode one that looks at payloads."""
        return CheckedMessages(self.pid) if self.node.debug else None

    @property
    def exit_reason(self) -> str:
        """Why it has to end; "" as long as nobody told it to."""
        return self.exit_result.reason if self.exit_result is not None else ""

    # what others do to it

    def deliver(self, message: Message) -> bool:
        """Append to the mailbox, or the channel of the topic; at the limit obey the host."""
        mailbox = self.open_mailbox()
        if self.state >= EXITING:
            return False
        if mailbox.channels is not None:
            mailbox = mailbox.box_of(message)
        if len(mailbox.messages) >= mailbox.limit:
            return self.overflow(message, mailbox)
        mailbox.put(message)
        if self.state == WAITING:
            self.wake_up()
        return True

    def deliver_surely(self, message: Message) -> bool:
        """Append to the mailbox, or the channel of the topic, whatever the limit."""
        if self.state >= EXITING:
            return False
        self.open_mailbox().box_of(message).put(message)
        self.wake_up()
        return True

    def deliver_event(self, event: Event) -> None:
        """Append to the events; a LINK_DOWN that is not trapped ends the process instead."""
        if self.state >= EXITING:
            return
        if isinstance(event, LinkDown) and not self.trap_links:
            self.end(event.result)
            return
        self.open_mailbox().put_event(event)
        self.wake_up()

    def wake_up(self) -> None:
        """Let the process look at its mailbox, if it waits for that."""
        if self.state == WAITING:
            self.state = READY
            self.scheduler.enqueue(self)

    def deadline_passed(self) -> None:
        """Let the process see that its deadline has passed."""
        if self.state in (WAITING, BLOCKED):
            self.state = READY
            self.scheduler.enqueue(self)

    def answered(self) -> None:
        """Let the process look at the reply it is blocked on."""
        if self.state == BLOCKED:
            self.state = READY
            self.scheduler.enqueue(self)

    def end(self, result: Result) -> None:
        """Make the process raise ProcessExit where it waits; the first result counts.

        A process already ending goes on with its cleanup, and its reason becomes killed if this
        is a kill.
        """
        state = self.state
        if state == DEAD:
            return
        if state == EXITING:
            if result.reason == KILLED:
                self.exit_result = result
            return
        self.exit_result = result
        self.state = EXITING
        if state == NEW:
            self.finish(result)
            return
        self.node.reaper.expect(self)
        if self.greenlet is not getcurrent():
            self.signal = WAKE if state in (WAITING, BLOCKED, READY) else THROW
            self.scheduler.enqueue(self)

    def let_go(self) -> None:
        """Drop what only a live process needs; called once, when it has ended."""
        self.greenlet = self.resume = None
        if self._mailbox is not None:
            self._mailbox.clear()
        if self.alarm is not None:
            self.alarm.cancel()
        if self.exit_result is not None:
            self.node.reaper.forget(self)

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when what is full now is half empty, or the process has ended."""
        full: list[Mailbox] = []
        if self.state < EXITING:
            full = [box for box in self.mailbox.boxes() if len(box.messages) >= box.limit]
        if not full:
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
        if self._mailbox is None:
            return 0
        return sum(len(box.messages) for box in self._mailbox.boxes())

    @property
    def received(self) -> int:
        """How many messages it has taken."""
        if self._mailbox is None:
            return 0
        return sum(box.arrived for box in self._mailbox.boxes())

    @property
    def dropped(self) -> int:
        """How many messages its full inbox, or a full channel, has thrown away."""
        return self._mailbox.dropped if self._mailbox is not None else 0

    def high_water(self) -> int:
        """The most messages that ever waited unread, in the inbox or one channel."""
        if self._mailbox is None:
            return 0
        return max(box.high_water for box in self._mailbox.boxes())

    def overflow(self, message: Message, mailbox: Mailbox) -> bool:
        """Do with a message for a full mailbox, its own or a channel, what the host says."""
        overflow = self.host.overflow
        if overflow == "drop_newest":
            self._drop(message, mailbox)
            return True
        if overflow == "drop_oldest":
            self._drop(mailbox.drop_oldest(), mailbox)
            mailbox.put(message)
            return True
        if overflow == "block" and self._wait_for_room(mailbox, message.reply_to):
            return self.deliver(message)
        raise InboxFull(self.pid, mailbox.limit)

    def _drop(self, message: Message | None, mailbox: Mailbox) -> None:
        # Those of a channel are counted with those of the inbox.
        self.mailbox.dropped += 1
        self.host.dropped += 1
        if message is not None and message.reply_to is not None:
            # A call nobody will answer.
            message.reply_to.fail(InboxFull(self.pid, mailbox.limit))

    def _wait_for_room(self, mailbox: Mailbox, slot: ReplySlot | None) -> bool:
        sender: Process | None = getattr(getcurrent(), "greenrelay_process", None)
        if not isinstance(sender, FunctionProcess) or sender is self:
            return False
        until = self.scheduler.timers.now() + self.host.block_timeout
        if isinstance(slot, Waiter) and slot.until >= 0:
            # A call waits for room no longer than for its answer.
            until = min(until, slot.until)
        # Others may have taken the room by the time the sender runs: then it waits on.
        while self.state < EXITING and len(mailbox.messages) >= mailbox.limit:
            if not _wait_for_less(mailbox, sender, until):
                return False
        return True

    # what it does itself

    def await_item(self, take: Callable[[], object], timeout: float | None, what: str) -> Any:
        """Return what ``take`` finds once it finds something; raises Timeout, ProcessExit."""
        if self.state >= EXITING:
            raise self.exit_now()
        item = take()
        if item is not None:
            return item
        if timeout is None:
            while True:
                self.wait(WAITING)
                item = take()
                if item is not None:
                    return item
        until = self.scheduler.timers.now() + timeout
        while True:
            if not self.wait_until(WAITING, until):
                raise Timeout(what, timeout)
            item = take()
            if item is not None:
                return item

    def wait(self, state: int) -> None:
        """Block until something happens; raises ProcessExit when the process has to end."""
        if self.state != RUNNING or self.greenlet is not getcurrent():
            raise self._cannot_wait()
        self.scheduler.block(self, state)
        if self.state == EXITING:
            raise self.exit_now()

    def _cannot_wait(self) -> BaseException:
        if self.state >= EXITING:
            return self.exit_again()
        return NotInProcess("receive", f"only {self.pid} itself may wait for what it is sent")

    def exit_now(self) -> ProcessExit:
        """Return the exception to raise in a process that has to end.

        What is raised here must not be thrown once more: a signal that still waits in the run
        queue would interrupt the cleanup.
        """
        self.signal = NO_SIGNAL
        return ProcessExit(self.exit_reason)

    def exit_again(self) -> ProcessExit:
        """Return it for one that has gone on all the same, in a loop perhaps; others run first."""
        if self.greenlet is getcurrent():
            gevent.sleep(0)
        return self.exit_now()

    def wait_until(self, state: int, until: float) -> bool:
        """Block until something happens or the time has come, then return False."""
        if self.scheduler.timers.now() >= until:
            return False
        self.scheduler.timers.wake_at(self, until)
        try:
            self.wait(state)
        finally:
            self.deadline = None
        # Whatever came with the deadline wins: the caller looks once more and then waits again.
        return True

    def run(self) -> None:
        """Run the function, in its worker, and report how it ended."""
        self.state = RUNNING
        while True:
            function, args, kwargs = self.function, self.args, self.kwargs
            self.function, self.args, self.kwargs = None, (), None
            error: BaseException | None = None
            assert function is not None
            try:
                value = function(*args, **kwargs) if kwargs else function(*args)
                result = RESULT_NORMAL if value is None else result_of_value(value)
            except BaseException as caught:
                function = args = kwargs = None  # type: ignore[assignment]
                error = caught
                result = self.result_of(caught)
            # Only upgrade() sets the function again: see upgrade.py.
            if self.function is None or self.exit_result is not None:
                break
            if error is not None and not isinstance(error, ProcessUpgrade):
                break
        if self.exit_result is not None:
            # The first reason counts, so what the cleanup raised is no news to anybody.
            self.finish(self.exit_result)
        else:
            self.finish(result, error)
        if isinstance(error, ENDS_PROGRAM):
            self.scheduler.hub.handle_system_error(type(error), error)

    def result_of(self, error: BaseException) -> Result:
        """Return how a process ended that let ``error`` out; logs a crash, once.

        It raises nothing: a process that fails here would never be reported.
        """
        if isinstance(error, ProcessExit) and self.exit_result is not None:
            error.__traceback__ = None
            return self.exit_result
        try:
            node = self.node
            return result_of_error(node.crashes, node.timers, self.pid, self.entry_object, error)
        except BaseException:
            # A log handler that raises, or the order to end that arrives while it waits.
            self.signal = NO_SIGNAL
            return Result(None, ExitError(type(error).__name__, ""), type(error).__name__)


def _wait_for_less(mailbox: Mailbox, sender: FunctionProcess, until: float) -> bool:
    waiter = Waiter(sender.answered)
    tell = waiter.answer_nothing
    mailbox.when_room(tell)
    try:
        while not waiter.is_done:
            if not sender.wait_until(BLOCKED, until):
                return False
    finally:
        waiter.drop()
        mailbox.forget_room(tell)
    return True
