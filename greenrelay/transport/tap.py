"""The live traffic of one socket, for whoever looks at it.

Source: Operations, "Dashboard" ("live tail") and "Command line" (``tail``). A connection has no tap
while nobody looks, and then a message costs one look at a field. What is seen is copied at once,
cut to a length, into a list that drops its oldest: a tail never slows a connection down or grows.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING

from greenrelay.relay.session import TEXT, outgoing

if TYPE_CHECKING:
    from greenrelay.transport.life import Life
    from greenrelay.transport.stream import Stream

KEPT = 200
SHOWN = 2000
IN, OUT = "in", "out"


@dataclass(frozen=True, slots=True)
class Seen:
    """One message: ``text`` is its first part, bytes as hexadecimal; ``size`` is in bytes."""

    at: float
    direction: str
    topic: str
    is_text: bool
    text: str
    size: int


class Tail:
    """What one looker has not taken yet; ``missed`` counts what was dropped since the last time."""

    __slots__ = ("_seen", "missed")

    def __init__(self) -> None:
        self._seen: deque[Seen] = deque(maxlen=KEPT)
        self.missed = 0

    def add(self, seen: Seen) -> None:
        """Keep ``seen`` until it is taken."""
        if len(self._seen) == KEPT:
            self.missed += 1
        self._seen.append(seen)

    def take(self) -> tuple[list[Seen], int]:
        """Return what was seen since the last time, and how many more were."""
        found, missed = list(self._seen), self.missed
        self._seen.clear()
        self.missed = 0
        return found, missed


class Tap:
    """All who look at one socket."""

    __slots__ = ("tails",)

    def __init__(self) -> None:
        self.tails: list[Tail] = []

    def came(self, topic: str, data: str | bytes) -> None:
        """Show what the client has sent."""
        is_text = isinstance(data, str)
        raw = data.encode("utf-8", "replace") if isinstance(data, str) else data
        self._show(IN, topic, is_text, raw)

    def went(self, topic: str, payload: object) -> None:
        """Show what goes to the client."""
        try:
            opcode, raw = outgoing(topic, payload)
        except TypeError:
            # The data of an event may be what no frame takes.
            opcode, raw = TEXT, repr(payload).encode("utf-8", "replace")
        self._show(OUT, topic, opcode == TEXT, raw)

    def _show(self, direction: str, topic: str, is_text: bool, raw: bytes) -> None:
        part = raw[:SHOWN]
        text = part.decode("utf-8", "replace") if is_text else part[: SHOWN // 4].hex(" ")
        seen = Seen(time(), direction, topic, is_text, text, len(raw))
        for tail in self.tails:
            tail.add(seen)


def look(relayed: Life | Stream) -> Tail:
    """Return the traffic of a connection or stream from now on; ``look_away`` ends it."""
    if relayed.tap is None:
        relayed.tap = Tap()
    tail = Tail()
    relayed.tap.tails.append(tail)
    return tail


def look_away(relayed: Life | Stream, tail: Tail) -> None:
    """Look at it no more; nothing happens a second time."""
    tap = relayed.tap
    if tap is not None and tail in tap.tails:
        tap.tails.remove(tail)
        if not tap.tails:
            relayed.tap = None
