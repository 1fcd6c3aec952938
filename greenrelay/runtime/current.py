"""Which process, and which node, the running code belongs to.

Source: Processes, "Functions", first paragraph. A process's greenlet carries the process as
``greenrelay_process``; a greenlet that may become one (an HTTP request's) carries a scope as
``greenrelay_scope`` and becomes a process when something asks for it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from greenlet import getcurrent

from greenrelay.errors import NotInProcess
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.node import Node, open_nodes
from greenrelay.runtime.task import EXITING
from greenrelay.runtime.worker import Worker


class Scope(Protocol):
    """A greenlet's right to become a process."""

    def adopt(self) -> FunctionProcess:
        """Make the running greenlet a process."""


# What can be asked of a node itself; the rest is run in one of its processes.
NODE_HAS = frozenset({"spawn", "send", "send_after", "terminate"})
NodeFinder = Callable[[], Node | None]
_finders: list[NodeFinder] = []


def add_node_finder(finder: NodeFinder) -> None:
    """Let ``finder`` say which node code outside a process means, such as the Flask app's."""
    if finder not in _finders:
        _finders.append(finder)


def current_process() -> FunctionProcess | None:
    """Return the process that is running, or None; a request becomes a process here.

    Raises ProcessExit in a process that has been told to end.
    """
    running: Any = getcurrent()
    process: FunctionProcess | None
    if isinstance(running, Worker):
        worker: Any = running
        # The supervisor greenlet runs in a worker too, and is nobody's process.
        task = worker.greenrelay_process
        process = task if isinstance(task, FunctionProcess) else None
    else:
        process = getattr(running, "greenrelay_process", None)
    if process is None:
        scope: Scope | None = getattr(running, "greenrelay_scope", None)
        return scope.adopt() if scope is not None else None
    if process.state >= EXITING:
        raise process.exit_again()
    return process


def require_process(function: str) -> FunctionProcess:
    """Return the process that is running; raises NotInProcess naming ``function``."""
    process = current_process()
    if process is None:
        raise NotInProcess(function)
    return process


def current_node(function: str) -> Node:
    """Return the node the running code means: its process's, the app's or the only one.

    Raises NotInProcess naming ``function`` when there is none, or more than one.
    """
    process = current_process()
    if process is not None:
        return process.node
    for finder in _finders:
        node = finder()
        if node is not None:
            return node
    nodes = tuple(open_nodes)
    if len(nodes) == 1:
        return nodes[0]
    if not nodes:
        raise NotInProcess(function, "there is no node yet: make one with greenrelay.Node()")
    call = f"node.{function}()" if function in NODE_HAS else f"node.run(greenrelay.{function}, …)"
    raise NotInProcess(function, f"there are {len(nodes)} nodes: call {call} of one")
