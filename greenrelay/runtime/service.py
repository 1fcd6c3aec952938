"""Services: processes that are kept alive.

Source: Processes, "Supervision". Each service has a keeper, a process that starts it, gets its
EXIT and starts it again as its restart policy says, and is linked to it: a keeper that is killed
takes its service along.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from greenrelay.core.events import Cancel, Exit
from greenrelay.core.pid import Pid
from greenrelay.core.restart import Backoff, RestartPolicy
from greenrelay.errors import Timeout
from greenrelay.runtime.messaging import receive, spawn_linked_monitored
from greenrelay.runtime.node import Node
from greenrelay.runtime.relations import cancel, set_options

log = logging.getLogger("greenrelay.runtime")


@dataclass(frozen=True, slots=True)
class Service:
    """What to keep alive and how; ``stop_timeout`` in seconds."""

    id: str
    entry: str
    host: str | None = None
    args: tuple[object, ...] = ()
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    stop_timeout: float = 10.0
    requires: tuple[str, ...] = ()


def start_services(node: Node, services: Sequence[Service]) -> None:
    """Start the keepers of ``services``, those that others require first."""
    for service in in_order(services):
        node.spawn_process(keep, (service,), {}, host=service.host)


def in_order(services: Sequence[Service]) -> list[Service]:
    """Return the services so that each comes after those it requires; there must be no cycle."""
    by_id = {service.id: service for service in services}
    ordered: dict[str, Service] = {}

    def add(service: Service) -> None:
        for required in service.requires:
            if required in by_id and required not in ordered:
                add(by_id[required])
        ordered[service.id] = service

    for service in services:
        if service.id not in ordered:
            add(service)
    return list(ordered.values())


def keep(service: Service) -> None:
    """Run one service until this process is cancelled or the policy says that it is over."""
    set_options(trap_links=True)
    backoff = Backoff(service.restart)
    while True:
        started_at = monotonic()
        ended = _run_once(service)
        if ended is None:
            return
        if not service.restart.wants_restart(ended.result.is_normal):
            log.info("service %s ended: %s", service.id, ended.result.reason)
            return
        delay = backoff.next_delay(monotonic() - started_at, random.random())
        if delay is None:
            log.error("service %s failed for good: %s", service.id, ended.result.reason)
            return
        log.warning(
            "service %s ended (%s); starting again in %.1f s",
            service.id,
            ended.result.reason,
            delay,
        )
        if _wait(delay):
            return


def _run_once(service: Service) -> Exit | None:
    """Start the service and return its EXIT, or None when this process is cancelled."""
    child = spawn_linked_monitored(service.entry, *service.args, host=service.host)
    log.info("service %s started as %s", service.id, child)
    while True:
        event = receive()
        if isinstance(event, Exit) and event.pid == child:
            return event
        if isinstance(event, Cancel):
            _stop(service, child)
            return None


def _stop(service: Service, child: Pid) -> None:
    cancel(child, deadline=service.stop_timeout, reason="shutdown")
    while not (isinstance(event := receive(), Exit) and event.pid == child):
        pass


def _wait(delay: float) -> bool:
    """Wait; True when this process was cancelled meanwhile."""
    until = monotonic() + delay
    while True:
        try:
            if isinstance(receive(timeout=max(0.0, until - monotonic())), Cancel):
                return True
        except Timeout:
            return False
