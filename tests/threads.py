"""Threads of the operating system, also where gevent has made those of Python greenlets.

With ``-p tests.patched`` a ``threading.Thread`` is a greenlet of the thread that starts it, and a
``threading.Event`` lets the hub run: tests about threads need the real ones.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from gevent.monkey import get_original

from tests.probe import wait_for

_start = get_original("_thread", "start_new_thread")
_lock = get_original("_thread", "allocate_lock")


class NativeFlag:
    """What one thread sets and another waits for, without letting its hub run."""

    def __init__(self) -> None:
        self._closed = _lock()
        self._closed.acquire()

    def is_set(self) -> bool:
        """Whether somebody has set it."""
        return not self._closed.locked()

    def set(self) -> None:
        """Let whoever waits go on."""
        with suppress(RuntimeError):
            # It was set before.
            self._closed.release()

    def wait(self, timeout: float = -1) -> bool:
        """Wait, for so many seconds at most; return whether it is set."""
        is_set: bool = self._closed.acquire(timeout=timeout)
        if is_set:
            self.set()
        return is_set


class NativeThread:
    """A thread that runs ``function``, which must not raise."""

    def __init__(self, function: Callable[[], object]) -> None:
        self._function = function
        self._is_over = NativeFlag()

    def start(self) -> None:
        """Begin."""
        _start(self._run, ())

    def join(self) -> None:
        """Wait until the function has returned; the hub of this thread runs meanwhile."""
        wait_for(self._is_over.is_set)

    def _run(self) -> None:
        try:
            self._function()
        finally:
            self._is_over.set()
