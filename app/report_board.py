"""The board: knows which reports run, on any worker, and shows every open page of its own.

What the board receives, and from whom:

================  ===========  ===============================================
topic             from         payload
================  ===========  ===============================================
report.started    a report     pid, title
report.progress   a report     pid, percent
sse.join          a page       client_pid
sse.leave         a page       client_pid
================  ===========  ===============================================

It monitors each report, so it learns of every ending: of a report that is finished and of one that
was taken along by its closed tab, or by the end of its worker.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from app.post import post
from app.report import BOARD
from greenrelay import Cancel, Exit, Message, join, monitor, receive, register

KEPT = 6
"""How many reports that are over the board remembers."""


@dataclass(slots=True)
class Line:
    """A report as the pages show it."""

    pid: str
    title: str
    percent: int = 0
    state: Literal["running", "finished", "cancelled"] = "running"


@dataclass(slots=True)
class Board:
    """What runs, what is over, the newest first, and who looks on."""

    running: dict[str, Line] = field(default_factory=dict)
    over: deque[Line] = field(default_factory=lambda: deque(maxlen=KEPT))
    pages: set[str] = field(default_factory=set)

    def started(self, pid: str, title: str) -> None:
        """Take a report up."""
        self.running[pid] = Line(pid, title)

    def progressed(self, pid: str, percent: int) -> None:
        """Note how far a report is; one that is not known is nobody's."""
        if pid in self.running:
            self.running[pid].percent = percent

    def ended(self, pid: str, is_normal: bool) -> None:
        """Note how a report has ended: one that was not finished was cancelled."""
        line = self.running.pop(pid, None)
        if line is not None:
            line.state = "finished" if is_normal and line.percent == 100 else "cancelled"
            self.over.appendleft(line)

    def lines(self) -> list[dict[str, object]]:
        """Return what the pages show, the newest first."""
        return [asdict(line) for line in (*reversed(self.running.values()), *self.over)]


def run() -> None:
    """Be the board until cancelled."""
    register(BOARD)
    join(BOARD)
    board = Board()
    while True:
        match receive():
            case Message(topic="sse.join", payload=payload):
                board.pages.add(_text(payload, "client_pid"))
                post(_text(payload, "client_pid"), "reports", board.lines())
                continue
            case Message(topic="sse.leave", payload=payload):
                board.pages.discard(_text(payload, "client_pid"))
                continue
            case Message(topic="report.started", payload=payload):
                monitor(_text(payload, "pid"))
                board.started(_text(payload, "pid"), _text(payload, "title"))
            case Message(topic="report.progress", payload=payload):
                board.progressed(_text(payload, "pid"), int(_text(payload, "percent")))
            case Exit(pid=ended, result=result):
                board.ended(str(ended), result.is_normal)
            case Cancel():
                return
        lines = board.lines()
        for page in board.pages:
            post(page, "reports", lines)


def _text(payload: Any, name: str) -> str:
    return str(payload[name])
