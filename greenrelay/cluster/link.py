"""The link to one other node: its session, and what of this node hangs on it.

Source: Cluster, "What changes for a program", "Promises" and "Rules". What comes in is decoded and
appended, never waited for and never raised; ``handlers.py`` says what each frame does. What goes
out is bounded by the session's ring: a message is refused with InboxFull, and news that may not be
refused ends the session when even that is too much.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from greenrelay.cluster.engine import Member
from greenrelay.cluster.handlers import HANDLERS
from greenrelay.cluster.remote import Remote, RemoteCaller
from greenrelay.cluster.session import Session
from greenrelay.cluster.wire import Kind, dump, dump_context, dump_result, read_frame
from greenrelay.core.events import RESULT_NOCONNECTION, Result
from greenrelay.core.message import NO_CONTEXT, Message, ReplySlot
from greenrelay.core.pid import Pid
from greenrelay.errors import InboxFull, InvalidPid, UnsendablePayload
from greenrelay.runtime.waiter import Waiter

if TYPE_CHECKING:
    from greenrelay.cluster.mesh import Mesh

log = logging.getLogger("greenrelay.cluster")
KNOWN_PIDS = 4096
_MESSAGE = int(Kind.MESSAGE)
# A table that may hold more than is in use is looked through from this size on.
SWEPT_FROM = 64


class Link:
    """The link of this node to the one that ``member`` is."""

    def __init__(self, mesh: Mesh, member: Member) -> None:
        self.mesh = mesh
        self.member = member
        self.is_up = True
        # Calls of this node's processes by their number, and the other way round.
        self.calls: dict[int, Waiter] = {}
        self._refs: dict[Waiter, int] = {}
        self.callers: dict[int, RemoteCaller] = {}
        # Processes of the other node with which one of this has a link or a monitor, or had.
        self._related: dict[Pid, None] = {}
        self._sweep_at = SWEPT_FROM
        self._pids: dict[str, Pid] = {}
        self.session = Session(
            partial(mesh.engine.send, member.node),
            mesh.next_epoch,
            opened=self._opened,
            lost=self._lost,
            count=mesh.count,
        )

    def __repr__(self) -> str:
        return f"<Link to {self.member.node}, {len(self.session)} frames kept>"

    # out

    def post(
        self,
        kind: int,
        to: str = "",
        sender: str = "",
        topic: str = "",
        ref: int = 0,
        context: object = None,
        payload: object = None,
    ) -> bool:
        """Send a frame that may not be refused; False without a link."""
        if not self.is_up:
            return False
        self.session.post(kind, to, sender, topic, ref, context, payload)
        if not self.mesh.is_armed:
            self.mesh.arm()
        return True

    def send(
        self,
        to: str,
        topic: str,
        payload: object,
        sender: Pid | None,
        context: Mapping[str, object],
        slot: ReplySlot | None,
    ) -> bool:
        """Send a message; False without a link. Raises InboxFull, UnsendablePayload."""
        if not self.is_up:
            return False
        if self.session.is_full:
            self.mesh.count("ring_full")
            raise InboxFull(to, self.session.max_frames, "the number of frames on the way there")
        raw = dump(payload)
        carried = None if context is NO_CONTEXT or not context else self._dump_context(context)
        source = "" if sender is None else str(sender)
        if slot is None:
            # What post does, without the way there: most frames go out here.
            self.session.post(_MESSAGE, to, source, topic, 0, carried, raw)
            if not self.mesh.is_armed:
                self.mesh.arm()
            return True
        assert isinstance(slot, Waiter), "call() waits on a Waiter"
        ref = self.expect(slot)
        try:
            return self.post(Kind.MESSAGE, to, source, topic, ref, carried, raw)
        except UnsendablePayload:
            self.forget(ref)
            raise

    def send_surely(self, to: str, message: Message) -> bool:
        """Send a message that no limit may refuse, here or there."""
        context = message.context
        carried = None if not context else self._dump_context(context)
        source = str(message.sender or "")
        raw = dump(message.payload)
        return self.post(Kind.SURE_MESSAGE, to, source, message.topic, 0, carried, raw)

    def when_room(self, function: Callable[[], object]) -> None:
        """Call ``function`` once when the ring is half empty, or the link is no more."""
        if self.is_up and self.session.is_full:
            self.session.room_waiters.append(function)
        else:
            function()

    def expect(self, waiter: Waiter) -> int:
        """Return the number under which the other node answers ``waiter``."""
        ref = self.mesh.next_ref()
        self.calls[ref] = waiter
        self._refs[waiter] = ref
        return ref

    def forget(self, ref: int) -> Waiter | None:
        """Expect that answer no more; return who waited for it."""
        waiter = self.calls.pop(ref, None)
        if waiter is not None:
            del self._refs[waiter]
        return waiter

    def hang_up(self, waiter: Waiter) -> None:
        """Tell the other node that nobody waits for an answer."""
        ref = self._refs.get(waiter)
        if ref is not None:
            self.forget(ref)
            self.post(Kind.HANG_UP, ref=ref)

    def relate(self, pid: Pid) -> None:
        """Note that a process of the other node has a relation with one of this."""
        related = self._related
        related[pid] = None
        if len(related) > self._sweep_at:
            concerns = self.mesh.node.topology.concerns
            self._related = {each: None for each in related if concerns(each)}
            self._sweep_at = max(SWEPT_FROM, 2 * len(self._related))

    def dump_result(self, result: Result) -> object:
        """Return how a process ended, as it travels."""
        raw, is_short = dump_result(result)
        if is_short:
            self.mesh.count("result_left_behind")
        return raw

    def _dump_context(self, context: Mapping[str, object]) -> object:
        raw, left = dump_context(context)
        if left:
            self.mesh.count("context_left_behind", left)
        return raw

    # in

    def on_frame(self, data: bytes) -> None:
        """Take in what the engine has brought; raises nothing."""
        mesh = self.mesh
        frame = read_frame(data)
        if isinstance(frame, str):
            mesh.count(frame)
            return
        is_next = self.session.receive(frame)
        if not mesh.is_armed:
            mesh.arm()
        if not is_next:
            return
        try:
            HANDLERS[frame.kind](self, frame)
        except ValueError as error:
            mesh.count("bad_frame")
            log.debug("%s: a frame of kind %d: %s", self.member.node, frame.kind, error)
        except Exception:
            mesh.count("failed")
            log.exception("%s: a frame of kind %d failed", self.member.node, frame.kind)

    def pid(self, text: str) -> Pid:
        """Return a PID of the other node; raises InvalidPid for one of a third, or none."""
        pid = self._pids.get(text)
        if pid is None:
            pid = Pid.parse(text)
            if pid.node != self.member.node:
                raise InvalidPid(text, f"it is none of {self.member.node}, which says it is")
            if len(self._pids) >= KNOWN_PIDS:
                self._pids.clear()
            self._pids[text] = pid
        return pid

    # life

    def close(self) -> None:
        """Be no more: everybody who has a relation over this link hears ``noconnection``."""
        self.is_up = False
        self._lost()
        self.session.close()

    def drop(self) -> None:
        """Be no more, of a node that has no processes any more."""
        self._related.clear()
        self.close()

    def _opened(self) -> None:
        self.mesh.groups.announce_to(self)

    def _lost(self) -> None:
        mesh = self.mesh
        related, self._related = self._related, {}
        calls, self.calls = self.calls, {}
        self._refs.clear()
        for pid in related:
            # The supervisor tells of it as of an ending, in the order of all endings.
            mesh.node.supervisor.report(Remote(self, pid), RESULT_NOCONNECTION, None)
        for waiter in calls.values():
            waiter.down(RESULT_NOCONNECTION, None)
        for caller in tuple(self.callers.values()):
            caller.drop()
