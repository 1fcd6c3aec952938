"""What is measured of a cluster, by whom, and what has to come out.

Every node is an OS process of its own, and so is nats-server. A message has 200 bytes. Of what
streams, ``WINDOW`` bursts of ``BURST`` messages may be on their way, then the sender waits for the
receiver's word; so nobody is flooded, and the inbox of a process is never full.

* one_way: from a process to one of another node; a second counts at the receiver.
* round_trip: there and back; call: a request and its reply, whose caller would notice a death.
* broadcast: one message to a member on each of ``crowd`` nodes; it counts when all have it.
* kill: a node gets SIGKILL, until a monitor of one of its processes says ``noconnection``; with the
  server's news of closed connections, and without. freeze: it gets SIGSTOP, without that news.
* monitors: ``crowd`` processes of a node that gets SIGKILL are monitored: until the last EXIT has
  come, so the time until the death is known is part of it.
* local: messages between two processes of a node that is one of a cluster, by the time of the
  processor; local_kept: that rate by the one of a node without an engine, which takes turns.

The engine by itself has no processes: its frames are taken by a function, its deaths are told by
the engine. nats-py is the asyncio client of the NATS project.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from bench.contender import Contender
from bench.wire.bound import Bound
from bench.workload import Metric, Run, Size, Workload

PAYLOAD = b"x" * 200
BURST, WINDOW = 1_024, 8


@dataclass(frozen=True, slots=True)
class Client(Contender):
    """Who is measured; ``modules`` names its program, a module ``bench.cluster_…``."""

    @property
    def program(self) -> str:
        """The module that is run."""
        return f"bench.cluster_{self.modules[0]}"

    def workloads(self) -> dict[str, Run]:
        """Return what it can run, by the names of the workloads."""
        found: dict[str, Run] = dict(import_module(self.program).WORKLOADS)
        return found


ENGINE = Client("engine", "the engine by itself", ("engine",))
NATS_PY = Client("nats_py", "nats-py", ("nats_py",), package="nats")
OURS = Client("greenrelay", "processes of greenrelay", ("node",))
CLIENTS = (ENGINE, NATS_PY, OURS)


def _times(name: str, title: str) -> tuple[Metric, ...]:
    return (
        Metric(f"{name}_p50", f"{title}, p50", "us"),
        Metric(f"{name}_p99", f"{title}, p99", "us"),
    )


WORKLOADS = (
    Workload("one_way", "one way", Size(300_000, 1), Size(30_000, 1)),
    Workload(
        "round_trip", "", Size(2_000, 1), Size(300, 1), _times("round_trip", "there and back")
    ),
    Workload("call", "", Size(2_000, 1), Size(300, 1), _times("call", "call and reply")),
    Workload("broadcast", "broadcast to {crowd} nodes", Size(60_000, 4), Size(6_000, 2)),
    Workload(
        "kill",
        "",
        Size(5, 1),
        Size(1, 1),
        (Metric("kill", "SIGKILL until it is known, with the server's news", "ms"),),
    ),
    Workload(
        "kill_by_beats",
        "",
        Size(1, 1),
        Size(1, 1),
        (Metric("kill_by_beats", "SIGKILL until it is known, by beats only", "ms"),),
    ),
    Workload(
        "freeze",
        "",
        Size(1, 1),
        Size(1, 1),
        (Metric("freeze", "SIGSTOP until it is known, by beats only", "ms"),),
    ),
    Workload(
        "monitors",
        "",
        Size(1, 10_000),
        Size(1, 1_000),
        (Metric("monitors", "SIGKILL until {crowd} monitors have fired", "ms"),),
    ),
    Workload(
        "local",
        "messages inside a node",
        Size(100_000, 1),
        Size(20_000, 1),
        (Metric("local_kept", "the same, by that of a node without an engine", "x"),),
    ),
)
# Workloads for which the server tells nobody of closed connections.
WITHOUT_NEWS = frozenset({"kill_by_beats", "freeze"})

_OF = OURS.name
BOUNDS = (
    Bound(_OF, "one_way", 150_000, 150_000),
    Bound(_OF, "call_p50", 450, 450, is_most=True),
    Bound(_OF, "call_p99", 1_200, 1_200, is_most=True),
    Bound(_OF, "broadcast", 100_000, 100_000),
    Bound(_OF, "local_kept", 0.98, 0.98),
    Bound(_OF, "kill", 50, 50, is_most=True),
    Bound(_OF, "kill_by_beats", 2_000, 2_000, is_most=True),
    Bound(_OF, "freeze", 3_000, 3_000, is_most=True),
    Bound(_OF, "monitors", 1_000, 1_000, is_most=True),
)
