"""What becomes of a frame that the full queue of a slow client cannot take.

Source: WebSocket Relay, "Options", row ``wsrelay.slow.policy``.
"""

from __future__ import annotations

from dataclasses import dataclass

from greenrelay.durations import format_duration, parse_duration

CLOSE = "close"
DROP_OLDEST = "drop_oldest"
DROP_NEWEST = "drop_newest"
BLOCK = "block"


@dataclass(frozen=True, slots=True)
class SlowPolicy:
    """One of the four kinds; ``seconds`` is how long a sender waits where the kind is BLOCK."""

    kind: str = CLOSE
    seconds: float = 0.0

    def __str__(self) -> str:
        return f"{BLOCK} {format_duration(self.seconds)}" if self.kind == BLOCK else self.kind

    @property
    def drops(self) -> bool:
        """Whether frames may get lost while the connection lives on."""
        return self.kind in (DROP_OLDEST, DROP_NEWEST)


CLOSES = SlowPolicy()


def parse_slow_policy(value: object) -> SlowPolicy:
    """Read "close", "drop_oldest", "drop_newest" or "block 5s"; raises ValueError."""
    words = value.split() if isinstance(value, str) else []
    match words:
        case [("close" | "drop_oldest" | "drop_newest") as kind]:
            return SlowPolicy(kind)
        case ["block", duration]:
            seconds = parse_duration(duration)
            if seconds > 0:
                return SlowPolicy(BLOCK, seconds)
    allowed = 'close, drop_oldest, drop_newest or "block" and a duration above 0, as in "block 5s"'
    raise ValueError(f"is {value!r}; it must be {allowed}")
