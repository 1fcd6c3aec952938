"""What becomes of a node's processes, and of sockets, in a forked child.

A fork copies every greenlet, but the processes go on in the parent only. In the child they are
nobody's: they never run, their PIDs are the parent's, and the code that forked is outside any
process, on a node with a new incarnation (gunicorn --preload, multiprocessing).

It copies the file descriptors and the watchers of sockets, too, and a child that waits for anything
runs the parent's loop: it would accept the parent's clients and read what they send. So in the
child another socket is put in the place of each, which is silent.
"""

from __future__ import annotations

import _socket
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Protocol

from greenlet import getcurrent

from greenrelay.runtime.task import DEAD

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

# Greenlets that nobody references are unwound by the garbage collector, and their ``finally``
# blocks would act in the child on what is the parent's: files, sockets, locks.
_inherited: list[object] = []
# Both ends stay open for as long as the child lives.
_silent: list[_socket.socket] = []


class Forked(Protocol):
    """What a fork copies and a child must not use as it is."""

    def forked(self) -> None:
        """Be the child's own, or nobody's; must not wait, and touch no watcher."""


class HasDescriptor(Protocol):
    """A socket, or what has one."""

    def fileno(self) -> int:
        """The number of its file descriptor, below 0 where that is closed."""


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


def silence(sockets: Iterable[HasDescriptor]) -> None:
    """Put a socket that never hears anything, and tells nobody, in the place of each of these.

    For a forked child. Who waits for one waits on, and wakes nobody by that. A watcher that were
    stopped here instead would be lost to the parent too: until the child's loop has been made anew,
    it shares what the kernel watches for libuv.
    """
    for each in sockets:
        number = each.fileno()
        if number < 0:
            continue
        if not _silent:
            # Not those of the module socket: gevent's would make a hub.
            _silent.extend(_socket.socketpair())
            for end in _silent:
                end.setblocking(False)
        os.dup2(_silent[0].fileno(), number, inheritable=False)


def follow_forks(things: Iterable[Forked]) -> None:
    """Call ``forked`` of each of ``things`` in whatever child this OS process forks.

    A node made before a fork (gunicorn --preload) must not share its id with the parent.
    """

    def after_fork() -> None:
        for each in tuple(things):
            each.forked()

    os.register_at_fork(after_in_child=after_fork)
