"""What a process blocks on when it has asked another for something.

Source: Processes, "Functions", rows call and exec. A Waiter is the reply slot of a call and the
monitor of its target in one: whichever comes first, the answer or the ending, wakes the caller,
and what comes after that is dropped and never seen by a later call.
"""

from __future__ import annotations

from collections.abc import Callable

from greenrelay.core.events import Result
from greenrelay.core.pid import Pid
from greenrelay.errors import ProcessFailed


class Waiter:
    """One answer, or the news that the other process has ended."""

    __slots__ = ("error", "is_done", "result", "value", "wake")

    def __init__(self, wake: Callable[[], object]) -> None:
        self.wake: Callable[[], object] | None = wake
        self.is_done = False
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
