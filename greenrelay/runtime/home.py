"""Where a node lives: one thread, the gevent hub of it, and what runs on that hub.

Source: Processes, "Functions": sending and ending work from any thread, since they wait for
nothing; everything else belongs to the node's own thread, the one that first used it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from gevent.monkey import get_original

from greenrelay.errors import NodeStopped, NotInProcess
from greenrelay.runtime.crash import Crashes
from greenrelay.runtime.hub_log import protect_loggers
from greenrelay.runtime.scheduler import Scheduler
from greenrelay.runtime.timers import Timers
from greenrelay.runtime.watchdog import Watchdog

# After gevent.monkey the name of that function in ``threading`` means the greenlet.
_get_thread = get_original("_thread", "get_ident")


class Home:
    """The thread, run queue and timers of one node."""

    def __init__(self, *, recycle_workers: bool | None = None) -> None:
        protect_loggers()
        if recycle_workers is None:
            recycle_workers = os.environ.get("GREENRELAY_RECYCLE_WORKERS") != "0"
        self._recycle_workers = recycle_workers
        self.id = ""
        self.is_stopped = False
        self._scheduler: Scheduler | None = None
        self._timers: Timers | None = None
        self._thread = 0
        self.watchdog: Watchdog | None = None
        self.crashes = Crashes()

    @property
    def scheduler(self) -> Scheduler:
        """The run queue, on the hub of the thread that first asked for it."""
        return self._scheduler if self._scheduler is not None else self._start()[0]

    @property
    def timers(self) -> Timers:
        """The timers, on the same hub."""
        return self._timers if self._timers is not None else self._start()[1]

    def is_foreign_thread(self) -> bool:
        """Whether the caller runs in a thread other than the node's."""
        return self._thread not in (0, _get_thread())

    def check_thread(
        self, function: str, way_out: str = "send a message to a process that does it"
    ) -> None:
        """Raise NotInProcess naming ``function`` in a thread other than the node's."""
        if self.is_foreign_thread():
            raise NotInProcess(function, f"this thread is not its node's: {way_out}")

    def on_hub(self, function: Callable[..., object], *args: object) -> None:
        """Call ``function``, which must not wait: now, or soon in a foreign thread."""
        if self.is_foreign_thread():
            self.scheduler.hub.loop.run_callback_threadsafe(function, *args)
        else:
            function(*args)

    def leave(self) -> None:
        """Give up the run queue and the timers: nothing runs any more."""
        if self.watchdog is not None:
            self.watchdog.close()
        scheduler, timers = self._scheduler, self._timers
        self._scheduler = self._timers = None
        self._thread = 0
        if scheduler is not None and timers is not None:
            self.crashes.sum_up(timers)
            scheduler.close()
            timers.close()

    def _start(self) -> tuple[Scheduler, Timers]:
        if self.is_stopped:
            raise NodeStopped(self.id)
        self._thread = _get_thread()
        timers = self._timers = Timers()
        scheduler = Scheduler(timers, recycle_workers=self._recycle_workers)
        self._scheduler = scheduler
        if self.watchdog is not None:
            self.watchdog.start()
        return scheduler, timers
