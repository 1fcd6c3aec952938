"""``greenrelay cluster``: an engine for development, and a look at engine and nodes.

Source: Cluster, "The engine".
"""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence

import click
import gevent
from gevent.event import Event as Flag

from greenrelay.admin.client import Endpoint
from greenrelay.cli.files import read_or_fail, takes_files
from greenrelay.cli.printing import fail, table
from greenrelay.cli.remote import asks_a_program, show
from greenrelay.cluster.address import parse_address
from greenrelay.cluster.engine import Engine, Member, is_looker, looker
from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.errors import EngineError

HEAD = (
    *("NODE", "STATE", "PROCESSES", "SOCKETS", "GROUPS", "NAMES", "FRAMES"),
    *("PROGRAM", "INCARNATION"),
)
# The others are heard of by their heartbeats.
LISTENING = 1.5
# How long the end of a connection may take to be heard of, and how often that is looked at.
PATIENCE, STEP = 5.0, 0.01
# Seconds. Names and leases do not depend on it; what carries a time does.
ALLOWED_SKEW = 1.0
CONNECTED = "connected: version, permissions and JetStream are as they must be"


class _Deaf:
    """A sink that is told what a look at an engine does not need but which nodes are gone."""

    def __init__(self) -> None:
        # Why, by their ids.
        self.gone: dict[str, str] = {}

    def on_frame(self, source: str, frame: bytes, topic: str | None) -> None:
        """Drop it."""

    def on_node_up(self, member: Member) -> None:
        """Leave that to ``nodes``."""

    def on_node_down(self, member: Member, reason: str) -> None:
        """Take note of it."""
        self.gone[member.node] = reason

    def on_gap(self, source: str) -> None:
        """Nothing was expected."""

    def on_engine(self, is_reachable: bool) -> None:
        """The next step shows it."""


@click.group()
def cluster() -> None:
    """Run an engine for development, look at the one of a configuration, or at the nodes."""


@cluster.command()
@click.option("--port", type=int, default=0, metavar="NUMBER", help="A free one unless given.")
def dev(port: int) -> None:
    """Run a NATS server for development until Ctrl-C, and print its address.

    On loopback, in memory, with a password of its own. It comes with greenrelay[cluster].
    """
    told = Flag()
    watchers = [gevent.signal_handler(each, told.set) for each in (signal.SIGINT, signal.SIGTERM)]
    try:
        with DevelopmentServer(port=port) as server:
            click.echo(server.url)
            sys.stdout.flush()
            told.wait()
    except EngineError as error:
        fail(str(error), 1)
    finally:
        for watcher in watchers:
            watcher.cancel()


@cluster.command()
@takes_files
def check(files: Sequence[str], settings: Sequence[str]) -> None:
    """Try the engine that FILEs (config.yaml) name, and list the nodes, which see nothing of it.

    Exit status: 0, 1 when the engine cannot be used, 2 for a configuration that is wrong.
    """
    found = read_or_fail(files, settings).clusters
    if not found:
        fail("no entry of kind cluster: each program is a system of its own")
    address, app = found[0].engine, found[0].app
    if parse_address(address).is_local:
        fail("wrong  engine 'local': it connects nothing; the entry wants an address, nats://…", 1)
    engine, sink = engine_at(address, app), _Deaf()
    me = looker(_own_name())
    name = f"greenrelay check {me.node}"
    try:
        _step(CONNECTED, lambda: engine.start(me, sink))
        _step("a name can be taken", lambda: _claim(engine, name, me.node))
        _step("and given back", lambda: engine.release(name, me.node))
        _step("the server's clock", lambda: _look_at_clock(engine))
        _step("news of a connection that ends", lambda: _look_at_news(address, app, sink))
        gevent.sleep(LISTENING)
        nodes = [each for each in engine.nodes() if not is_looker(each)]
    finally:
        engine.stop()
    for each in nodes:
        click.echo(f"node   {each.node}")
    click.echo(f"{len(nodes)} nodes of {app!r} are there")


@cluster.command()
@asks_a_program
def nodes(program: Endpoint, as_json: bool) -> None:
    """List the nodes that a running program sees, with the names of the cluster.

    What runs on another node is told by its dashboard, if it has one.
    """
    found = program.ask("cluster")
    if as_json:
        show(found)
        return
    click.echo(table([HEAD, *map(_row, found["nodes"])]))
    if found["is_alone"]:
        click.echo("\nthere is one node: no engine connects it with others")
        return
    if found["names"]:
        rows = [(each["name"], each["pid"]) for each in found["names"]]
        click.echo("\n" + table([("NAME", "PID"), *rows]))
    if not found["is_reachable"]:
        fail("the engine cannot be reached: after 3 s the other nodes count as gone", 1)


def _row(each: Mapping[str, object]) -> tuple[str, ...]:
    names = ("node", "state", "processes", "sockets", "group_count", "name_count", "frames")
    cells = [str(each.get(name, "-")) for name in (*names, "worker", "incarnation")]
    return (f"{cells[0]}{' (asked)' if each.get('is_here') else ''}", *cells[1:])


def _own_name() -> str:
    # As the nodes of this machine are named: permissions may be by name.
    return socket.gethostname().split(".")[0] or "node"


def _claim(engine: Engine, name: str, owner: str) -> None:
    taken_by = engine.claim(name, owner)
    if taken_by != owner:
        raise EngineError("names", f"{name!r} belongs to {taken_by}")


def _look_at_clock(engine: Engine) -> str:
    skew = engine.skew()
    if abs(skew) <= ALLOWED_SKEW:
        return ""
    ahead = f"it is {abs(skew):.1f} s {'ahead of' if skew > 0 else 'behind'} this machine's"
    return f"{ahead}; {ALLOWED_SKEW:g} s at most, or signed tokens end early or late on some nodes"


def _look_at_news(address: str, app: str, sink: _Deaf) -> str:
    """Let a second client vanish, and see how the first hears of it."""
    other = looker(_own_name())
    second = engine_at(address, app)
    try:
        second.start(other, _Deaf())
    finally:
        second.crash()
    with gevent.Timeout(PATIENCE, False):  # type: ignore[arg-type]  # gevent's own idiom
        while other.node not in sink.gone:
            gevent.sleep(STEP)
    if sink.gone.get(other.node) == "disconnected":
        return ""
    return "none comes from the server: a dead node is noticed after 2 s only"


def _step(what: str, function: Callable[[], str | None]) -> None:
    """Do what has to be right; what it returns is a warning."""
    try:
        warning = function()
    except EngineError as error:
        fail(f"wrong  {what}: {error}", 1)
    click.echo(f"warn   {what}: {warning}" if warning else f"ok     {what}")
