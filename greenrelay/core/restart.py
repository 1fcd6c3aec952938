"""When an ended service starts again.

Source: Processes, "Supervision": the delay grows by ``backoff_factor`` from ``initial_delay`` up
to ``max_delay``, is spread by ``jitter``, and starts over once the service has been stable for
``stable_threshold`` seconds. Chance comes in as a number, so nothing here draws one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

POLICIES = ("permanent", "transient", "temporary")


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """``restart`` of a service: times in seconds, ``max_attempts`` 0 is without end."""

    policy: str = "permanent"
    initial_delay: float = 1.0
    max_delay: float = 90.0
    backoff_factor: float = 2.0
    jitter: float = 0.1
    max_attempts: int = 0
    stable_threshold: float = 5.0

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
        if uptime >= policy.stable_threshold:
            self.attempts = 0
        if policy.max_attempts and self.attempts >= policy.max_attempts:
            return None
        delay = policy.initial_delay
        for _ in range(self.attempts):
            delay *= policy.backoff_factor
            if delay >= policy.max_delay:
                break
        self.attempts += 1
        delay = min(delay, policy.max_delay)
        return max(0.0, min(delay * (1 + policy.jitter * (2 * chance - 1)), policy.max_delay))
