"""The parent of workers: ``greenrelay run`` with ``--workers`` or ``--reload``.

Source: Operations, "Command line". It reads the configuration, listens, starts an engine where one
is missing, and starts programs that serve: ``greenrelay run`` again, with an assignment. It has
no node, imports no code of the application and accepts no client.

Why not gunicorn's master: its workers serve one app on all addresses, where each http.service has
its own here, with TLS and bounds of its own; a SIGHUP replaces them, where sockets stay open here;
and it forks, which would need a Python that nobody has patched.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import gevent
from gevent.event import Event as Flag
from gevent.pool import Group

from greenrelay.boot import read
from greenrelay.cli.watch import Watch, folders_of
from greenrelay.cli.workers_crew import Crew, Job, command_for
from greenrelay.cli.workers_engine import VARIABLE, DevelopmentEngine, entry_in_want
from greenrelay.cli.workers_listening import CannotListen, Listeners
from greenrelay.errors import ConfigError, EngineError

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# How long the workers of an older state of the files have to drain.
PATIENCE = 5.0


@dataclass(frozen=True, slots=True)
class Orders:
    """What was typed: files and ``--set``, all arguments for a worker, and the two options."""

    files: Sequence[str]
    settings: Sequence[str]
    arguments: Sequence[str]
    count: int
    is_reloading: bool


class CannotStart(Exception):
    """Why nothing was started, and the exit status that tells of it."""

    def __init__(self, error: Exception, status: int) -> None:
        super().__init__(str(error))
        self.status = status


class Parent:
    """Runs workers until it is told to stop."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._listeners = Listeners()
        self._engine = DevelopmentEngine()
        self._crew: Crew | None = None
        # Something has happened: it was told to stop, or a file has changed.
        self._news = Flag()
        self._told = 0
        self._is_told_again = False

    def run(self) -> int:
        """Serve, and return the exit status; a second signal ends this process by itself."""
        watchers = [gevent.signal_handler(each, self._on_end, each) for each in SIGNALS]
        hangup = gevent.signal_handler(signal.SIGHUP, self._on_hangup)
        watching = Group()
        if self._orders.is_reloading:
            # The files as they are now, before anything is read.
            watching.spawn(self._watch, Watch(folders_of(self._orders.files)))
        try:
            status = self._run()
        finally:
            watching.kill()
            self._listeners.close()
            self._engine.stop()
            hangup.cancel()
            for watcher in watchers:
                watcher.cancel()
        if self._is_told_again:
            signal.signal(self._told, signal.SIG_DFL)
            os.kill(os.getpid(), self._told)
        return status

    def _run(self) -> int:
        while True:
            self._news.clear()
            status = self._serve()
            if self._told or not self._orders.is_reloading:
                return status
            if status:
                click.echo("waiting for a file to change", err=True)
                self._news.wait()
            if self._told:
                return 0

    def _serve(self) -> int:
        """Serve one state of the files; return the exit status."""
        try:
            crew = self._crew = Crew(self._orders.count, self._job())
        except CannotStart as error:
            click.echo(str(error), err=True)
            return error.status
        status = 0 if self._told else crew.start(self._news)
        if status:
            return 0 if self._told else status
        for line in crew.lines:
            click.echo(line)
        sys.stdout.flush()
        self._news.wait()
        if not self._told:
            crew.end(signal.SIGTERM)
            crew.join(PATIENCE)
            return 0
        # Those that drain still listen, and say why nobody is taken any more.
        self._listeners.hand_over()
        crew.join()
        return 0

    def _job(self) -> Job:
        """Return what workers do; raises CannotStart."""
        orders = self._orders
        try:
            configuration = read(list(orders.files), orders.settings)
            services = [each for each in configuration.servers if each.lifecycle.auto_start]
            entry = entry_in_want(configuration, orders.count)
            self._listeners.listen(services)
            url = "" if entry is None else self._engine.url()
        except ConfigError as error:
            raise CannotStart(error, 2) from error
        except (CannotListen, EngineError) as error:
            raise CannotStart(error, 1) from error
        return Job(
            command_for(orders.arguments),
            self._listeners.found(),
            url,
            {VARIABLE: url} if url else {},
        )

    def _on_end(self, number: int) -> None:
        self._is_told_again = bool(self._told)
        self._told = number
        self._news.set()
        if self._crew is not None:
            self._crew.end(signal.SIGKILL if self._is_told_again else number)

    def _on_hangup(self) -> None:
        if self._crew is not None and not self._told:
            self._crew.hangup()

    def _watch(self, watch: Watch) -> None:
        while True:
            changed = Path(watch.wait())
            shown = changed.relative_to(Path.cwd()) if Path.cwd() in changed.parents else changed
            click.echo(f"{shown} has changed: starting again", err=True)
            self._news.set()
