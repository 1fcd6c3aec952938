"""``greenrelay run``: serve a configuration with gevent's own server.

Source: Operations, "Command line"; HTTP, "Three ways in".
"""

from __future__ import annotations

import logging
import signal
import sys

import click
import gevent
from gevent.event import Event as Flag

from greenrelay.boot import read
from greenrelay.config.entries import HttpService
from greenrelay.errors import ConfigError
from greenrelay.extension import create_app
from greenrelay.http.state import state_of
from greenrelay.transport.server import Server

log = logging.getLogger("greenrelay.cli")


@click.command()
@click.argument("config", default="config.yaml", type=click.Path(exists=True, dir_okay=False))
def run(config: str) -> None:
    """Serve CONFIG (config.yaml) until SIGTERM or Ctrl-C, then drain.

    Exit status 0 after a drain, 1 when the address cannot be listened on, 2 for a configuration
    error, with nothing started.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        service = _service(config)
        app = create_app(config)
    except ConfigError as error:
        click.echo(str(error), err=True)
        sys.exit(2)
    state = state_of(app)
    address = service.addr
    server = Server(
        app,
        host=address.host,
        port=address.port,
        path=address.path,
        certificate=service.tls.cert,
        key=service.tls.key,
    )
    try:
        server.start()
    except OSError as error:
        click.echo(f"cannot listen on {address}: {error.strerror or error}", err=True)
        sys.exit(1)
    state.start()
    told = Flag()
    for number in (signal.SIGTERM, signal.SIGINT):
        gevent.signal_handler(number, told.set)
    click.echo(f"greenrelay serves {config} on {server.url}")
    sys.stdout.flush()
    told.wait()
    log.info("stopping: draining %d connections", len(state.connections))
    server.close()
    state.stop()
    server.stop(timeout=1)


def _service(config: str) -> HttpService:
    servers = read(config).servers
    if not servers:
        raise ConfigError([f"{config}: no entry of kind http.service says where to listen"])
    return servers[0]
