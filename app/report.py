"""A report: a job that works for one browser tab, tells it how far it is, and ends with it.

What a report receives, and from whom:

=============  ===========  ==================================================
topic          from         payload
=============  ===========  ==================================================
sse.join       the stream   client_pid
sse.leave      the stream   client_pid, reason
=============  ===========  ==================================================

The report is linked to the stream of its tab. When the tab closes the stream ends abnormally, as
its client left without a word, and the link takes the report along, wherever it waits. When the
server stops, the stream says ``done`` and ends normally: then ``sse.leave`` ends the report.

It tells a group, the boards (``app/report_board.py``), of which each worker has one for the pages
that are open there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from random import Random
from typing import Any

from app.post import post
from greenrelay import Cancel, Message, Timeout, broadcast, link, pid, receive

BOARD = "reports"
STEP = "220ms"
"""How long one step takes; real work would be a query."""

JOIN_TIMEOUT = "10s"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
STAGES = ("Read the visits of", "Sort the visits of", "Sum up")

log = logging.getLogger("app.report")


@dataclass(frozen=True, slots=True)
class Step:
    """One piece of work: the ``month`` it is about, and what a person reads of it."""

    month: str
    text: str


def steps() -> list[Step]:
    """Return the work of a report, in its order."""
    return [Step(month, f"{stage} {month}") for month in MONTHS for stage in STAGES]


def run(title: str) -> None:
    """Make the report ``title`` for the client that joins."""
    try:
        join: Any = receive("sse.join", timeout=JOIN_TIMEOUT).payload
    except Timeout:
        return
    client = str(join["client_pid"])
    link(client)
    broadcast(BOARD, "report.started", {"pid": pid(), "title": title})
    _work(title, client)


def _work(title: str, client: str) -> None:
    chance = Random(title)
    work = steps()
    visits: dict[str, int] = {}
    for number, step in enumerate(work, 1):
        if not _do(step):
            return
        visits.setdefault(step.month, chance.randrange(200, 1000))
        percent = round(100 * number / len(work))
        progress = {"percent": percent, "text": step.text, "report_pid": pid()}
        post(client, "progress", progress | {"stream_pid": client})
        broadcast(BOARD, "report.progress", {"pid": pid(), "percent": percent})
    post(client, "result", {"title": title, "visits": list(visits.items())})
    log.info("%s: report %r is finished", pid(), title)


def _do(step: Step) -> bool:
    """Do one step; False when nobody wants the rest."""
    try:
        match receive(timeout=STEP):
            case Message(topic="sse.leave") | Cancel():
                return False
    except Timeout:
        log.debug("%s: %s", pid(), step.text)
    return True
