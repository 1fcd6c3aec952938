"""How processes end, and the events that tell others of it, and of who is in a group.

Source: Processes, "Endings", and "Functions", row join. All values here are frozen and made for
``match``::

    match receive():
        case Exit(pid, Result(error=None)): ...
        case LinkDown(pid, result): ...
        case Cancel(reason=reason): ...
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

from greenrelay.core.pid import Pid

NORMAL = "normal"
SHUTDOWN = "shutdown"
KILLED = "killed"
NOPROC = "noproc"
CLEAN_REASONS = frozenset((NORMAL, SHUTDOWN))


@dataclass(frozen=True, slots=True)
class ExitError:
    """Why a process ended abnormally.

    ``type`` is the name of the exception's class (``"ProcessExit"`` where a reason was given
    instead of an exception), ``message`` its text and ``traceback`` its formatted traceback or
    ``""``. The exception itself is not kept: a live traceback pins every frame's locals.
    """

    type: str
    message: str
    traceback: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{self.type}: {self.message}" if self.message else self.type


@dataclass(frozen=True, slots=True)
class Result:
    """How a process ended: its return value, or the error and reason of an abnormal ending."""

    value: object = None
    error: ExitError | None = None
    reason: str = NORMAL

    @property
    def is_normal(self) -> bool:
        """Whether the ending was clean: it spreads along no link."""
        return self.error is None


def result_of_reason(reason: str) -> Result:
    """Return the result of a process that ends with ``reason`` and no exception.

    Raises TypeError for a reason that is not text: it has to travel and to be shown.
    """
    if not isinstance(reason, str):
        raise TypeError(f"reason is {reason!r}; it must be text")
    if reason in CLEAN_REASONS:
        return Result(None, None, reason)
    return Result(None, ExitError("ProcessExit", reason), reason)


RESULT_NORMAL = Result()
RESULT_KILLED = result_of_reason(KILLED)
RESULT_NOPROC = result_of_reason(NOPROC)


class MonitorRef(NamedTuple):
    """One monitor: ``watcher`` hears of the ending of ``target``, which is None if it had none.

    A tuple, since it is a key of several tables and hashes in C.
    """

    watcher: Pid
    target: Pid | None
    number: int


@dataclass(frozen=True, slots=True)
class Exit:
    """EXIT: the monitored process ``pid`` has ended with ``result``; ``ref`` is the monitor."""

    kind: ClassVar[str] = "EXIT"
    pid: Pid | str
    result: Result
    ref: MonitorRef


@dataclass(frozen=True, slots=True)
class LinkDown:
    """LINK_DOWN: the linked process ``pid`` has ended abnormally with ``result``."""

    kind: ClassVar[str] = "LINK_DOWN"
    pid: Pid | str
    result: Result


@dataclass(frozen=True, slots=True)
class Cancel:
    """CANCEL: ``sender`` asks this process to end; it is killed after ``deadline`` seconds."""

    kind: ClassVar[str] = "CANCEL"
    sender: Pid | None
    reason: str | None
    deadline: float


Event = Exit | LinkDown | Cancel


@dataclass(frozen=True, slots=True)
class Joined:
    """JOINED: ``pid`` has become a member of ``group``, which this process watches."""

    kind: ClassVar[str] = "JOINED"
    group: str
    pid: Pid


@dataclass(frozen=True, slots=True)
class Left:
    """LEFT: ``pid`` is no member of ``group`` any more: it has left, or ended."""

    kind: ClassVar[str] = "LEFT"
    group: str
    pid: Pid


GroupEvent = Joined | Left
