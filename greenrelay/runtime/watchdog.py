"""A watchdog: who kept the hub busy for so long that nobody else could run.

Source: Operations, "Blocking code". Everything of a node runs in one thread, so code that computes
or blocks without gevent stops every process, timer and socket of it.

Theory. A native thread asks the hub to answer: it hands it a callback, which the hub's loop runs
when it gets there, out of a wait for sockets too. So an idle hub answers at once and only one
that does not come back to its loop stays silent; then the thread looks at what the hub's thread
runs and logs it, once until the hub answers, and then how long that has taken in all. Nothing is
done per message or switch: the price is four answers in each ``threshold``.

Which process runs is not written down anywhere, for that would cost something at each switch. A
greenlet that waits has a frame to be seen and the one that runs has none, so the process is
found by looking at all of them, which happens only when there is something to report. A request
that is no process is found the same way: WSGI hands it on as ``environ``, from one frame of its
stack to the next.

Code that holds the interpreter's lock (a regular expression, a C extension) holds this thread up
too: it is reported when it lets go of the lock, mostly before the next line runs. Where the system
tells no thread's computing time, only if it began between a question and its answer.
"""

from __future__ import annotations

import logging
import os
import sys
import time
import traceback
from queue import Empty
from time import clock_gettime, monotonic
from types import FrameType
from typing import TYPE_CHECKING, Any

import gevent
from gevent.monkey import get_original

from greenrelay.durations import parse_duration
from greenrelay.runtime.process import Process

if TYPE_CHECKING:
    from greenrelay.runtime.node import Node

log = logging.getLogger("greenrelay.runtime")
THRESHOLD = 0.1
ASKS_PER_THRESHOLD = 4
# A log handler may keep the thread; closing waits no longer than this for it.
CLOSE_TIMEOUT = 1.0
# As much of what a client has asked for as a line of the log shows.
SHOWN = 300
pthread_getcpuclockid = getattr(time, "pthread_getcpuclockid", None)
_ANSWER, _CLOSE, _ENDED = range(3)

# After gevent.monkey these names mean greenlets, which a busy hub would stop as well.
_start_thread = get_original("_thread", "start_new_thread")
_get_thread = get_original("_thread", "get_ident")
_make_queue = get_original("queue", "SimpleQueue")


class Watchdog:
    """Logs a WARNING with process and stack when the hub of ``node`` is stuck.

    ``threshold`` is how long, a duration, the hub may stay away from its loop. While the node has
    no process nobody waits, and nothing is logged. Raises ValueError unless it is above 0.
    """

    def __init__(self, node: Node, threshold: float | str = THRESHOLD) -> None:
        self.node = node
        self.threshold = parse_duration(threshold)
        if not self.threshold > 0:
            raise ValueError(f"watchdog threshold is {threshold!r}; it must be above 0 s")
        self._news: Any = None
        self._ended: Any = None
        self._os_process = 0

    @property
    def is_running(self) -> bool:
        """Whether it watches; the child of a fork has no thread that would."""
        return self._news is not None and self._os_process == os.getpid()

    def start(self) -> None:
        """Watch the hub of the calling thread, which is to be the node's; idempotent."""
        if self.is_running:
            return
        self._news, self._ended = _make_queue(), _make_queue()
        self._os_process = os.getpid()
        loop = gevent.get_hub().loop
        _start_thread(self._watch, (loop, _get_thread(), self._news, self._ended))

    def close(self) -> None:
        """Stop watching; returns when the thread has ended. Idempotent."""
        was_running, news, self._news = self.is_running, self._news, None
        if was_running:
            news.put(_CLOSE)
            _next(self._ended, CLOSE_TIMEOUT)

    # in the thread

    def _watch(self, loop: Any, hub_thread: int, news: Any, ended: Any) -> None:
        rest = self.threshold / ASKS_PER_THRESHOLD
        try:
            while True:
                heard, held = _wait(news, rest, hub_thread)
                if heard is not None:
                    return
                asked_at, who = monotonic(), None
                if held > self.threshold:
                    who, asked_at = self._report(hub_thread, held), asked_at - held
                loop.run_callback_threadsafe(news.put, _ANSWER)
                heard, late = _wait(news, self.threshold, hub_thread)
                if (heard is None or late > 0) and held <= self.threshold:
                    who = self._report(hub_thread, self.threshold + max(late, 0.0))
                if (heard if heard is not None else news.get()) == _CLOSE:
                    return
                if who is not None:
                    seconds = monotonic() - asked_at
                    log.warning("the hub was kept busy for %.2f s in all, by %s", seconds, who)
        except ValueError:
            # The loop has been destroyed: there is no hub any more.
            return
        finally:
            ended.put(_ENDED)

    def _report(self, hub_thread: int, seconds: float) -> str | None:
        """Log what the hub's thread runs and return who runs; None where nobody waits for it."""
        frame = sys._current_frames().get(hub_thread)
        processes = tuple(self.node.processes.values())
        if not processes:
            return None
        who = _who(processes, frame)
        log.warning(
            "%s has kept the hub busy for %.3f s so far (allowed: %g s); nothing else of node %s "
            "runs meanwhile. It is at\n%s",
            who,
            seconds,
            self.threshold,
            self.node.id,
            "".join(traceback.format_stack(frame)).rstrip() if frame else "  (its thread is gone)",
        )
        return who


def running_process(processes: tuple[Process, ...]) -> Process | None:
    """Return which of ``processes`` is running in their thread, seen from another thread.

    None when what runs is the hub, a callback of it or a greenlet that is no process.
    """
    for process in processes:
        target = process.greenlet
        # Started, not ended, and not put aside: so it is the one that runs.
        if target is not None and target and target.gr_frame is None:
            return process
    return None


def running_request(frame: FrameType | None) -> str | None:
    """Return method and path of the request that a stack answers; None where it answers none."""
    while frame is not None:
        if "environ" in frame.f_code.co_varnames:
            environ = frame.f_locals.get("environ")
            if isinstance(environ, dict) and "REQUEST_METHOD" in environ:
                path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}"
                return f"{environ['REQUEST_METHOD']} {path}"
        frame = frame.f_back
    return None


def _who(processes: tuple[Process, ...], frame: FrameType | None) -> str:
    process = running_process(processes)
    if process is not None:
        return f"{process.pid} ({_on_one_line(process.entry)})"
    request = running_request(frame)
    if request is not None:
        return f"a request that is no process ({_on_one_line(request)})"
    if frame is None:
        return "code of no process"
    code = frame.f_code
    return f"code of no process ({code.co_name} at {code.co_filename}:{frame.f_lineno})"


def _on_one_line(text: str) -> str:
    """Return a text that a client may have chosen, such as a path, for a line of the log."""
    cut = text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
    return cut if cut.isprintable() else repr(cut)[1:-1]


def _wait(news: Any, seconds: float, hub_thread: int) -> tuple[int | None, float]:
    """Return what is heard within ``seconds``, and for how much longer the hub's thread held us.

    Only what that thread has computed counts: all of a busy machine is late.
    """
    began_at, computed = monotonic(), _computing_time(hub_thread)
    heard = _next(news, seconds)
    late = monotonic() - began_at - seconds
    return heard, min(late, _computing_time(hub_thread) - computed)


def _computing_time(thread: int) -> float:
    return clock_gettime(pthread_getcpuclockid(thread)) if pthread_getcpuclockid else 0.0


def _next(news: Any, timeout: float) -> int | None:
    try:
        return int(news.get(timeout=timeout))
    except Empty:
        return None
