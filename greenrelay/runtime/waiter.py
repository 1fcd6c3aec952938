"""What a process blocks on when it has asked another for something.

Source: Processes, "Functions", rows call and exec. A Waiter is the reply slot of a call and the
monitor of its target in one: whichever comes first, the answer or the ending, wakes the caller,
and what comes after that is dropped and never seen by a later call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType, TracebackType

from greenrelay.core.events import Result
from greenrelay.core.pid import Pid
from greenrelay.errors import ProcessFailed

# The module whose call() raises the error that it is answered with.
RAISES_ANSWERS = "greenrelay.runtime.messaging"


class Waiter:
    """One answer, or the news that the other process has ended."""

    __slots__ = ("error", "is_done", "result", "until", "value", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake: Callable[[], object] | None = wake
        self.is_done = False
        # When its caller gives up, on the clock of the node; below 0, never.
        self.until = -1.0
        self.value: object = None
        self.error: BaseException | None = None
        self.result: Result | None = None

    def answer(self, value: object) -> bool:
        """Hand over the reply; False when the caller has it already or has given up."""
        return self._finish(value, None, None)

    def answer_nothing(self) -> None:
        """Let the caller go on; the same as an answer of None."""
        self._finish(None, None, None)

    def fail(self, error: BaseException) -> bool:
        """Make the caller raise ``error``; False as for answer."""
        return self._finish(None, error, None)

    def down(self, result: Result, error: BaseException | None) -> bool:
        """Tell the caller that the process it waits for has ended; False as for answer."""
        return self._finish(None, error, result)

    def drop(self) -> None:
        """Take no answer any more."""
        self.wake = None

    def _finish(self, value: object, error: BaseException | None, result: Result | None) -> bool:
        wake, self.wake = self.wake, None
        if wake is None:
            return False
        self.value = value
        self.error = error
        self.result = result
        self.is_done = True
        wake()
        return True


def value_of(waiter: Waiter, pid: Pid) -> object:
    """Return what the awaited process ``pid`` returned, or raise what ended it."""
    result = waiter.result
    assert result is not None
    if result.error is None:
        return result.value
    failure = ProcessFailed(pid, result.reason, result.error.traceback)
    if isinstance(waiter.error, Exception):
        raise waiter.error from failure
    raise failure


def cut_traceback(error: BaseException) -> None:
    """Let ``error`` have no entries of those it has been raised in as an answer before.

    An error that is kept and answered to many calls would get those of each caller, with all that
    their frames hold. What the running code itself has just caught stays as it is.
    """
    traceback = error.__traceback__
    if traceback is None or _is_running(traceback.tb_frame):
        return
    own: TracebackType | None = traceback
    while traceback is not None:
        if traceback.tb_frame.f_globals.get("__name__") == RAISES_ANSWERS:
            own = traceback.tb_next
        traceback = traceback.tb_next
    error.__traceback__ = own


def _is_running(frame: FrameType) -> bool:
    running: FrameType | None = sys._getframe()
    while running is not None and running is not frame:
        running = running.f_back
    return running is frame
