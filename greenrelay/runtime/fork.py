"""What becomes of a node's processes in a forked child.

A fork copies every greenlet, but the processes go on in the parent only. In the child they are
nobody's: they never run, their PIDs are the parent's, and the code that forked is outside any
process, on a node with a new incarnation (gunicorn --preload, multiprocessing).
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

from greenlet import getcurrent

from greenrelay.runtime.task import DEAD

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

# Greenlets that nobody references are unwound by the garbage collector, and their ``finally``
# blocks would act in the child on what is the parent's: files, sockets, locks.
_inherited: list[object] = []


def disown(node: Node) -> None:
    """Make the processes of ``node``, which a fork has copied, processes no more."""
    here = getcurrent()
    _inherited.append(node.supervisor)
    for process in node.processes.values():
        _inherited.append((process, process.greenlet))
        process.state = DEAD
        if process.greenlet is here:
            # As that of a worker between two processes.
            here.greenrelay_process = None  # type: ignore[attr-defined]


def follow_forks(nodes: Iterable[Node]) -> None:
    """Make each of ``nodes`` another node in whatever child this OS process forks.

    A node made before a fork (gunicorn --preload) must not share its id with the parent.
    """

    def after_fork() -> None:
        for node in tuple(nodes):
            node.forked()

    os.register_at_fork(after_in_child=after_fork)
