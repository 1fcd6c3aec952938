"""What stands on this node for processes of other ones: a target, and one who waits for a reply.

Source: Cluster, "What changes for a program".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from greenrelay.cluster.wire import Kind, dump, exact
from greenrelay.core.events import Cancel, Event, Exit, LinkDown, Result
from greenrelay.core.message import Message, ReplySlot
from greenrelay.core.pid import Pid
from greenrelay.runtime.process import Process
from greenrelay.runtime.waiter import Waiter

if TYPE_CHECKING:
    from greenrelay.cluster.link import Link


class Remote(Process):
    """A process of another node: what is done to it goes there as frames.

    Whether it lives is known there. It takes messages as long as there is a link to its node.
    """

    __slots__ = ("_text", "link")

    def __init__(self, link: Link, pid: Pid) -> None:
        Process.__init__(self, link.mesh.node, None, pid, "remote")  # type: ignore[arg-type]  # no host
        self.link = link
        self._text = str(pid)

    @property
    def is_remote(self) -> bool:
        """Whether it stands for a process of another node."""
        return True

    def post(
        self,
        topic: str,
        payload: object,
        sender: Pid | None,
        context: Mapping[str, object],
        slot: ReplySlot | None,
    ) -> bool:
        """Send a message; False without a link. Raises InboxFull, UnsendablePayload."""
        return self.link.send(self._text, topic, payload, sender, context, slot)

    def deliver(self, message: Message) -> bool:
        """Send a message; as post."""
        return self.post(
            message.topic, message.payload, message.sender, message.context, message.reply_to
        )

    def deliver_surely(self, message: Message) -> bool:
        """Send a message that no limit may refuse, here or there."""
        return self.link.send_surely(self._text, message)

    def deliver_event(self, event: Event) -> None:
        """Tell the process of an ending, or that it is to end."""
        tell = self.link.post_result
        if isinstance(event, Exit):
            tell(Kind.EXIT, event.result, self._text, str(event.pid), event.ref.number)
        elif isinstance(event, LinkDown):
            tell(Kind.LINK_DOWN, event.result, self._text, str(event.pid))
        elif isinstance(event, Cancel):
            reason = event.reason if event.reason is None else exact(event.reason)
            payload = dump([event.deadline, reason], "reason")
            self.link.post(Kind.CANCEL, self._text, str(event.sender or ""), payload=payload)

    def end(self, result: Result) -> None:
        """End the process."""
        self.link.post(Kind.TERMINATE, self._text, payload=dump(exact(result.reason), "reason"))

    def hung_up(self, waiter: Waiter) -> None:
        """Tell its node that a call of it is over."""
        self.link.hang_up(waiter)

    def when_room(self, function: object) -> None:
        """Call ``function`` once when the link takes messages again."""
        self.link.when_room(function)  # type: ignore[arg-type]


class RemoteCaller:
    """The reply slot of a call that came from another node; the target's ending answers it too."""

    __slots__ = ("_link", "_process", "_ref")

    def __init__(self, link: Link, ref: int, process: Process) -> None:
        self._link: Link | None = link
        self._ref = ref
        self._process = process
        # As a caller of this node does: its ending answers whoever waits for it.
        process.is_related = True
        if process.waiters is None:
            process.waiters = {}
        process.waiters[self] = None  # type: ignore[index]
        link.callers[ref] = self

    def answer(self, value: object) -> bool:
        """Send the reply; False when nobody waits.

        Raises UnsendablePayload, and EngineError for one that is too large for it; then the caller
        still waits.
        """
        link = self._link
        if link is None:
            return False
        is_sent = link.post(Kind.REPLY, ref=self._ref, payload=dump(value, "reply"))
        self.drop()
        return is_sent

    def fail(self, error: BaseException) -> bool:
        """Make the caller raise ``error``; False as for answer."""
        link = self._link
        if link is None:
            return False
        is_sent = link.post_error(self._ref, error)
        self.drop()
        return is_sent

    def down(self, result: Result, error: BaseException | None) -> bool:
        """Tell the caller that the process has ended; False as for answer."""
        link = self._link
        if link is None:
            return False
        self.drop()
        return link.post_result(Kind.DOWN, result, ref=self._ref)

    def drop(self) -> None:
        """Forget the caller: it waits no more, or cannot be reached."""
        link, self._link = self._link, None
        if link is None:
            return
        link.callers.pop(self._ref, None)
        if self._process.waiters is not None:
            self._process.waiters.pop(self, None)  # type: ignore[call-overload]
