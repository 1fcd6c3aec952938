"""Other services under a supervisor that goes on: those that changed are restarted, in order.

Source: Configuration, the item on SIGHUP; Processes, "Supervision" (start as ``requires`` says,
stop in reverse). A service that did not change goes on, also when one that it requires is
restarted: that is no more than what happens when that one crashes.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from greenrelay.boot import LOOK_INTERVAL, children, has_started
from greenrelay.config.resolve import Configuration
from greenrelay.core.pid import Pid
from greenrelay.core.strategy import Child, in_start_order
from greenrelay.durations import parse_duration
from greenrelay.errors import Timeout
from greenrelay.runtime.current import require_process
from greenrelay.runtime.messaging import call, receive


@dataclass(frozen=True, slots=True)
class ServicePlan:
    """``stopped`` end in this order, ``started`` start in theirs; ``removed`` are forgotten."""

    stopped: tuple[str, ...] = ()
    started: tuple[Child, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stopped or self.started)


def service_plan(old: Configuration, new: Configuration, missing: Collection[str]) -> ServicePlan:
    """Return what is to be done; ``missing`` are services of ``old`` that were never started."""
    before = {child.id: child for child in in_start_order(children(old))}
    after = {child.id: child for child in in_start_order(children(new))}

    def is_same(key: str) -> bool:
        return (
            key not in missing
            and before.get(key) == after.get(key)
            and _code(old, key) == _code(new, key)
        )

    # In reverse of how they would start.
    alive = [key for key in reversed(list(before)) if key not in missing]
    return ServicePlan(
        stopped=tuple(key for key in alive if key not in after or not is_same(key)),
        started=tuple(child for key, child in after.items() if not is_same(key)),
        removed=tuple(key for key in alive if key not in after),
    )


def change_services(supervisor: Pid, plan: ServicePlan) -> dict[str, str]:
    """Carry out ``plan``, in the process that calls this; return who did not start, and why.

    It waits for what stops, and before a service starts for what that requires.
    """
    for key in plan.stopped:
        # The supervisor itself says when patience ends.
        call(supervisor, "terminate_child", key, timeout=None)
    troubles: dict[str, str] = {}
    for child in plan.started:
        _await(child.requires, parse_duration(child.start_timeout))
        try:
            call(supervisor, "start_child", child, timeout=None)
        except Exception as error:
            # Whatever spawn raises, or the supervisor, in our place.
            troubles[child.id] = f"{type(error).__name__}: {error}"
    for key in plan.removed:
        call(supervisor, "delete_child", key, timeout=None)
    return troubles


def _code(configuration: Configuration, key: str) -> str:
    service = next(each for each in configuration.services if each.id == key)
    return configuration.import_path(service.process)


def _await(required: tuple[str, ...], patience: float) -> None:
    node = require_process("reload").node
    until = node.timers.now() + patience
    while not all(has_started(node, key) for key in required):
        if node.timers.now() >= until:
            return
        try:
            receive("greenrelay.reload", timeout=LOOK_INTERVAL)
        except Timeout:
            continue
