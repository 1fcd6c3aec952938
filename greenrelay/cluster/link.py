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

from greenrelay.cluster import bundle, wire
from greenrelay.cluster.bundle import Bundle
from greenrelay.cluster.carried import (
    MAX_SHORT,
    context_of,
    dump_context,
    dump_error,
    dump_result,
    shortened,
)
from greenrelay.cluster.engine import Member
from greenrelay.cluster.handlers import HANDLERS, refused
from greenrelay.cluster.remote import RemoteCaller
from greenrelay.cluster.session import NOT_KNOWN, Session
from greenrelay.cluster.wire import Frame, Kind
from greenrelay.core.events import RESULT_NOCONNECTION, RESULT_NOPROC, Exit, LinkDown, Result
from greenrelay.core.message import NO_CONTEXT, Message, ReplySlot, check_topic
from greenrelay.core.pid import Pid
from greenrelay.errors import EngineError, InboxFull, InvalidPid, UnsendablePayload
from greenrelay.runtime.process import Process
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
        # Those of this node; an attribute less on the way of each message.
        self._processes: dict[str, Process] = mesh.node.processes
        self.is_up = True
        # Calls of this node's processes by their number, and the other way round.
        self.calls: dict[int, Waiter] = {}
        self._refs: dict[Waiter, int] = {}
        self.callers: dict[int, RemoteCaller] = {}
        # Processes of the other node with which one of this has a link or a monitor, or had.
        self._related: dict[Pid, None] = {}
        self._sweep_at = SWEPT_FROM
        self._pids: dict[str, Pid] = {}
        self._send = partial(mesh.engine.send, member.node)
        later = mesh.node.scheduler.loop.run_callback
        self._bundle = Bundle(self._send, later, mesh.count)
        self.session = Session(
            self._transmit,
            mesh.next_epoch,
            opened=self._opened,
            lost=self._lost,
            count=mesh.count,
        )

    def __repr__(self) -> str:
        return f"<Link to {self.member.node}, {len(self.session)} frames kept>"

    # out

    def _transmit(self, frame: bytes) -> bool:
        if self.session.reads_bundles:
            return self._bundle.add(frame)
        return self._send(frame)

    def flush(self) -> None:
        """Send what waits to go out, as far as the engine takes it."""
        self.session.pump()
        self._bundle.flush()

    def tick(self, now: float) -> bool:
        """Do what is due at a tick; False when nothing is to be done at the next one."""
        is_busy = self.session.tick(now)
        return not self._bundle.flush() or is_busy

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

    def post_rest(self, kind: int, rest: bytes) -> bool:
        """Send a frame as post does, of which several nodes get all but the head."""
        if not self.is_up:
            return False
        self.session.post_rest(kind, rest)
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
        """Send a message; False without a link.

        Raises InboxFull, UnsendablePayload, and EngineError for one that is too large for it.
        """
        if not self.is_up:
            return False
        if self.session.is_full:
            self.mesh.count("ring_full")
            if len(self.session) < self.session.max_frames:
                rule = "the number of bytes that may be on the way to its node"
                raise InboxFull(to, self.session.max_bytes, rule)
            rule = "the number of frames that may be on the way to its node"
            raise InboxFull(to, self.session.max_frames, rule)
        carried = None if context is NO_CONTEXT or not context else self._dump_context(context)
        # The encoder takes text only, and of a PID only by a detour.
        source = "" if sender is None else str(sender)
        if type(topic) is not str:
            topic = wire.exact(topic)
        if slot is None:
            return self.post(_MESSAGE, to, source, topic, 0, carried, payload)
        assert isinstance(slot, Waiter), "call() waits on a Waiter"
        ref = self.expect(slot)
        try:
            return self.post(_MESSAGE, to, source, topic, ref, carried, payload)
        except BaseException:
            # Also what code of the user raises, such as a time zone's.
            self.forget(ref)
            raise

    def send_surely(self, to: str, message: Message) -> bool:
        """Send a message that no limit may refuse, here or there."""
        context = message.context
        carried = None if not context else self._dump_context(context)
        source = str(message.sender or "")
        sure = Kind.SURE_MESSAGE
        return self.post(sure, to, source, message.topic, 0, carried, message.payload)

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

    @property
    def their_epoch(self) -> int:
        """The epoch of the other side, as LINK and SPAWN name it: NOT_KNOWN before its HELLO."""
        return self.session.remote or NOT_KNOWN

    def is_of_now(self, epoch: int) -> bool:
        """Whether the other side means this session by ``epoch``, or knew of none before."""
        session = self.session
        return epoch == session.epoch or (epoch == NOT_KNOWN and session.is_first)

    def post_result(
        self, kind: int, result: Result, to: str = "", sender: str = "", ref: int = 0
    ) -> bool:
        """Tell how a process ended; its value stays behind where the frame would be too large."""
        try:
            return self.post(kind, to, sender, ref=ref, payload=self.dump_result(result))
        except (UnsendablePayload, EngineError):
            self.mesh.count("result_left_behind")
            payload = self.dump_result(shortened(result))
            return self.post(kind, to, sender, ref=ref, payload=payload)

    def post_error(self, ref: int, error: BaseException) -> bool:
        """Tell what a call or question is to raise, without what makes the frame too large."""
        try:
            return self.post(Kind.FAILURE, ref=ref, payload=dump_error(error))
        except (UnsendablePayload, EngineError):
            return self.post(Kind.FAILURE, ref=ref, payload=dump_error(error, MAX_SHORT))

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
        for frame in bundle.read(data):
            if isinstance(frame, str):
                self._pass_by(frame)
            else:
                self._take(frame)
        if not self.mesh.is_armed:
            self.mesh.arm()

    def _pass_by(self, why: str) -> None:
        self.mesh.count(str(why))
        if isinstance(why, wire.Unknown) and why.head is not None:
            # Its number is taken, or nothing after it would be.
            self.session.receive(why.head)

    def _take(self, frame: Frame) -> None:
        if not self.session.receive(frame):
            return
        kind = frame.kind
        try:
            if kind == _MESSAGE:
                self._on_message(frame)
            else:
                HANDLERS[kind](self, frame)
        except ValueError as error:
            self.mesh.count("bad_frame")
            log.debug("%s: a frame of kind %d: %s", self.member.node, kind, error)
        except Exception:
            self.mesh.count("failed")
            log.exception("%s: a frame of kind %d failed", self.member.node, kind)

    def _on_message(self, frame: Frame) -> None:
        """Hand a message, or with a number a call, to the process it is for.

        It is here and not among the handlers, as most frames are messages.
        """
        process = self._processes.get(frame.to)
        ref = frame.ref
        if process is None:
            self._nobody(ref)
            return
        topic = frame.topic
        if not topic or topic[0] == "@":
            check_topic(topic)
        context = context_of(frame) if frame.context else NO_CONTEXT
        sender = self.pid(frame.sender) if frame.sender else None
        payload = wire.load(frame.payload)
        caller = RemoteCaller(self, ref, process) if ref else None
        try:
            taken = process.post(topic, payload, sender, context, caller)
        except Exception as error:
            refused(self, process, caller, error)
            return
        if not taken and caller is not None:
            caller.down(RESULT_NOPROC, None)

    def _nobody(self, ref: int) -> None:
        if ref:
            self.post(Kind.DOWN, ref=ref, payload=self.dump_result(RESULT_NOPROC))
        else:
            self.mesh.count("no_process")

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
        self._bundle.clear()

    def drop(self) -> None:
        """Be no more, of a node that has no processes any more."""
        self._related.clear()
        self.close()

    def _opened(self) -> None:
        self.mesh.groups.announce_to(self)

    def _lost(self) -> None:
        mesh = self.mesh
        if self.is_up:
            why = "frames were lost, so what they have of each other ends with noconnection"
            log.warning("%s and %s: %s", mesh.node.id, self.member.node, why)
        related, self._related = self._related, {}
        calls, self.calls = self.calls, {}
        self._refs.clear()
        for pid in related:
            self._end_relations(pid)
        for waiter in calls.values():
            waiter.down(RESULT_NOCONNECTION, None)
        for caller in tuple(self.callers.values()):
            caller.drop()

    def _end_relations(self, pid: Pid) -> None:
        """Tell of a process there as of an ending, before anything else comes of it.

        At once, and not by the supervisor: when its turn came, the process could have new links
        and monitors, of the session that follows, and those would end with the old ones.
        """
        node = self.mesh.node
        fired, linked = node.topology.ended(pid)
        for ref in fired:
            self._tell(ref.watcher, Exit(pid, RESULT_NOCONNECTION, ref))
        for other in linked:
            self._tell(other, LinkDown(pid, RESULT_NOCONNECTION))

    def _tell(self, pid: Pid, event: Exit | LinkDown) -> None:
        process = self._processes.get(pid)
        if process is None:
            return
        try:
            process.deliver_event(event)
        except Exception:
            self.mesh.count("failed")
            log.exception("%s: taking %s failed", pid, event.kind)
