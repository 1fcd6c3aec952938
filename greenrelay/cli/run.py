"""``greenrelay run``: serve a configuration with gevent's own server.

Source: Operations, "Command line"; HTTP, "Three ways in" and "Entries", row http.service.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from graphlib import TopologicalSorter

import click
import gevent
from flask import Flask
from gevent.event import Event as Flag

from greenrelay.admin.command import Program
from greenrelay.admin.endpoint import Endpoint
from greenrelay.boot import LOOK_INTERVAL, has_started, read
from greenrelay.cli.files import files_of, takes_files
from greenrelay.cli.hangup import Hangup
from greenrelay.cli.logs import FORMATS, TEXT, set_up
from greenrelay.cli.printing import fail
from greenrelay.cli.workers import SIGNALS, Orders, Parent
from greenrelay.cli.workers_assignment import Assignment, Greeting, Line
from greenrelay.cli.workers_engine import settings_for
from greenrelay.cli.workers_listening import CannotListen, SharedServer, server_for
from greenrelay.config.entries import HttpService
from greenrelay.errors import ConfigError, EngineError
from greenrelay.extension import create_apps
from greenrelay.http.state import AppState, state_of
from greenrelay.runtime.fork import silence
from greenrelay.transport.server import Server

log = logging.getLogger("greenrelay.cli")


@dataclass(frozen=True, slots=True)
class Site:
    """One http.service: what it serves, and its server."""

    service: HttpService
    state: AppState
    server: Server


@click.command()
@takes_files
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=1,
    metavar="NUMBER",
    help="How many OS processes share the addresses; 1 unless given.",
)
@click.option(
    "--reload",
    "is_reloading",
    is_flag=True,
    help="Start again when a Python or YAML file changes; for development.",
)
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default=TEXT,
    help="How log lines look; text unless given.",
)
def run(
    files: Sequence[str],
    settings: Sequence[str],
    workers: int,
    is_reloading: bool,
    log_format: str,
) -> None:
    """Serve FILEs (config.yaml) until SIGTERM or Ctrl-C, then drain.

    Several FILEs are one configuration. SIGHUP reads them again. A second SIGTERM or Ctrl-C ends
    it at once. Exit status: 0 after a drain, 1 when an address cannot be listened on or an engine
    not be used, 2 for a configuration error, with nothing started.

    With several workers and an entry of kind cluster whose engine is local, a NATS server for
    development is started, which comes with greenrelay[cluster].
    """
    named = files_of(files)
    set_up(log_format)
    assignment = Assignment.take()
    if assignment is not None:
        _serve_until_told(named, settings, assignment)
    elif workers > 1 or is_reloading:
        given = [f"--set={each}" for each in settings]
        arguments = [f"--log-format={log_format}", *given, "--", *named]
        sys.exit(Parent(Orders(named, settings, arguments, workers, is_reloading)).run())
    else:
        _serve_until_told(named, settings, None)


def _serve_until_told(
    named: Sequence[str], settings: Sequence[str], assignment: Assignment | None
) -> None:
    line = Line(assignment.line) if assignment else None
    hangup = Hangup()
    try:
        apps = create_apps(named, settings=_given(named, settings, assignment))
        sites = _sites(apps, ", ".join(named), assignment)
    except ConfigError as error:
        fail(str(error))
    told = Flag()
    watchers = [gevent.signal_handler(number, told.set) for number in SIGNALS]
    os.register_at_fork(after_in_child=partial(_be_no_server, line))
    for site in sites:
        try:
            site.server.listen()
        except OSError as error:
            fail(str(CannotListen(site.service, error)), 1)
    # One for all: each app has its own where something else serves it.
    endpoint = Endpoint(Program(apps, is_split=True))
    endpoint.start()
    lines = _serve(sites, ", ".join(named), told)
    if line is None:
        _print(lines)
    else:
        line.say(Greeting(sites[0].state.node.id, list(lines)))
    hangup.start(apps)
    if line is not None:
        line.watch(told)
    told.wait()
    hangup.stop()
    if line is None:
        for number, watcher in zip(SIGNALS, watchers, strict=True):
            watcher.cancel()
            signal.signal(number, signal.SIG_DFL)
    # To a worker the first one may come twice: from its parent, and from what stops all processes
    # of a program at once, as systemd does. At the second one its parent kills it.
    _stop(sites)
    endpoint.stop()
    if line is not None:
        line.close()


def _given(
    named: Sequence[str], settings: Sequence[str], assignment: Assignment | None
) -> list[str]:
    if assignment is None or not assignment.engine:
        return [*settings]
    return [*settings_for(read(named, settings), assignment.engine), *settings]


def _be_no_server(line: Line | None) -> None:
    """Be ended, in a forked child, by what ends any process, as multiprocessing's terminate()."""
    for number in (*SIGNALS, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    if line is not None:
        silence([line])


def _print(lines: Iterable[str]) -> None:
    for each in lines:
        click.echo(each)
        sys.stdout.flush()


def _sites(apps: Sequence[Flask], config: str, assignment: Assignment | None) -> list[Site]:
    """Return what is to be served, in the order in which it starts."""
    found: dict[str, Site] = {}
    states = [state_of(app) for app in apps]
    for app, state in zip(apps, states, strict=True):
        (service,) = state.servers
        if assignment is not None and service.id not in assignment.listeners:
            # The file has changed since the parent has read it.
            log.warning("%s is not served until the program is started again", service.id)
        elif service.lifecycle.auto_start:
            found[service.id] = Site(service, state, _server(app, service, state, assignment))
        else:
            log.info("%s is not served: lifecycle.auto_start is false", service.id)
    if not found:
        what = "is to be started" if states else "says where to listen"
        raise ConfigError([f"{config}: no entry of kind http.service {what}"])
    _keep_what_belongs_to_the_node(states, found)
    graph = {key: set(site.service.lifecycle.requires) for key, site in found.items()}
    return [found[key] for key in TopologicalSorter(graph).static_order() if key in found]


def _keep_what_belongs_to_the_node(states: list[AppState], found: dict[str, Site]) -> None:
    # The services are started by the first app, be it served or not.
    first = next(iter(found.values())).state
    if states[0] is not first:
        first.starters[:0] = states[0].starters


def _server(
    app: object, service: HttpService, state: AppState, assignment: Assignment | None
) -> Server:
    assert state.bounds is not None, "a state with a server has its bounds"
    options = {"application": app, **asdict(state.bounds)}
    if assignment is None:
        return server_for(service, Server, **options)
    descriptor, url = assignment.listeners[service.id]
    return server_for(service, SharedServer, descriptor=descriptor, url=url, **options)


def _serve(sites: Sequence[Site], config: str, told: Flag) -> Iterator[str]:
    """Start everything, and tell of each server what to print once it serves.

    Clients that come before the services they need have to wait.
    """
    for site in sites:
        try:
            site.state.start()
        except EngineError as error:
            fail(str(error), 1)
    for site in sites:
        _await_required(site, {each.service.id for each in sites}, told)
        site.server.start()
        what = config if len(sites) == 1 else f"{site.service.id} of {config}"
        yield f"greenrelay serves {what} on {site.server.url}"


def _await_required(site: Site, served: Collection[str], told: Flag) -> None:
    lifecycle, node = site.service.lifecycle, site.state.node
    # Those that are no services are there by now.
    wanted = [key for key in lifecycle.requires if key not in node.hosts and key not in served]
    clock = gevent.get_hub().loop
    until = clock.now() + lifecycle.start_timeout
    while wanted and not told.is_set():
        if clock.now() >= until:
            log.warning(
                "%s starts without %s: not started within lifecycle.start_timeout, %g s",
                site.service.id,
                ", ".join(wanted),
                lifecycle.start_timeout,
            )
            return
        gevent.sleep(LOOK_INTERVAL)
        wanted = [key for key in wanted if not has_started(node, key)]


def _stop(sites: Sequence[Site]) -> None:
    count = sum(len(site.state.connections) for site in sites)
    log.info("stopping, with %d open connections; the same signal again ends it at once", count)
    # While it drains it still listens: whoever asks for a WebSocket now gets 503 and Retry-After.
    _all_at_once([site.state.drain for site in sites])
    for site in sites:
        site.server.close()
    _all_at_once([_stopper(site) for site in sites])
    sites[0].state.node.shutdown()
    log.info("stopped")


def _stopper(site: Site) -> Callable[[], None]:
    return lambda: site.server.stop(site.service.lifecycle.stop_timeout)


def _all_at_once(functions: Sequence[Callable[[], object]]) -> None:
    gevent.joinall([gevent.spawn(function) for function in functions], raise_error=True)
