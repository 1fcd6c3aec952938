"""Services: processes that are kept alive while the application runs.

Source: Processes, "Supervision". All services of a node are the children of one supervisor, each
restarted alone and without a limit on their number together: a service that crashes for ever
waits ever longer and disturbs no other one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from greenrelay.core.pid import Pid
from greenrelay.core.strategy import Child, ChildInfo
from greenrelay.runtime.node import Node
from greenrelay.runtime.supervision import Supervisor


def start_services(node: Node, children: Sequence[Child]) -> Pid:
    """Start the supervisor of these services and return its PID.

    What a service requires beside other services, such as a host, is there before any of them.
    """
    ids = {child.id for child in children}
    known = [
        replace(child, requires=tuple(key for key in child.requires if key in ids))
        for child in children
    ]
    plan = Supervisor(known, max_restarts=None, parallel=True, board=node.services)
    return node.spawn(plan)


def services(node: Node) -> tuple[ChildInfo, ...]:
    """Return what can be seen of every service of ``node`` now, in the order they start in."""
    return tuple(node.services.values())
