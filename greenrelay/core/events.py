"""How processes end, and the events that tell others of it, and of who is in a group.

Source: Processes, "Endings", and "Functions", row join. All values here are frozen and made for
``match``::

    match receive():
        case Exit(pid, Result(error=None)): ...
        case LinkDown(pid, result): ...
        case Cancel(reason=reason): ...

Result, Exit, LinkDown and MonitorRef are made for every ending, so they are no dataclasses: see
message.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from greenrelay.core.pid import Pid
from greenrelay.core.value import Value

NORMAL = "normal"
SHUTDOWN = "shutdown"
KILLED = "killed"
NOPROC = "noproc"
NOCONNECTION = "noconnection"
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


class Result(Value):
    """How a process ended: its return value, or the error and reason of an abnormal ending."""

    __slots__ = ("_error", "_reason", "_value")
    __match_args__ = ("value", "error", "reason")

    def __init__(
        self, value: object = None, error: ExitError | None = None, reason: str = NORMAL
    ) -> None:
        self._value = value
        self._error = error
        self._reason = reason

    @property
    def value(self) -> object:
        """What the process returned; None when it ended otherwise."""
        return self._value

    @property
    def error(self) -> ExitError | None:
        """What ended it abnormally, or None."""
        return self._error

    @property
    def reason(self) -> str:
        """``normal``, ``shutdown``, or the reason of the abnormal ending."""
        return self._reason

    @property
    def is_normal(self) -> bool:
        """Whether the ending was clean: it spreads along no link."""
        return self._error is None


def result_of_reason(reason: str) -> Result:
    """Return the result of a process that ends with ``reason`` and no exception.

    Raises TypeError for a reason that is not text: it has to travel and to be shown.
    """
    check_reason(reason)
    if reason in CLEAN_REASONS:
        return Result(None, None, reason)
    return Result(None, ExitError("ProcessExit", reason), reason)


def check_reason(reason: object) -> None:
    """Raise TypeError for a reason that is not text."""
    if not isinstance(reason, str):
        raise TypeError(f"reason is {reason!r}; it must be text")


RESULT_NORMAL = Result()
RESULT_KILLED = result_of_reason(KILLED)
RESULT_NOPROC = result_of_reason(NOPROC)
RESULT_NOCONNECTION = result_of_reason(NOCONNECTION)


class MonitorRef:
    """One monitor: ``watcher`` hears of the ending of ``target``, which is None if it had none."""

    __slots__ = ("_name", "_number", "_target", "_watcher")
    __match_args__ = ("watcher", "target", "number")

    def __init__(self, watcher: Pid, target: Pid | None, number: int) -> None:
        self._watcher = watcher
        self._target = target
        self._number = number
        self._name = ""

    @property
    def watcher(self) -> Pid:
        """The process that hears of the ending."""
        return self._watcher

    @property
    def target(self) -> Pid | None:
        """The process that is watched."""
        return self._target

    @property
    def number(self) -> int:
        """What tells this monitor from all others of its node."""
        return self._number

    @property
    def name(self) -> str:
        """The name it was asked for by, "" for none."""
        return self._name

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MonitorRef):
            return NotImplemented
        mine = (self._number, self._watcher, self._target)
        return mine == (other.number, other.watcher, other.target)

    def __hash__(self) -> int:
        return self._number

    def __repr__(self) -> str:
        return f"MonitorRef({self._watcher!r}, {self._target!r}, {self._number})"


class Exit(Value):
    """EXIT: the monitored process ``pid`` has ended with ``result``; ``ref`` is the monitor."""

    __slots__ = ("_pid", "_ref", "_result")
    __match_args__ = ("pid", "result", "ref")
    kind = "EXIT"

    def __init__(self, pid: Pid | str, result: Result, ref: MonitorRef) -> None:
        self._pid = pid
        self._result = result
        self._ref = ref

    @property
    def pid(self) -> Pid | str:
        """The process that has ended, or the name nobody had."""
        return self._pid

    @property
    def result(self) -> Result:
        """How it ended."""
        return self._result

    @property
    def ref(self) -> MonitorRef:
        """What monitor() returned."""
        return self._ref


class LinkDown(Value):
    """LINK_DOWN: the linked process ``pid`` has ended abnormally with ``result``."""

    __slots__ = ("_pid", "_result")
    __match_args__ = ("pid", "result")
    kind = "LINK_DOWN"

    def __init__(self, pid: Pid | str, result: Result) -> None:
        self._pid = pid
        self._result = result

    @property
    def pid(self) -> Pid | str:
        """The process that has ended, or the name nobody had."""
        return self._pid

    @property
    def result(self) -> Result:
        """How it ended."""
        return self._result


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
