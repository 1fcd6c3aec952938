"""What happens to a process that was told to end and does not.

Source: Processes, "Endings": a process that refuses to end within the grace period is reported by
PID and stack, and its ending is delivered. Its greenlet cannot be stopped by force; it belongs to
nobody from then on, and each greenrelay call it makes raises ProcessExit.
"""

from __future__ import annotations

import logging
import sys
import traceback
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from greenrelay.core.events import RESULT_KILLED
from greenrelay.runtime.function_process import FunctionProcess

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

log = logging.getLogger("greenrelay.runtime")


class Reaper:
    """The processes of one node that have been told to end, oldest first."""

    __slots__ = ("_due_at", "_is_armed", "_node")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._due_at: dict[FunctionProcess, float] = {}
        self._is_armed = False

    def __len__(self) -> int:
        return len(self._due_at)

    def expect(self, process: FunctionProcess) -> None:
        """Deliver the ending of ``process`` after the grace period, if it has not ended by then."""
        self._due_at[process] = self._node.timers.now() + self._node.grace
        self._arm(self._node.grace)

    def forget(self, process: FunctionProcess) -> None:
        """Expect ``process`` no more: it has ended."""
        self._due_at.pop(process, None)

    def _arm(self, delay: float) -> None:
        if not self._is_armed:
            self._is_armed = True
            self._node.timers.call_after(delay, self._check)

    def _check(self) -> None:
        self._is_armed = False
        now = self._node.timers.now()
        for process, due_at in tuple(self._due_at.items()):
            if due_at > now:
                self._arm(due_at - now)
                return
            if process.signal:
                # A busy run queue has not told it yet; its grace begins when it has.
                del self._due_at[process]
                self.expect(process)
            else:
                self._give_up(process)

    def _give_up(self, process: FunctionProcess) -> None:
        log.error(
            "%s (%s) did not end within %g s of being told to (%s); it runs on as nobody's, at\n%s",
            process.pid,
            process.entry,
            self._node.grace,
            process.exit_reason,
            stack_of(process.greenlet),
        )
        process.finish(process.exit_result or RESULT_KILLED)


def stack_of(target: greenlet | None) -> str:
    """Return the stack of a greenlet as text."""
    if target is None:
        return "  (it has no greenlet)"
    frame = target.gr_frame if target is not getcurrent() else sys._getframe()
    return "".join(traceback.format_stack(frame)).rstrip() if frame else "  (it is not running)"
