"""When an ended service starts again.

Source: Processes, "Supervision": the delay grows by ``backoff_factor`` from ``initial_delay`` up
to ``max_delay``, is spread by ``jitter``, and starts over once the service has been stable for
``stable_threshold`` seconds. Chance comes in as a number, so nothing here draws one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from greenrelay.durations import parse_duration

POLICIES = ("permanent", "transient", "temporary")


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """``restart`` of a service: when it comes back, how soon, and how often.

    ``initial_delay``, ``max_delay`` and ``stable_threshold`` are durations, and seconds once it is
    made; ``jitter`` is a share of the delay; ``max_attempts`` 0 is without end. Raises ValueError.
    """

    policy: str = "permanent"
    initial_delay: float | str = 1.0
    max_delay: float | str = 90.0
    backoff_factor: float = 2.0
    jitter: float = 0.1
    max_attempts: int = 0
    stable_threshold: float | str = 5.0

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(
                f"RestartPolicy: policy is {self.policy!r}; it must be one of {', '.join(POLICIES)}"
            )
        for name in ("initial_delay", "max_delay", "stable_threshold"):
            object.__setattr__(self, name, parse_duration(getattr(self, name)))
        if not (_is_number(self.backoff_factor) and 1 <= self.backoff_factor < math.inf):
            raise ValueError(
                f"RestartPolicy: backoff_factor is {self.backoff_factor!r}; it must be a number "
                "from 1 on"
            )
        if not (_is_number(self.jitter) and 0 <= self.jitter <= 1):
            raise ValueError(
                f"RestartPolicy: jitter is {self.jitter!r}; it must be a number from 0 to 1"
            )
        attempts: object = self.max_attempts
        if not isinstance(attempts, int) or isinstance(attempts, bool) or attempts < 0:
            raise ValueError(
                f"RestartPolicy: max_attempts is {attempts!r}; it must be a whole number from 0 "
                "on, where 0 is no limit"
            )

    def wants_restart(self, ended_normally: bool) -> bool:
        """Whether a service that has ended so is to start again."""
        return self.policy == "permanent" or (self.policy == "transient" and not ended_normally)


@dataclass(slots=True)
class Backoff:
    """The delays of one service from its first failure to the last."""

    policy: RestartPolicy
    attempts: int = field(default=0, init=False)

    def next_delay(self, uptime: float, chance: float) -> float | None:
        """Return seconds to wait before the next start, None when there is none.

        ``uptime`` is how long the service ran, ``chance`` a number from 0 to 1 that places the
        delay within ``jitter`` of its middle.
        """
        policy = self.policy
        if uptime >= parse_duration(policy.stable_threshold):
            self.attempts = 0
        if policy.max_attempts and self.attempts >= policy.max_attempts:
            return None
        longest = parse_duration(policy.max_delay)
        delay = min(_grown(policy, self.attempts), longest)
        self.attempts += 1
        return max(0.0, min(delay * (1 + policy.jitter * (2 * chance - 1)), longest))


def _grown(policy: RestartPolicy, attempts: int) -> float:
    first = parse_duration(policy.initial_delay)
    try:
        return first * float(policy.backoff_factor) ** attempts
    except OverflowError:
        return math.inf if first else 0.0


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
