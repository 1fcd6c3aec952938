"""``greenrelay cluster``: an engine for development, and a look at engine and nodes.

Source: Cluster, "The engine".
"""

from __future__ import annotations

import secrets
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

import click
import gevent
from gevent.event import Event as Flag

from greenrelay.admin.client import Endpoint
from greenrelay.cli.files import fail, read_or_fail, table, takes_files
from greenrelay.cli.remote import asks_a_program, show
from greenrelay.cluster.engine import Engine, Member
from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.errors import EngineError

HEAD = (
    *("NODE", "STATE", "PROCESSES", "SOCKETS", "GROUPS", "NAMES", "FRAMES"),
    *("PROGRAM", "INCARNATION"),
)
# The others are heard of by their heartbeats.
LISTENING = 1.5


class _Deaf:
    """A sink that is told what a look at an engine does not need."""

    def on_frame(self, source: str, frame: bytes, topic: str | None) -> None:
        """Drop it."""

    def on_node_up(self, member: Member) -> None:
        """Leave that to ``nodes``."""

    def on_node_down(self, member: Member, reason: str) -> None:
        """Leave that to ``nodes``."""

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
    """Connect to the engine that FILEs (config.yaml) name, take a name, and list the nodes.

    Exit status: 0, 1 when the engine cannot be used, 2 for a configuration that is wrong.
    """
    found = read_or_fail(files, settings).clusters
    if not found:
        fail("no entry of kind cluster: each program is a system of its own")
    engine = engine_at(found[0].engine, found[0].app)
    me = Member(f"check.{secrets.token_hex(4)}", "1")
    name = f"greenrelay check {me.node}"
    try:
        _step("connected", lambda: engine.start(me, _Deaf()))
        _step("a name can be taken", lambda: _claim(engine, name, me.node))
        _step("and given back", lambda: engine.release(name, me.node))
        gevent.sleep(LISTENING)
        nodes = engine.nodes()
    finally:
        engine.stop()
    for each in nodes:
        click.echo(f"node   {each.node}")
    click.echo(f"{len(nodes)} nodes of {found[0].app!r} are there")


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


def _claim(engine: Engine, name: str, owner: str) -> None:
    taken_by = engine.claim(name, owner)
    if taken_by != owner:
        raise EngineError("names", f"{name!r} belongs to {taken_by}")


def _step(what: str, function: Callable[[], object]) -> None:
    try:
        function()
    except EngineError as error:
        fail(f"wrong  {what}: {error}", 1)
    click.echo(f"ok     {what}")
