"""How a process ended that let an exception out.

Source: Processes, "Endings".
"""

from __future__ import annotations

import logging
import traceback

from greenlet import GreenletExit

from greenrelay.core.events import KILLED, ExitError, Result, result_of_reason
from greenrelay.core.pid import Pid
from greenrelay.errors import ProcessExit
from greenrelay.runtime.entry import entry_name

log = logging.getLogger("greenrelay.runtime")
# No crash of the process that happens to run: the main greenlet gets these.
ENDS_PROGRAM = (KeyboardInterrupt, SystemExit)


def result_of_error(pid: Pid, entry: object, error: BaseException) -> Result:
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
        log.error("%s (%s) crashed\n%s", pid, entry_name(entry), text.rstrip())
    return Result(None, failure, str(failure))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:
        return f"<its text cannot be had: {type(second).__name__}>"
