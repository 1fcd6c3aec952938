"""Policies: who may do what with what.

Source: HTTP, "Security" ("any deny wins; nothing matched is deny"). A policy applies when its
actions, its resources, its groups and all its conditions do. Where a condition cannot be told, a
policy that denies applies and one that allows does not: a mistake never opens a door.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from greenrelay.security.condition import Access, Condition, Undecided
from greenrelay.security.pattern import Pattern

log = logging.getLogger("greenrelay.security")

ALLOW, DENY = "allow", "deny"


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy; ``effect`` is allow or deny, without ``groups`` it is for every actor."""

    id: str
    effect: str
    actions: tuple[Pattern, ...]
    resources: tuple[Pattern, ...]
    conditions: tuple[Condition, ...] = ()
    groups: tuple[str, ...] = ()

    def applies(self, access: Access) -> bool:
        """Whether it has something to say of this access."""
        if self.groups and not set(self.groups) & set(access.actor.groups):
            return False
        if not _any_matches(self.actions, access.action):
            return False
        return _any_matches(self.resources, access.resource) and self._conditions_hold(access)

    def _conditions_hold(self, access: Access) -> bool:
        is_undecided = False
        for condition in self.conditions:
            try:
                if not condition.holds(access):
                    return False
            except Undecided as why:
                log.debug("policy %s, actor %s: %s", self.id, access.actor.id, why)
                is_undecided = True
        return self.effect == DENY or not is_undecided


def decide(policies: Iterable[Policy], access: Access) -> bool:
    """Whether the policies allow an access: some policy does, and none denies it."""
    effects = {policy.effect for policy in policies if policy.applies(access)}
    return effects == {ALLOW}


def _any_matches(patterns: Iterable[Pattern], value: str) -> bool:
    return any(pattern.matches(value) for pattern in patterns)
