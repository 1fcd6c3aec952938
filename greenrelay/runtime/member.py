"""What a supervisor keeps of each of its children.

Source: Processes, "Supervision".
"""

from __future__ import annotations

from dataclasses import dataclass, field

from greenrelay.core.message import Message
from greenrelay.core.pid import Pid
from greenrelay.core.restart import Backoff
from greenrelay.core.strategy import Child, ChildInfo, ChildState
from greenrelay.runtime.timers import Timer

# How often a supervisor looks whether a child has started: after 1 ms, then ever less often.
FIRST_LOOK, RAREST_LOOK = 0.001, 0.25


@dataclass(slots=True, eq=False)
class Member:
    """One child of a running supervisor; times are on ``time.monotonic``.

    ``number`` is its place in the start order, ``due_at`` when it is to start, ``look_at`` when to
    see whether it has started, ``kill`` what ends it if it does not stop, and ``callers`` are those
    who wait for its end.
    """

    child: Child
    backoff: Backoff
    number: int = 0
    due_at: float | None = None
    state: ChildState = ChildState.STOPPED
    pid: Pid | None = None
    started_at: float | None = None
    look_at: float | None = None
    look_step: float = FIRST_LOOK
    restarts: int = 0
    reason: str | None = None
    kill: Timer | None = None
    callers: list[Message] = field(default_factory=list)

    def info(self) -> ChildInfo:
        """Return what is to be seen of it now."""
        return ChildInfo(self.child.id, self.state, self.pid, self.restarts, self.reason)


def answer(message: Message, value: object) -> None:
    """Reply to a command, if somebody waits for that."""
    if message.reply_to is not None:
        message.reply_to.answer(value)
