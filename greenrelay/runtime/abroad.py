"""Other nodes, as far as a node has to know of them.

Source: Cluster, "What changes for a program". What connects nodes is in the room ``cluster``, which
is loaded where a node is given an engine and nowhere else: it needs a library that is an extra.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from greenrelay.core.events import NOCONNECTION, RESULT_NOPROC, MonitorRef, Result
from greenrelay.core.pid import Pid
from greenrelay.errors import EngineError, ProcessDown
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.process import Process

if TYPE_CHECKING:
    from greenrelay.runtime.info import ProcessInfo
    from greenrelay.runtime.node import Node

MESH = "greenrelay.cluster.mesh"


class Groups(Protocol):
    """The groups of all nodes together; members of this node are not this one's concern."""

    def members(self, group: str, *, waits: bool = True) -> tuple[Pid, ...]:
        """Return the members on other nodes; may wait for the first answer of those."""

    def names(self) -> tuple[str, ...]:
        """Return the groups that have members on other nodes."""

    def broadcast(
        self,
        group: str,
        topic: str,
        payload: object,
        sender: Pid | None,
        context: Mapping[str, object],
    ) -> int:
        """Send a message to the members on other nodes; return how many those are."""


class Names(Protocol):
    """The names that hold on all nodes."""

    def owner(self, name: str) -> Pid | None:
        """Return who has a name, as far as this node has heard."""

    def lookup(self, name: str) -> Pid | None:
        """Return who has a name; may wait."""

    def names(self, pid: Pid) -> tuple[str, ...]:
        """Return the names that ``pid``, of this node, has."""

    def register(self, name: str, process: Process) -> None:
        """Give ``process`` a name; waits. Raises NameTaken, EngineError."""

    def unregister(self, name: str, pid: Pid) -> None:
        """Take a name from ``pid``; waits. Raises UnknownName, NotOwner, EngineError."""

    def release(self, pid: Pid) -> None:
        """Give all names of a process back that has ended."""


class Cluster(Protocol):
    """The other nodes."""

    groups: Groups
    names: Names
    # Whether the engine that carries all this can be reached now.
    is_reachable: bool

    def nodes(self) -> tuple[str, ...]:
        """Return the ids of the other nodes that are there."""

    def find(self, pid: Pid) -> Process | None:
        """Return what stands for a process of another node; None unless that node is there."""

    def absence(self, dest: object) -> Result:
        """Return why nobody is found under a PID."""

    def monitored(self, target: Process, ref: MonitorRef) -> None:
        """A process of this node has got a monitor, perhaps on one of another."""

    def linked(self, one: Process, other: Process) -> None:
        """Two processes were linked, of which one may be of another node."""

    def parted(self, pid: Pid, others: tuple[Pid, ...]) -> None:
        """A process has ended normally and is linked to nobody any more."""

    def info(self, process: Process, *, stack: bool) -> ProcessInfo | None:
        """Return what its own node sees of a process; waits."""

    def enrol(self, process: Process, what: str, name: str) -> None:
        """Let a process of another node ``join`` a group there, or ``register`` a name; waits.

        Raises what that raises there, Timeout, and ProcessDown when its node is lost meanwhile.
        """

    def spawn_at(self, node: str, entry: object, options: Mapping[str, Any]) -> Pid:
        """Start a declared entry on another node; waits."""

    def watch(self, process: FunctionProcess) -> Any:
        """Return a channel of the nodes that come and go from now on."""

    def stop(self) -> None:
        """Leave the others; may wait a few seconds."""


def join(node: Node, engine: object, app: str) -> Cluster:
    """Connect ``node`` with the others of its ``engine``, or address of one; may wait.

    Raises EngineError when that cannot be, also for want of the library.
    """
    try:
        mesh = import_module(MESH)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("greenrelay"):
            raise
        why = f"{error.name} is missing: pip install 'greenrelay[cluster]'"
        raise EngineError(str(engine), why) from None
    joined: Cluster = mesh.join(node, engine, app)
    return joined


def why_gone(node: Node, dest: object) -> Result:
    """Return why ``node`` finds nobody under a PID: ``noproc``, or ``noconnection``."""
    return RESULT_NOPROC if node.cluster is None else node.cluster.absence(dest)


def process_at(caller: Process, dest: str | None) -> Process:
    """Return the process that ``dest`` means to ``caller``, itself for None.

    Raises ProcessDown, UnknownName, InvalidPid.
    """
    process = caller if dest is None else caller.node.find(dest)
    if process is None:
        raise ProcessDown(str(dest), why_gone(caller.node, dest).reason)
    return process


def require_cluster(node: Node) -> Cluster:
    """Return the cluster of a node; raises ValueError where there is none."""
    if node.cluster is None:
        raise ValueError(f"node {node.id} is in no cluster; start it with Node(cluster=...)")
    return node.cluster


def require_wide(scope: str, pid: Pid) -> None:
    """Raise ValueError unless ``scope`` is one in which ``pid``, of another node, has anything."""
    if scope != "cluster":
        why = f"{pid} is of another node, where this one can give it what holds on all nodes only"
        raise ValueError(f'scope is {scope!r}, and {why}: use scope="cluster"')


def check_scope(scope: str) -> None:
    """Raise ValueError for a scope that is none."""
    if scope not in ("local", "cluster"):
        raise ValueError(f"scope is {scope!r}; it must be 'local' or 'cluster'")


def spawn_abroad(
    home: Node,
    node: str,
    entry: object,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
) -> Pid:
    """Start a declared entry on another node; see messaging.spawn."""
    if home.cluster is None:
        raise ProcessDown(node, NOCONNECTION)
    return home.cluster.spawn_at(node, entry, {**options, "args": args, "kwargs": kwargs})
