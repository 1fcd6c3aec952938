"""Other code for a running process: the function of the upgrade.

Source: Processes, "Functions", row upgrade.

Theory. The old code has to be left before the new code runs, or a process that upgrades again and
again grows a stack. So ProcessUpgrade unwinds it, ``finally`` blocks and all, and what runs the
process (``FunctionProcess.run``) finds the new code in ``function``. Code that swallows
ProcessUpgrade only delays that until it returns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from greenrelay.errors import NotInProcess, ProcessUpgrade, UnknownEntry
from greenrelay.runtime.current import require_process
from greenrelay.runtime.node import Node
from greenrelay.runtime.server import Server, ServerProcess
from greenrelay.runtime.worker import Worker


def upgrade(entry: object = None, *state: Any) -> NoReturn:
    """Leave the code that runs and run ``entry(*state)`` as this same process; never returns.

    PID, unread messages and events, links, monitors, names, groups, context, options and the topics
    it listens to stay; iterating the inbox ends with CANCEL again until the new code reads
    ``events()``. Without an entry the process starts over with its own. An unknown entry and an
    exception, also one that the old code raises while it is left, end the process abnormally.
    Raises NotInProcess in a request or a server, whose code is not its own to leave.
    """
    process = require_process("upgrade")
    if isinstance(process, ServerProcess) or not isinstance(process.greenlet, Worker):
        raise NotInProcess("upgrade", "only a process that runs a function can run another")
    wanted = process.entry_object if entry is None else entry
    process.function = _start
    process.args = (process.node, wanted, state)
    process.kwargs = {}
    process.entry_object = wanted
    process.reads_events = False
    raise ProcessUpgrade


def _start(node: Node, entry: object, state: tuple[Any, ...]) -> object:
    function: Callable[..., object] = node.entries.find(entry)
    if isinstance(function, type) and issubclass(function, Server):
        raise UnknownEntry(entry, why="a process that runs a function cannot become a server")
    return function(*state)
