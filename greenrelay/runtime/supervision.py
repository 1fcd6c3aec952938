"""Supervisors: processes that keep other processes alive.

Source: Processes, "Supervision". Theory: a supervisor never waits for a child. Each child has a
record with what is wanted of it: ``due_at`` says when it is to start; ``to_stop`` has those that
are to end. Whatever arrives (an EXIT, a command, CANCEL, a deadline) changes records only; then
``_advance`` does what may be done now: it asks children to stop, the last started first, and
starts those that are due and whose requirements have started. So a child that takes its time
to stop, or to come back, holds nobody up but those that depend on it, and the EXIT of a child that
is to stop anyway is no failure: it restarts nothing a second time.

Each child is linked and monitored. The supervisor traps links: a LINK_DOWN that follows the EXIT
of a child says nothing new, any other one is from whoever started the supervisor, and ends it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from random import random

from greenrelay.core.events import CLEAN_REASONS, SHUTDOWN, Cancel, Event, Exit, LinkDown
from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.core.restart import Backoff
from greenrelay.core.strategy import (
    STRATEGIES,
    Child,
    ChildInfo,
    ChildState,
    Intensity,
    affected,
    in_start_order,
)
from greenrelay.durations import parse_duration
from greenrelay.errors import NodeStopped, Timeout
from greenrelay.runtime.child_command import Commands
from greenrelay.runtime.children import Children
from greenrelay.runtime.current import require_process
from greenrelay.runtime.member import FIRST_LOOK, Member, answer
from greenrelay.runtime.messaging import receive
from greenrelay.runtime.relations import exit, set_options

log = logging.getLogger("greenrelay.runtime")
TOO_MANY_RESTARTS = "too_many_restarts"


class Supervisor:
    """What to spawn to keep ``children`` alive: ``spawn_linked(Supervisor([Child(…), …]))``.

    ``strategy`` says who restarts when one has to: it alone (``one_for_one``), all
    (``one_for_all``), it and those after it (``rest_for_one``); ``dynamic`` is one_for_one for
    children that come and go. More than ``max_restarts`` (None: no limit) within ``window`` ends
    the children and then the supervisor, with reason ``too_many_restarts``. Children stop one by
    one in reverse; with ``parallel`` those that do not require each other stop together.
    ``board`` is a dictionary the state of each child is written to. Raises ValueError, and
    TypeError for what is no Child.

    It answers ``call(supervisor, topic, payload)``:

    - ``start_child`` (a Child): its PID. What spawn raises is raised in the caller, and a
      ValueError if its id is taken or what it requires has not started; then nothing is kept.
    - ``terminate_child`` (an id or PID): True once it has ended, False if there is none. It comes
      back by ``restart_child`` only; a ``dynamic`` one is forgotten.
    - ``restart_child`` (the id of one that is over): its new PID. LookupError if there is none,
      ValueError if it is alive or comes back by itself.
    - ``delete_child`` (the id of one that is over): True once it is forgotten, False if there is
      none. ValueError if it is alive, comes back by itself or is required by another.
    - ``which_children``: a tuple of ChildInfo. ``count_children``: how many are in each state.
    """

    def __init__(
        self,
        children: Iterable[Child] = (),
        strategy: str = "one_for_one",
        max_restarts: int | None = 3,
        window: float | str = "5s",
        *,
        parallel: bool = False,
        board: dict[str, ChildInfo] | None = None,
    ) -> None:
        if strategy not in STRATEGIES:
            raise ValueError(f"strategy is {strategy!r}; it must be one of {', '.join(STRATEGIES)}")
        if max_restarts is not None and (
            not isinstance(max_restarts, int) or isinstance(max_restarts, bool) or max_restarts < 0
        ):
            raise ValueError(
                f"max_restarts is {max_restarts!r}; it must be a whole number from 0 on, or None "
                "for no limit"
            )
        self.children = in_start_order(children)
        self.strategy = strategy
        self.max_restarts = max_restarts
        self.window = parse_duration(window)
        self.parallel = parallel or strategy == "dynamic"
        self.board = board

    def __repr__(self) -> str:
        ids = ", ".join(child.id for child in self.children)
        return f"Supervisor([{ids}], {self.strategy!r})"

    def __call__(self) -> None:
        """Supervise, in the process that calls this, until it is cancelled."""
        _Run(self).run()


class _Run:
    """One run of a supervisor, in one process."""

    def __init__(self, plan: Supervisor) -> None:
        process = require_process("Supervisor")
        self.plan = plan
        self.pid = process.pid
        self.timers = process.node.timers
        self.children = Children(plan, process)
        self.commands = Commands(self.children)
        self.intensity = Intensity(plan.max_restarts, plan.window)
        self.ending: str | None = None
        self.last_exit: Pid | str | None = None

    def run(self) -> None:
        set_options(trap_links=True)
        self.children.node.supervisors[self.pid] = self.children
        for child in self.plan.children:
            member = Member(child, Backoff(child.policy))
            self.children.add(member)
            self.children.schedule(member, self.children.now)
            self.children.show(member)
        try:
            self._advance()
            while self.ending is None or self.children.by_pid:
                self._wait()
                self._advance()
        finally:
            self.children.node.supervisors.pop(self.pid, None)
            self.children.let_go()
        exit(self.ending)

    def _wait(self) -> None:
        until = self.children.next_time()
        # Never 0, which would not wait: the others have to run.
        timeout = None if until is None else max(FIRST_LOOK, until - self.timers.now())
        try:
            item = receive(timeout=timeout)
        except Timeout:
            return
        if isinstance(item, Message):
            self.commands.obey(item, self.ending)
        else:
            self._event(item)

    def _event(self, event: Event) -> None:
        match event:
            case Exit(pid, result):
                self.last_exit = pid
                self._ended(pid, result.reason)
            case LinkDown(pid, result):
                if pid != self.last_exit:
                    self._end(result.reason)
            case Cancel():
                self._end(SHUTDOWN)

    def _end(self, reason: str) -> None:
        if self.ending is not None:
            return
        self.ending = reason
        for member in self.children.members.values():
            member.due_at = None
            if member.pid is not None:
                self.children.must_stop(member)

    # what may be done now

    def _advance(self) -> None:
        self.children.now = self.timers.now()
        self.children.look_around()
        self._start_some()
        self.children.stop_some()

    def _start_some(self) -> None:
        """Start what is due, in start order, unless a group is still stopping."""
        is_group = self.plan.strategy in ("one_for_all", "rest_for_one")
        if is_group and self.children.to_stop:
            return
        for member in self.children.due():
            if self.ending is not None or (is_group and self.children.to_stop):
                return
            # What failed before it in this loop may have put it off.
            if self.children.is_due(member):
                self._try_to_start(member)

    def _try_to_start(self, member: Member) -> None:
        try:
            self.children.start(member)
        except NodeStopped:
            self._end(SHUTDOWN)
        except Exception as error:
            member.reason = f"{type(error).__name__}: {error}"
            self._failed(member, uptime=0.0)

    # what has happened

    def _ended(self, pid: Pid | str, reason: str) -> None:
        member, was_told = self.children.gone(pid, reason)
        if member is None:
            return
        if not was_told:
            assert member.started_at is not None
            self._failed(member, uptime=self.timers.now() - member.started_at)
            return
        member.state = ChildState.STOPPED
        log.log(self.children.log_level, "%s: %s stopped (%s)", self.pid, member.child.id, reason)
        self.children.show(member)
        callers, member.callers = member.callers, []
        for message in callers:
            answer(message, True)
        self.children.forget(member)

    def _failed(self, member: Member, uptime: float) -> None:
        """Decide what becomes of a child that has ended by itself or could not be started."""
        key, reason = member.child.id, member.reason
        is_normal = reason in CLEAN_REASONS
        member.state = ChildState.EXITED if is_normal else ChildState.FAILED
        self.children.show(member)
        if not member.child.policy.wants_restart(is_normal):
            log.log(self.children.log_level, "%s: %s ended: %s", self.pid, key, reason)
            self.children.forget(member)
            return
        delay = member.backoff.next_delay(uptime, random())
        if delay is None:
            log.error("%s: %s failed for good: %s", self.pid, key, reason)
            member.state = ChildState.FAILED
            self.children.show(member)
            self.children.forget(member)
            return
        now = self.timers.now()
        if self.intensity.is_exceeded_by(now):
            log.error("%s: too many restarts; the last was %s: %s", self.pid, key, reason)
            self._end(TOO_MANY_RESTARTS)
            return
        log.warning("%s: %s ended (%s); again in %.1f s", self.pid, key, reason, delay)
        self.children.schedule(member, now + delay)
        for other in affected(self.plan.strategy, tuple(self.children.members), key):
            self._restart_with(member, self.children.members[other])

    def _restart_with(self, failed: Member, other: Member) -> None:
        assert failed.due_at is not None
        if other is failed or other.child.id in self.children.to_stop:
            return
        if other.pid is not None:
            self.children.must_stop(other)
            if other.child.policy.policy == "temporary":
                return
        elif other.due_at is None:
            return
        self.children.schedule(other, max(other.due_at or 0.0, failed.due_at))
