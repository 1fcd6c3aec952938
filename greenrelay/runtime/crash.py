"""How a process ended that let an exception out, and what the log says of it.

Source: Processes, "Endings"; Operations, "Logs and traces" ("a crash is one ERROR with its
traceback, and a crash loop is rate limited").
"""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass
from functools import partial
from types import CoroutineType
from typing import NoReturn

from greenlet import GreenletExit

from greenrelay.core.events import KILLED, ExitError, Result, result_of_reason
from greenrelay.core.pid import Pid
from greenrelay.errors import ProcessExit
from greenrelay.runtime.entry import entry_name
from greenrelay.runtime.timers import Timer, Timers

log = logging.getLogger("greenrelay.runtime")
# Of the crashes of one entry so many are logged within so many seconds.
SHOWN, PERIOD = 10, 60.0
# Of so many entries that crash the log is limited; of others, beyond that, within one limit.
ENTRIES, OTHERS = 100, "other entries"
# No crash of the process that happens to run: the main greenlet gets these.
ENDS_PROGRAM = (KeyboardInterrupt, SystemExit)


def result_of_value(value: object) -> Result:
    """Return how a process ended that returned ``value``; raises TypeError for a coroutine.

    Nobody would run it: a process that seemed to end well would have done nothing.
    """
    if isinstance(value, CoroutineType):
        refuse_coroutine(value)
    return Result(value)


def refuse_coroutine(value: CoroutineType[object, object, object]) -> NoReturn:
    """Raise TypeError for what an ``async def`` has returned."""
    value.close()
    text = f"{value.__qualname__} is `async def`, which no process runs; make it a plain `def`"
    raise TypeError(text)


def result_of_error(
    crashes: Crashes, timers: Timers, pid: Pid, entry: object, error: BaseException
) -> Result:
    """Return how process ``pid``, which ran ``entry``, ended; logs a crash.

    The traceback of ``error`` is kept as text only: the frame that holds an exception and its
    traceback keep each other alive, and all locals. Raises what a log handler raises.
    """
    if isinstance(error, ProcessExit) and isinstance(error.reason, str):
        error.__traceback__ = None
        return result_of_reason(error.reason)
    if isinstance(error, GreenletExit):
        error.__traceback__ = None
        return result_of_reason(KILLED)
    text = "".join(traceback.format_exception(error))
    error.__traceback__ = None
    failure = ExitError(type(error).__name__, _text_of(error), text)
    if not isinstance(error, ENDS_PROGRAM):
        crashes.add(timers, pid, entry_name(entry), text.rstrip())
    return Result(None, failure, str(failure))


@dataclass(slots=True)
class _Count:
    """The crashes of one entry in the period that began with the first of them."""

    begun_at: float
    crashes: int = 0
    # Sums up once some are only counted.
    timer: Timer | None = None


class Crashes:
    """Logs the crashes of one node: of an entry the first few of a period, and then how many."""

    def __init__(self) -> None:
        self._counts: dict[str, _Count] = {}

    def add(self, timers: Timers, pid: Pid, entry: str, text: str) -> None:
        """Log one crash, whose traceback is ``text``, or count it."""
        now = timers.now()
        key = self._key(entry, now)
        count = self._counts.setdefault(key, _Count(now))
        count.crashes += 1
        if count.crashes <= SHOWN:
            fields = {"pid": pid, "entry": entry, "traceback": text}
            log.error("%s (%s) crashed\n%s", pid, entry, text, extra=fields)
        elif count.crashes == SHOWN + 1:
            log.error(
                "%s (%s) crashed again, as it did %d times within %.0f s: more are only counted",
                pid,
                entry,
                SHOWN,
                now - count.begun_at,
                extra={"pid": pid, "entry": entry},
            )
            rest = count.begun_at + PERIOD - now
            count.timer = timers.call_after(rest, partial(self._sum_up, key, PERIOD))

    def sum_up(self, timers: Timers) -> None:
        """Log at the end of the node what was only counted."""
        now = timers.now()
        for key, count in list(self._counts.items()):
            self._sum_up(key, now - count.begun_at)

    def _key(self, entry: str, now: float) -> str:
        """Return under which name ``entry`` is counted; what is counted no longer makes room."""
        found = self._counts.get(entry)
        if found is not None and now - found.begun_at < PERIOD:
            return entry
        over = [key for key, each in self._counts.items() if now - each.begun_at >= PERIOD]
        for key in over:
            self._sum_up(key, PERIOD)
        return entry if len(self._counts) < ENTRIES else OTHERS

    def _sum_up(self, key: str, seconds: float) -> None:
        count = self._counts.pop(key)
        if count.timer is not None:
            count.timer.cancel()
        # The first that was not shown in full has a line of its own.
        unseen = count.crashes - SHOWN - 1
        if unseen > 0:
            fields = {"entry": key, "count": unseen}
            log.error("%s crashed %d times more within %.0f s", key, unseen, seconds, extra=fields)


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"<its text cannot be had: {type(second).__name__}>"
