"""The last warnings and errors of greenrelay's own loggers, kept for whoever looks later.

Source: Operations, "Blocking code" and "Dashboard". The watchdog writes from a thread of its own,
while the hub is stuck: so nothing here takes a lock or calls anything that might wait.
"""

from __future__ import annotations

import logging
import traceback
from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import count

from greenrelay.core.log import ROOT, Keeper, is_written

KEPT = 200
SHOWN = 6000
HUB, LOG = "hub", "log"
_STUCK = ("has kept the hub busy", "the hub was kept busy")


@dataclass(frozen=True, slots=True)
class Report:
    """One line of the log; ``kind`` is "hub" for one of the watchdog."""

    number: int
    at: float
    kind: str
    level: str
    logger: str
    text: str


class _Ring(Keeper):
    """Keeps the last of them."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.kept: deque[Report] = deque(maxlen=KEPT)
        self._numbers = count(1)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one."""
        text = message = record.getMessage()
        if record.exc_info and record.exc_info[0] is not None:
            text = f"{text}\n{''.join(traceback.format_exception(*record.exc_info)).rstrip()}"
        kind = HUB if any(each in message for each in _STUCK) else LOG
        self.kept.append(
            Report(
                next(self._numbers),
                record.created,
                kind,
                record.levelname,
                record.name,
                text[:SHOWN],
            )
        )
        # Where no handler writes anything, Python does. It does not know that this one writes
        # nothing either.
        if logging.lastResort is not None and not is_written(record.name):
            logging.lastResort.handle(record)


@lru_cache(maxsize=1)
def _ring() -> _Ring:
    ring = _Ring()
    logging.getLogger(ROOT).addHandler(ring)
    return ring


def follow_reports() -> None:
    """Keep reports from now on, in this OS process; idempotent."""
    _ring()


def reports() -> list[Report]:
    """Return the last reports, the newest first."""
    return list(_ring().kept)[::-1]
