"""Worker processes, each started again when it dies.

Source: Operations, "Command line", ``--workers``. The first worker starts alone: what is wrong with
the program shows in it, is told once, and ends the start. Each worker has a session of its own, so
that Ctrl-C in a terminal comes to the parent alone, which hands it on.
"""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import gevent
from gevent.event import Event as Flag

from greenrelay.cli.workers_assignment import Assignment, Greeting, hear
from greenrelay.core.restart import Backoff, RestartPolicy

log = logging.getLogger("greenrelay.cli")
POLICY = RestartPolicy(initial_delay=0.2, max_delay=30.0)


@dataclass(frozen=True, slots=True)
class Job:
    """What every worker of a crew does: a command, and what is handed to it."""

    command: Sequence[str]
    listeners: Mapping[str, tuple[int, str]]
    engine: str = ""
    variables: Mapping[str, str] | None = None

    def start(self, number: int) -> tuple[subprocess.Popen[bytes], socket.socket]:
        """Start a worker; return it and the parent's end of its line; raises OSError."""
        mine, theirs = socket.socketpair()
        with theirs:
            given = Assignment(number, theirs.fileno(), self.listeners, self.engine)
            descriptors = [descriptor for descriptor, _ in self.listeners.values()]
            try:
                process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    env={**os.environ, **(self.variables or {}), **given.environment()},
                    pass_fds=(given.line, *descriptors),
                    start_new_session=True,
                )
            except OSError:
                mine.close()
                raise
        return process, mine


class Worker:
    """A place in the crew, with the OS process that has it at the moment.

    ``greeting`` is what the first of them has said when it was ready, and ``status`` how it ended
    if it never was; ``settled`` is set when either is known.
    """

    def __init__(self, number: int, job: Job) -> None:
        self.number = number
        # What is wrong with the program shows in the first one, before any other is started.
        self._is_vital = number == 1
        self.greeting: Greeting | None = None
        self.status = 0
        self.settled = Flag()
        self._job = job
        self._process: subprocess.Popen[bytes] | None = None
        self._is_ready = False
        # How long the last process has served.
        self._lasted = 0.0
        self._is_hangup_due = False
        self._is_over = Flag()
        self._backoff = Backoff(POLICY)
        self._greenlet = gevent.Greenlet(self._run)

    def start(self) -> None:
        """Start it, and start it again whenever it dies, once it has been ready."""
        self._greenlet.start()

    def end(self, number: int) -> None:
        """Let it go: with a signal, and never to come back."""
        self._is_over.set()
        self._signal(number)

    def hangup(self) -> None:
        """Let it read its configuration again, as soon as it can."""
        self._is_hangup_due = not self._is_ready
        if self._is_ready:
            self._signal(signal.SIGHUP)

    def join(self, timeout: float | None) -> None:
        """Wait until it has ended."""
        if self._greenlet.started or self._greenlet.ready():
            self._greenlet.join(timeout)

    def _signal(self, number: int) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _run(self) -> None:
        while not self._is_over.is_set():
            self.status, ending = self._live()
            if self._is_over.is_set() or (self.greeting is None and self._is_vital):
                if not self._is_over.is_set() and self.status <= 0:
                    # It cannot have said itself what is wrong.
                    log.error("worker %d %s; nothing is served", self.number, ending)
                break
            delay = self._backoff.next_delay(self._lasted, random.random())
            assert delay is not None, "the policy has no end"
            what = "worker %d %s; it is started again in %.1f s"
            log.error(what, self.number, ending, delay)
            self._is_over.wait(delay)
        self.settled.set()

    def _live(self) -> tuple[int, str]:
        """Start the process and wait for its end; return its status, and in words what it was."""
        self._lasted = 0.0
        try:
            process, line = self._job.start(self.number)
        except OSError as error:
            # As of a machine that has no more memory, processes or files for a moment.
            return 0, f"cannot be started: {error.strerror or error}"
        self._process = process
        if self._is_over.is_set():
            # It was told while the process was on its way.
            self._signal(signal.SIGTERM)
        with line:
            greeting = hear(line)
            served_from = time.monotonic()
            if greeting is not None:
                self._serves(greeting)
            process.wait()
        self._lasted = time.monotonic() - served_from if greeting is not None else 0.0
        self._process = None
        self._is_ready = False
        status = process.returncode
        return status, f"(process {process.pid}) {ending_of(status)}"

    def _serves(self, greeting: Greeting) -> None:
        assert self._process is not None, "it has just spoken"
        what = "worker %d (process %d, node %s) serves"
        log.info(what, self.number, self._process.pid, greeting.node)
        self._is_ready = True
        if self.greeting is None:
            self.greeting = greeting
            self.settled.set()
        if self._is_hangup_due:
            self.hangup()


class Crew:
    """The workers of one start of a program."""

    def __init__(self, count: int, job: Job) -> None:
        self._workers = [Worker(number, job) for number in range(1, count + 1)]

    def start(self, news: Flag) -> int:
        """Start all, the others when the first serves; return 0, or the status it has ended with.

        A first one that was killed, or has ended without a word, counts as 1. With ``news`` nobody
        waits for it any more.
        """
        first, *others = self._workers
        first.start()
        gevent.wait([first.settled, news], count=1)
        if not first.settled.is_set():
            return 0
        if first.greeting is None:
            return first.status if first.status > 0 else 1
        for worker in others:
            worker.start()
        return 0

    @property
    def lines(self) -> Sequence[str]:
        """What there is to be printed now that it serves."""
        greeting = self._workers[0].greeting
        return greeting.lines if greeting else ()

    def hangup(self) -> None:
        """Let every worker read its configuration again."""
        for worker in self._workers:
            worker.hangup()

    def end(self, number: int) -> None:
        """Let every worker go, with a signal."""
        for worker in self._workers:
            worker.end(number)

    def join(self, timeout: float | None = None) -> None:
        """Wait until all have ended; those that have not in time are killed."""
        until = None if timeout is None else time.monotonic() + timeout
        for worker in self._workers:
            worker.join(None if until is None else max(0.0, until - time.monotonic()))
        if until is not None:
            self.end(signal.SIGKILL)
            self.join()


def ending_of(status: int) -> str:
    """Return in words how an OS process has ended."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def command_for(arguments: Sequence[str]) -> list[str]:
    """Return the command line of a worker: this program again, by the same Python."""
    return [sys.executable, "-P", "-m", "greenrelay.cli.main", "run", *arguments]
