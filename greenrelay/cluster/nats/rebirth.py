"""When a node that was taken for dead begins anew; pure.

At once; but two processes with the name of one node bury each other, and must not do so all the
time: each time that comes soon after the last one waits longer.
"""

from __future__ import annotations

from dataclasses import dataclass

CALM_SECONDS = 10.0
_FIRST_PAUSE = 0.5
_MAX_PAUSE = 30.0


@dataclass(slots=True)
class Rebirth:
    """``due_at`` is when to begin anew, 0.0 if that is not wanted; ``lives`` how often it was."""

    due_at: float = 0.0
    lives: int = 0
    _begun_at: float = 0.0
    _pause: float = 0.0

    def want(self, now: float) -> bool:
        """Begin anew as soon as may be; False if that was wanted already."""
        if self.due_at:
            return False
        is_soon = self.lives > 0 and now - self._begun_at < CALM_SECONDS + self._pause
        self._pause = min(max(2 * self._pause, _FIRST_PAUSE), _MAX_PAUSE) if is_soon else 0.0
        self.due_at = now + self._pause
        return True

    def is_due(self, now: float) -> bool:
        """Whether it is time."""
        return 0.0 < self.due_at <= now

    def begin(self, now: float) -> int:
        """Return which life begins now, from 1 on."""
        self.lives += 1
        self.due_at, self._begun_at = 0.0, now
        return self.lives
