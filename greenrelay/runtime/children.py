"""The children of one running supervisor: who is alive, who is to start and who is to stop.

Source: Processes, "Supervision". What becomes of them is decided in ``supervision.py``; here it is
done, as far as it may be done now. Nothing here waits.
"""

from __future__ import annotations

import heapq
import logging
import math
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from greenrelay.core.events import SHUTDOWN, Cancel
from greenrelay.core.pid import Pid
from greenrelay.core.strategy import Child, ChildInfo, ChildState, may_stop
from greenrelay.durations import parse_duration
from greenrelay.runtime.member import FIRST_LOOK, RAREST_LOOK, Member
from greenrelay.runtime.messaging import spawn_linked_monitored
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import WAITING

if TYPE_CHECKING:
    from greenrelay.runtime.supervision import Supervisor

log = logging.getLogger("greenrelay.runtime")


class Children:
    """The records of the children of ``process``, which runs ``plan``.

    ``members`` has all of them in start order, ``waiting`` those that are to start,
    ``looks`` when to see who has started, and ``to_stop`` those that are alive and have to end, of
    which ``last`` has the last started first. ``now`` is the time of the present step.
    """

    def __init__(self, plan: Supervisor, process: Process) -> None:
        self.plan = plan
        self.node = process.node
        self.pid = process.pid
        self.now = process.node.timers.now()
        self.members: dict[str, Member] = {}
        self.by_pid: dict[Pid, Member] = {}
        self.waiting: dict[str, Member] = {}
        # A heap; an entry is void unless its time is the ``look_at`` of its member.
        self.looks: list[tuple[float, int, Member]] = []
        self._numbers = count()
        self.to_stop: dict[str, Member] = {}
        # A heap of numbers, below 0, and ids; an entry whose id is not in ``to_stop`` is void.
        self.last: list[tuple[int, str]] = []
        # How many of ``to_stop`` have not been asked to yet.
        self.unasked = 0
        self.log_level = logging.DEBUG if plan.strategy == "dynamic" else logging.INFO

    def add(self, member: Member) -> None:
        """Know one more child, the last; one that had its id before loses its place."""
        member.number = next(self._numbers)
        self.members.pop(member.child.id, None)
        self.members[member.child.id] = member

    def infos(self) -> tuple[ChildInfo, ...]:
        """Return what is to be seen of all children now, in start order."""
        return tuple(member.info() for member in self.members.values())

    def next_time(self) -> float | None:
        """Return when there is something to do again, or None when only an event can tell."""
        times = [each.due_at for each in self.waiting.values() if each.due_at is not None]
        times = [time for time in times if time > self.now]
        if self.looks:
            times.append(self.looks[0][0])
        return min(times, default=None)

    def look_around(self) -> None:
        """See which children have started."""
        while self.looks and self.looks[0][0] <= self.now:
            look_at, _, member = heapq.heappop(self.looks)
            if member.look_at == look_at:
                self._look(member)

    def due(self) -> list[Member]:
        """Return the children that may start now, in start order."""
        due = {key for key, member in self.waiting.items() if self.is_due(member)}
        if len(due) < 2:
            return [self.members[key] for key in due]
        return [member for key, member in self.members.items() if key in due]

    def gone(self, pid: Pid | str, reason: str) -> tuple[Member | None, bool]:
        """Note that ``pid`` has ended; return whose it was and whether it had been told to."""
        member = self.by_pid.pop(pid, None)  # type: ignore[arg-type]
        if member is None:
            return None, False
        self.node.supervised.pop(pid, None)  # type: ignore[arg-type]
        member.pid = member.look_at = None
        member.reason = reason
        if member.kill is not None:
            member.kill.cancel()
            member.kill = None
        if self.to_stop.pop(member.child.id, None) is None:
            return member, False
        self.unasked -= member.state is not ChildState.STOPPING
        return member, True

    def schedule(self, member: Member, due_at: float) -> None:
        """Let ``member`` start at ``due_at``."""
        member.due_at = due_at
        self.waiting[member.child.id] = member

    def must_stop(self, member: Member) -> None:
        """Let ``member``, which is alive, end when its turn has come."""
        if member.child.id not in self.to_stop:
            self.to_stop[member.child.id] = member
            if not self.plan.parallel:
                heapq.heappush(self.last, (-member.number, member.child.id))
            self.unasked += 1

    def stop_some(self) -> None:
        """Ask those to stop whose turn it is."""
        if not self.unasked:
            return
        for key in self._may_stop():
            if self.to_stop[key].state is not ChildState.STOPPING:
                self._stop(self.to_stop[key])

    def _may_stop(self) -> list[str]:
        if self.plan.parallel:
            return may_stop({key: each.child.requires for key, each in self.to_stop.items()})
        while self.last:
            key = self.last[0][1]
            if key in self.to_stop:
                return [key]
            heapq.heappop(self.last)
        return []

    def _stop(self, member: Member) -> None:
        pid, shutdown = member.pid, member.child.shutdown
        assert pid is not None, "what must stop is alive"
        self.unasked -= 1
        member.state, member.look_at = ChildState.STOPPING, None
        self.show(member)
        process = self.node.processes.get(pid)
        if process is None:
            # It has ended already; its EXIT is on the way.
            return
        seconds = math.inf if shutdown is None else parse_duration(shutdown)
        if seconds == 0:
            self.node.terminate(pid)
            return
        if shutdown is not None:
            kill = partial(self._kill_late, member.child.id, pid, seconds)
            member.kill = self.node.timers.call_after(seconds, kill)
        self.node.on_hub(process.deliver_event, Cancel(self.pid, SHUTDOWN, seconds))

    def _kill_late(self, key: str, pid: Pid, seconds: float) -> None:
        log.warning(
            "%s: %s (%s) was asked to end and is killed after %g s", self.pid, key, pid, seconds
        )
        self.node.terminate(pid)

    def is_due(self, member: Member) -> bool:
        """Whether ``member`` may start now."""
        return (
            member.due_at is not None
            and member.due_at <= self.now
            and member.pid is None
            and self.has_requirements(member.child)
        )

    def has_requirements(self, child: Child) -> bool:
        """Whether all that ``child`` requires has started."""
        started = (ChildState.RUNNING, ChildState.EXITED)
        return all(
            key in self.members and self.members[key].state in started for key in child.requires
        )

    def start(self, member: Member) -> None:
        """Start ``member`` now; raises what spawn raises."""
        child = member.child
        member.due_at = None
        self.waiting.pop(child.id, None)
        pid = spawn_linked_monitored(child.entry, *child.args, host=child.host, name=child.name)
        member.restarts += member.started_at is not None
        member.started_at = self.node.timers.now()
        member.pid, member.state = pid, ChildState.STARTING
        self.by_pid[pid] = member
        self._look_at(member, member.started_at, FIRST_LOOK)
        self.node.supervised[pid] = self
        log.log(self.log_level, "%s: %s started as %s", self.pid, child.id, pid)
        self.show(member)

    def _look_at(self, member: Member, now: float, step: float) -> None:
        member.look_step, member.look_at = step, now + step
        heapq.heappush(self.looks, (member.look_at, next(self._numbers), member))

    def _look(self, member: Member) -> None:
        assert member.started_at is not None
        assert member.pid is not None
        process = self.node.processes.get(member.pid)
        member.look_at = None
        if process is None:
            return
        age = self.now - member.started_at
        if process.state != WAITING:
            if age < parse_duration(member.child.start_timeout):
                self._look_at(member, self.now, min(member.look_step * 2, RAREST_LOOK))
                return
            log.debug("%s: %s has waited for no message yet", self.pid, member.child.id)
        member.state = ChildState.RUNNING
        self.show(member)

    def forget(self, member: Member) -> None:
        """Drop a child that is over, where children come and go."""
        # Children that come and go would fill the table otherwise.
        if self.plan.strategy == "dynamic" and member.due_at is None:
            self.drop(member)

    def drop(self, member: Member) -> None:
        """Know a child that is over no more."""
        self.members.pop(member.child.id, None)
        self.waiting.pop(member.child.id, None)
        if self.plan.board is not None:
            self.plan.board.pop(member.child.id, None)

    def show(self, member: Member) -> None:
        """Write the state of ``member`` to the board."""
        if self.plan.board is not None:
            self.plan.board[member.child.id] = member.info()

    def let_go(self) -> None:
        """Kill what is left, when this process has been killed; it may trap links."""
        for pid, member in self.by_pid.items():
            self.node.supervised.pop(pid, None)
            if member.kill is not None:
                member.kill.cancel()
            member.pid, member.state = None, ChildState.STOPPED
            self.show(member)
            self.node.terminate(pid)
