"""``greenrelay run``: serve a configuration with gevent's own server.

Source: Operations, "Command line"; HTTP, "Three ways in" and "Entries", row http.service.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter

import click
import gevent
from flask import Flask
from gevent.event import Event as Flag

from greenrelay.admin.command import Program
from greenrelay.admin.endpoint import Endpoint
from greenrelay.boot import LOOK_INTERVAL, has_started
from greenrelay.cli.files import fail, files_of, takes_files
from greenrelay.cli.hangup import Hangup
from greenrelay.cli.logs import FORMATS, TEXT, set_up
from greenrelay.config.entries import HttpService
from greenrelay.errors import ConfigError, EngineError
from greenrelay.extension import create_apps
from greenrelay.http.state import AppState, state_of
from greenrelay.transport.server import Server

log = logging.getLogger("greenrelay.cli")

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Site:
    """One http.service: what it serves, and its server."""

    service: HttpService
    state: AppState
    server: Server


@click.command()
@takes_files
@click.option(
    "--log-format",
    type=click.Choice(FORMATS),
    default=TEXT,
    help="How log lines look; text unless given.",
)
def run(files: Sequence[str], settings: Sequence[str], log_format: str) -> None:
    """Serve FILEs (config.yaml) until SIGTERM or Ctrl-C, then drain.

    Several FILEs are one configuration. SIGHUP reads them again. A second SIGTERM or Ctrl-C ends
    it at once. Exit status: 0 after a drain, 1 when an address cannot be listened on, 2 for a
    configuration error, with nothing started.
    """
    named = files_of(files)
    set_up(log_format)
    try:
        apps = create_apps(named, settings=settings)
        sites = _sites(apps, ", ".join(named))
    except ConfigError as error:
        fail(str(error))
    told = Flag()
    hangup = Hangup(apps)
    watchers = [gevent.signal_handler(number, told.set) for number in SIGNALS]
    for site in sites:
        try:
            site.server.listen()
        except OSError as error:
            fail(f"cannot listen on {site.service.addr}: {_why(error)}", 1)
    # One for all: each app has its own where something else serves it.
    endpoint = Endpoint(Program(apps, is_split=True))
    endpoint.start()
    _serve(sites, ", ".join(named), told)
    hangup.start()
    told.wait()
    hangup.stop()
    for number, watcher in zip(SIGNALS, watchers, strict=True):
        watcher.cancel()
        signal.signal(number, signal.SIG_DFL)
    _stop(sites)
    endpoint.stop()


def _sites(apps: Sequence[Flask], config: str) -> list[Site]:
    """Return what is to be served, in the order in which it starts."""
    found: dict[str, Site] = {}
    states = [state_of(app) for app in apps]
    for app, state in zip(apps, states, strict=True):
        (service,) = state.servers
        if service.lifecycle.auto_start:
            found[service.id] = Site(service, state, _server(app, service, state))
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


def _server(app: object, service: HttpService, state: AppState) -> Server:
    address, tls, bounds = service.addr, service.tls, state.bounds
    assert bounds is not None, "a state with a server has its bounds"
    try:
        return Server(
            app,
            host=address.host,
            port=address.port,
            path=address.path,
            certificate=tls.cert,
            key=tls.key,
            **asdict(bounds),
        )
    except OSError as error:
        why = f"{tls.cert} with tls.key {tls.key} cannot be used: {_why(error)}"
        raise ConfigError([str(service.problem("tls.cert", why))]) from error


def _serve(sites: Sequence[Site], config: str, told: Flag) -> None:
    """Start everything; clients that come before the services they need have to wait."""
    for site in sites:
        try:
            site.state.start()
        except EngineError as error:
            fail(str(error), 1)
    for site in sites:
        _await_required(site, {each.service.id for each in sites}, told)
        site.server.start()
        what = config if len(sites) == 1 else f"{site.service.id} of {config}"
        click.echo(f"greenrelay serves {what} on {site.server.url}")
    sys.stdout.flush()


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


def _why(error: OSError) -> str:
    # gevent adds the address to the text, and errors of name resolution have numbers of their own.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else f"{error.strerror or error}"
