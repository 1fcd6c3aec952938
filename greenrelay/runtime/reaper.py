"""What happens to a process that was told to end and does not.

Source: Processes, "Endings": a process that refuses to end within the grace period is reported by
PID and stack, and its ending is delivered. Its greenlet cannot be stopped by force; it belongs to
nobody from then on, and each greenrelay call it makes raises ProcessExit.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from greenlet import getcurrent, greenlet

from greenrelay.core.events import RESULT_KILLED
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.scheduler import DEAD

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

log = logging.getLogger("greenrelay.runtime")


class Reaper:
    """The processes of one node that have been told to end, oldest first."""

    __slots__ = ("_expected", "_node")

    def __init__(self, node: Node) -> None:
        self._node = node
        self._expected: deque[tuple[float, FunctionProcess]] = deque()

    def expect(self, process: FunctionProcess) -> None:
        """Deliver the ending of ``process`` after the grace period, if it has not ended by then."""
        self._expected.append((monotonic() + self._node.grace, process))
        if len(self._expected) == 1:
            self._node.timers.call_after(self._node.grace, self._check)

    def _check(self) -> None:
        expected = self._expected
        now = monotonic()
        while expected and (expected[0][1].state == DEAD or expected[0][0] <= now):
            process = expected.popleft()[1]
            if process.state != DEAD:
                self._give_up(process)
        if expected:
            self._node.timers.call_after(expected[0][0] - now, self._check)

    def _give_up(self, process: FunctionProcess) -> None:
        log.error(
            "%s (%s) did not end within %g s of being told to (%s); it runs on as nobody's, at\n%s",
            process.pid,
            process.entry,
            self._node.grace,
            process.exit_reason,
            stack_of(process.greenlet),
        )
        self._node.ended(process, process.exit_result or RESULT_KILLED)


def stack_of(target: greenlet | None) -> str:
    """Return the stack of a greenlet as text."""
    if target is None:
        return "  (it has no greenlet)"
    frame = target.gr_frame if target is not getcurrent() else sys._getframe()
    return "".join(traceback.format_stack(frame)).rstrip() if frame else "  (it is not running)"
