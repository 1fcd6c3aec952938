"""``greenrelay run``: serve a configuration with gevent's own server.

Source: Operations, "Command line"; HTTP, "Three ways in".
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from typing import NoReturn

import click
import gevent
from gevent.event import Event as Flag

from greenrelay.config.entries import HttpService
from greenrelay.errors import ConfigError
from greenrelay.extension import create_app
from greenrelay.http.state import AppState, state_of
from greenrelay.transport.server import Server

log = logging.getLogger("greenrelay.cli")

SIGNALS = (signal.SIGTERM, signal.SIGINT)
REQUEST_GRACE = 10.0


@click.command()
@click.argument("config", default="config.yaml", type=click.Path())
def run(config: str) -> None:
    """Serve CONFIG (config.yaml) until SIGTERM or Ctrl-C, then drain.

    A second SIGTERM or Ctrl-C ends it at once. Exit status: 0 after a drain, 1 when the address
    cannot be listened on, 2 for a configuration error, with nothing started.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        app = create_app(config)
        state = state_of(app)
        service = _service(config, state)
        server = _server(app, service)
    except ConfigError as error:
        _fail(2, str(error))
    told = Flag()
    watchers = [gevent.signal_handler(number, told.set) for number in SIGNALS]
    try:
        server.start()
    except OSError as error:
        _fail(1, f"cannot listen on {service.addr}: {_why(error)}")
    state.start()
    click.echo(f"greenrelay serves {config} on {server.url}")
    sys.stdout.flush()
    told.wait()
    for number, watcher in zip(SIGNALS, watchers, strict=True):
        watcher.cancel()
        signal.signal(number, signal.SIG_DFL)
    _stop(server, state)


def _service(config: str, state: AppState) -> HttpService:
    if not state.servers:
        raise ConfigError([f"{config}: no entry of kind http.service says where to listen"])
    service, *others = state.servers
    for other in others:
        log.warning("%s", other.problem("addr", f"is not served; only {service.id} is"))
    return service


def _server(app: object, service: HttpService) -> Server:
    address, tls = service.addr, service.tls
    try:
        return Server(
            app,
            host=address.host,
            port=address.port,
            path=address.path,
            certificate=tls.cert,
            key=tls.key,
        )
    except OSError as error:
        why = f"{tls.cert} with tls.key {tls.key} cannot be used: {_why(error)}"
        raise ConfigError([str(service.problem("tls.cert", why))]) from error


def _stop(server: Server, state: AppState) -> None:
    count = len(state.connections)
    log.info("stopping, with %d open connections; the same signal again ends it at once", count)
    # While it drains it still listens: whoever asks for a WebSocket now gets 503 and Retry-After.
    state.drain()
    server.close()
    server.stop(REQUEST_GRACE)
    state.stop()
    log.info("stopped")


def _why(error: OSError) -> str:
    # gevent adds the address to the text, and errors of name resolution have numbers of their own.
    number = error.errno or 0
    return os.strerror(number) if number > 0 else f"{error.strerror or error}"


def _fail(status: int, text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(status)
