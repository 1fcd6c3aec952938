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

from greenrelay.admin.client import AdminError, Answer, Endpoint
from greenrelay.cli.files import read_or_fail, takes_files
from greenrelay.cli.printing import fail, table
from greenrelay.cli.remote import Programs, asks_all_programs, at_once, show
from greenrelay.cluster.address import parse_address
from greenrelay.cluster.engine import Engine, Member, is_looker, looker
from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.server import DevelopmentServer
from greenrelay.config.entries import ClusterEntry
from greenrelay.errors import EngineError

HEAD = (
    *("NODE", "STATE", "PROCESSES", "SOCKETS", "GROUPS", "NAMES", "FRAMES"),
    *("PROGRAM", "INCARNATION"),
)
# The others are heard of by their heartbeats.
LISTENING = 1.5
# How long the end of a connection may take to be heard of, and how often that is looked at.
PATIENCE, STEP = 5.0, 0.01
PORT = click.IntRange(0, 65535)
# Seconds. Names and leases do not depend on it; what carries a time does.
ALLOWED_SKEW = 1.0
CONNECTED = "connection, with version, permissions and JetStream"


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
@click.option("--port", type=PORT, default=0, metavar="NUMBER", help="A free one unless given.")
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
    entry = found[0]
    address, app = entry.engine, entry.app
    if parse_address(address).is_local:
        fail(f"wrong  {_of_local(entry)}", 1)
    engine, sink = engine_at(address, app), _Deaf()
    me = looker(_own_name())
    name = f"greenrelay check {me.node}"
    try:
        _step(CONNECTED, lambda: engine.start(me, sink))
        _step("taking a name", lambda: _claim(engine, name, me.node))
        _step("giving it back", lambda: engine.release(name, me.node))
        _step("the server's clock", lambda: _look_at_clock(engine))
        _step("news of a connection that ends", lambda: _look_at_news(address, app, sink))
        gevent.sleep(LISTENING)
        nodes = [each for each in engine.nodes() if not is_looker(each)]
    finally:
        engine.stop()
    for each in nodes:
        click.echo(f"node   {each.node}")
    what = "1 node" if len(nodes) == 1 else f"{len(nodes)} nodes"
    click.echo(f"{what} of {app!r} {'is' if len(nodes) == 1 else 'are'} there")


@cluster.command()
@asks_all_programs
def nodes(programs: Programs, as_json: bool) -> None:
    """List the nodes that running programs see, with the names of the cluster.

    Of programs that see each other, as workers do, the first is asked. What runs on another node is
    told by its dashboard, if it has one.
    """
    found = _systems(programs)
    if as_json and len(found) > 1:
        asked = ", ".join(str(pid) for pid in found)
        fail(f"{len(found)} systems run; say which with --pid, a program of each: {asked}", 1)
    for number, system in enumerate(found.values()):
        if as_json:
            show(system)
        else:
            click.echo(("\n" if number else "") + _shown(system))
    if any(not each["is_reachable"] for each in found.values()):
        text = "the engine cannot be reached: after 3 s the other nodes count as gone"
        programs.note(AdminError(text))


def _systems(programs: Programs) -> dict[int, Answer]:
    """Return what one program of each system tells of it, by the program's process id."""
    found: dict[int, Answer] = {}
    seen: set[object] = set()
    for program, node in zip(
        programs.endpoints, at_once(_node_of, programs.endpoints), strict=True
    ):
        if node in seen:
            continue
        try:
            if isinstance(node, AdminError):
                raise node
            found[program.pid] = system = program.ask("cluster")
        except AdminError as error:
            programs.note(error)
            continue
        seen.update(each["node"] for each in system["nodes"])
    return found


def _node_of(program: Endpoint) -> object:
    try:
        return program.ask("hello")["node"]
    except AdminError as error:
        return error


def _shown(system: Answer) -> str:
    text = table([HEAD, *map(_row, system["nodes"])])
    if system["is_alone"]:
        return f"{text}\n\nthere is one node: no engine connects it with others"
    if system["names"]:
        rows = [(each["name"], each["pid"]) for each in system["names"]]
        return f"{text}\n\n{table([('NAME', 'PID'), *rows])}"
    return text


def _row(each: Mapping[str, object]) -> tuple[str, ...]:
    names = ("node", "state", "processes", "sockets", "group_count", "name_count", "frames")
    cells = [str(each.get(name, "-")) for name in (*names, "worker", "incarnation")]
    return (f"{cells[0]}{' (asked)' if each.get('is_here') else ''}", *cells[1:])


def _of_local(entry: ClusterEntry) -> str:
    where = " or ".join(entry.variables.get("engine", ()))
    what = f"put one into the environment variable {where}" if where else "write one"
    text = f"is 'local', which connects nothing; {what}, such as nats://user:pass@host"
    return str(entry.problem("engine", text))


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
