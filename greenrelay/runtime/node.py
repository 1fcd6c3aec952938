"""A node: one system of processes in one OS process.

Source: Processes, "Functions", last paragraphs. Everything processes share hangs on their node:
the table of live processes, names, links and monitors, hosts, timers, the run queue and the
supervisor greenlet. A node belongs to the thread that first uses it.
"""

from __future__ import annotations

import secrets
import socket
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gevent.event import Event as Flag

from greenrelay.core.events import (
    KILLED,
    Cancel,
    Exit,
    MonitorRef,
    result_of_reason,
)
from greenrelay.core.message import NO_CONTEXT, Message, ReplySlot, check_topic, read_only
from greenrelay.core.names import Names
from greenrelay.core.pid import Pid, make_pid
from greenrelay.core.strategy import ChildInfo
from greenrelay.core.topology import Topology
from greenrelay.durations import parse_duration
from greenrelay.errors import HostFull, NodeStopped, UnknownHost, UnknownName
from greenrelay.runtime.abroad import Cluster, join, why_gone
from greenrelay.runtime.entry import Entries
from greenrelay.runtime.fork import disown, follow_forks
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.home import Home
from greenrelay.runtime.host import Host
from greenrelay.runtime.membership import Membership
from greenrelay.runtime.outside import (
    ask_to_end,
    end_now,
    run_from_outside,
    send_from_thread,
    send_later,
)
from greenrelay.runtime.process import Process
from greenrelay.runtime.reaper import Reaper
from greenrelay.runtime.server import Server, ServerProcess
from greenrelay.runtime.shutdown import shut_down
from greenrelay.runtime.supervisor import Supervisor
from greenrelay.runtime.timers import Timer
from greenrelay.runtime.watchdog import Watchdog

if TYPE_CHECKING:
    from greenrelay.runtime.children import Children

DEFAULT_HOST = "processes"

open_nodes: weakref.WeakSet[Node] = weakref.WeakSet()


class Node(Home):
    """One system of processes; a context manager that shuts down at its end.

    ``name`` begins the node's id, the part of a PID before ``@``; the rest of the id is new for
    each OS process. ``grace`` is how long, a duration, a process that was ended may go on with
    its cleanup before its ending is delivered without it. ``recycle_workers`` False starts a new
    greenlet for each process, where the reference counts that recycling rests on do not hold; it
    is the default where ``GREENRELAY_RECYCLE_WORKERS`` is 0 in the environment. ``debug`` logs an
    ERROR for each payload that was changed after it was sent, at a price for each message.
    ``watchdog``, a duration, logs a WARNING for what keeps the hub busy for longer. ``cluster``, an
    engine or the address of one, connects it with the other nodes of ``app`` there. Under
    ``strict_payloads`` sending inside the node refuses what could not leave it, too.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        grace: float | str = 5.0,
        recycle_workers: bool | None = None,
        debug: bool = False,
        watchdog: float | str | None = None,
        cluster: object = None,
        app: str = "app",
        strict_payloads: bool = False,
    ) -> None:
        super().__init__(recycle_workers=recycle_workers)
        self.name = name or socket.gethostname().split(".")[0] or "node"
        self.grace = parse_duration(grace)
        self.debug = debug
        self.strict_payloads = strict_payloads
        if watchdog is not None:
            self.watchdog = Watchdog(self, watchdog)
        self.entries = Entries()
        self.hosts: dict[str, Host] = {}
        self.default_host = DEFAULT_HOST
        self._incarnate()
        self.add_host(Host(DEFAULT_HOST))
        open_nodes.add(self)
        if cluster is not None:
            try:
                self.join_cluster(cluster, app)
            except BaseException:
                # Whoever means the only node there is does not mean this one.
                self.close()
                raise

    def _incarnate(self) -> None:
        self.id = f"{self.name}.{secrets.token_hex(4)}"
        self.processes: dict[str, Process] = {}
        self.names = Names()
        self.groups = Membership()
        self.topology = Topology()
        self.supervisor = Supervisor(self)
        # The other nodes; a forked child has none.
        self.cluster: Cluster | None = None
        self._number = 0
        self.reaper = Reaper(self)
        # The children of supervisors, with who ends each, and what the one of the services has to
        # show.
        self.supervised: dict[Pid, Children] = {}
        # What kills those that were cancelled, at their deadlines.
        self.kills: dict[Pid, list[Timer]] = {}
        self.supervisors: dict[Pid, Children] = {}
        self.services: dict[str, ChildInfo] = {}
        self.idle: Flag | None = None
        for host in self.hosts.values():
            host.count = 0
            host.bind(self.id)

    def __enter__(self) -> Node:
        return self

    def __exit__(self, *exc: object) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        return f"<Node {self.id} with {len(self.processes)} processes>"

    # hosts

    def add_host(self, host: Host, *, default: bool = False) -> Host:
        """Let processes be spawned on ``host``; the first default stays the default."""
        host.bind(self.id)
        self.hosts[host.id] = host
        if default and self.default_host == DEFAULT_HOST:
            self.default_host = host.id
        return host

    def join_cluster(self, engine: object, app: str = "app") -> None:
        """Connect with the other nodes of ``app`` at ``engine``, or an address; may wait.

        Raises EngineError. Never before a fork: the child would share the connection.
        """
        if self.cluster is None:
            self.cluster = join(self, engine, app)

    # life

    def spawn(
        self,
        entry: object,
        *args: Any,
        host: str | None = None,
        name: str | None = None,
        context: Mapping[str, object] | None = None,
        **kwargs: Any,
    ) -> Pid:
        """Start a process and return its PID; see greenrelay.process.spawn."""
        self.check_thread("spawn")
        carried = NO_CONTEXT if context is None else read_only(context)
        return self.spawn_process(entry, args, kwargs, host, name, carried).pid

    def spawn_process(
        self,
        entry: object,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        host: str | None = None,
        name: str | None = None,
        context: Mapping[str, object] = NO_CONTEXT,
    ) -> FunctionProcess:
        """Start a process; it has not run when this returns.

        Raises UnknownEntry, UnknownHost, HostFull, NameTaken, NodeStopped.
        """
        function: Any = entry
        if isinstance(entry, str) or not callable(entry):
            function = self.entries.find(entry)
        place = self.take_place(host)
        process: FunctionProcess
        if isinstance(function, type) and issubclass(function, Server):
            process = ServerProcess(self, place, self.new_pid(place), entry)
        else:
            process = FunctionProcess(self, place, self.new_pid(place), entry)
        process.context = context
        if name is not None:
            self.register(name, process)
        process.prepare(function, args, kwargs)
        self.admit(process)
        process.scheduler.enqueue(process)
        return process

    def take_place(self, host_id: str | None) -> Host:
        """Return the host if it can carry one more process; raises UnknownHost, HostFull."""
        place = self.hosts.get(host_id or self.default_host)
        if place is None:
            raise UnknownHost(host_id, tuple(self.hosts))
        if place.count >= place.max_processes:
            raise HostFull(place.id, place.max_processes)
        if self.is_stopped:
            raise NodeStopped(self.id)
        return place

    def new_pid(self, host: Host) -> Pid:
        """Return a PID no process of this node has had."""
        self._number += 1
        return make_pid(host.prefix, self._number)

    def admit(self, process: Process) -> None:
        """Put ``process`` into the table: from here on it can be addressed."""
        self.processes[process.pid] = process
        process.host.count += 1

    def is_empty(self) -> None:
        """Notice that the last process has ended."""
        if self.idle is not None:
            self.idle.set()

    # messages

    def send(
        self,
        dest: str,
        topic: str,
        payload: object = None,
        *,
        context: Mapping[str, object] = NO_CONTEXT,
    ) -> bool:
        """Send from outside any process; True when an inbox took the message."""
        context = read_only(context)
        if not self.is_foreign_thread():
            return self.route(dest, topic, payload, context=context)
        return send_from_thread(self, dest, topic, payload, context)

    def route(
        self,
        dest: str,
        topic: str,
        payload: object = None,
        sender: Pid | None = None,
        context: Mapping[str, object] = NO_CONTEXT,
        slot: ReplySlot | None = None,
    ) -> bool:
        """Deliver a message; False when ``dest`` is a PID nobody has.

        Raises ReservedTopic, UnknownName, InvalidPid, InboxFull.
        """
        process = self.processes.get(dest)
        if process is None:
            process = self.find(dest)
        if not isinstance(topic, str) or topic[:1] in ("@", ""):
            check_topic(topic)
        if process is None:
            return False
        return process.post(topic, payload, sender, context, slot)

    def route_surely(self, dest: Pid, topic: str, payload: object, sender: Pid) -> bool:
        """Deliver a message that no inbox limit may refuse, such as ws.leave."""
        process = self.processes.get(dest)
        if process is None and self.cluster is not None:
            process = self.find(dest)
        if process is None:
            return False
        return process.deliver_surely(Message(topic, payload, sender))

    def find(self, dest: str) -> Process | None:
        """Return the live process with that PID or name, None for a PID nobody has.

        Raises UnknownName for a name nobody has, InvalidPid for text with a brace that is none.
        """
        process = self.processes.get(dest)
        if process is not None:
            return process
        if isinstance(dest, Pid):
            return None if self.cluster is None else self.cluster.find(dest)
        if isinstance(dest, str) and dest[:1] != "{":
            owner = self.owner(dest)
            if owner is None:
                raise UnknownName(dest)
            return self.find(owner)
        return self.find(Pid.parse(dest))

    def owner(self, name: str) -> Pid | None:
        """Return the process that has ``name``, here or in the cluster, or None."""
        owner = self.names.owner(name)
        if owner is None and self.cluster is not None:
            owner = self.cluster.names.owner(name)
        return owner

    def send_after(
        self,
        delay: float | str,
        dest: str,
        topic: str,
        payload: object = None,
        *,
        sender: Pid | None = None,
        context: Mapping[str, object] = NO_CONTEXT,
    ) -> Timer:
        """Send a message after ``delay``, a duration; see greenrelay.process.send_after."""
        seconds = parse_duration(delay)
        return send_later(self, seconds, dest, topic, payload, sender, read_only(context))

    # relations

    def monitor(self, watcher: Process, dest: str) -> MonitorRef:
        """Let ``watcher`` get EXIT when ``dest`` ends; at once, with noproc, if it is gone."""
        try:
            target = self.find(dest)
        except UnknownName:
            target = None
        if target is None:
            gone = Pid.parse(dest) if isinstance(dest, str) and dest[:1] == "{" else None
            ref = self.topology.make_ref(watcher.pid, gone)
            if gone is None:
                ref._name = str(dest)
            watcher.deliver_event(Exit(gone or str(dest), why_gone(self, gone), ref))
            return ref
        watcher.is_related = target.is_related = True
        ref = self.topology.monitor(watcher.pid, target.pid)
        if dest is not target.pid and dest[:1] != "{":
            # It will be gone with the process, and unmonitor() may be given it even then.
            ref._name = dest
        if self.cluster is not None:
            self.cluster.monitored(target, ref)
        return ref

    def link(self, one: Process, other: Process) -> None:
        """Let two processes share their fate."""
        one.is_related = other.is_related = True
        self.topology.link(one.pid, other.pid)
        if self.cluster is not None:
            self.cluster.linked(one, other)

    def register(self, name: str, process: Process) -> None:
        """Give ``process`` a name; raises NameTaken unless it is free or its own."""
        self.names.register(name, process.pid)
        process.is_related = process.is_shared = True

    def cancel(self, dest: str, *, sender: Pid | None, deadline: float, reason: str | None) -> bool:
        """Ask a process to end, and kill it after ``deadline`` seconds; False if it is gone."""
        return ask_to_end(self, self.find(dest), Cancel(sender, reason, deadline))

    def terminate(self, dest: str, reason: str = KILLED) -> bool:
        """End a process now, which it cannot trap; False if it is gone."""
        return end_now(self, self.find(dest), result_of_reason(reason))

    # from outside

    def run(
        self, entry: object, *args: Any, timeout: float | str | None = None, **kwargs: Any
    ) -> Any:
        """Run ``entry`` as a process, wait for it, return its value or raise its error.

        For scripts and tests: the caller is not a process. Raises ProcessFailed when it ended
        abnormally without an exception, Timeout when it took longer than ``timeout`` seconds and
        was killed.
        """
        self.check_thread("run")
        seconds = None if timeout is None else parse_duration(timeout)
        return run_from_outside(self, entry, args, kwargs, seconds)

    def shutdown(self, timeout: float | str = 10.0) -> None:
        """End every process and stop: ask, wait ``timeout``, a duration, and kill. Idempotent.

        Raises NotInProcess in a thread other than the node's.
        """
        seconds = parse_duration(timeout)
        if not self.is_stopped:
            self.check_thread("Node.shutdown", "call it in the thread that runs the node")
            shut_down(self, seconds)

    def close(self) -> None:
        """Stop what serves the processes: the last step of shutdown."""
        if self.cluster is not None:
            self.cluster.stop()
        self.supervisor.stop()
        self.leave()
        open_nodes.discard(self)

    def forked(self) -> None:
        """Be another node, in a forked child: with an id of its own and no processes yet."""
        disown(self)
        self.leave()
        self._incarnate()


follow_forks(open_nodes)
