"""Who is measured, and what greenrelay has to reach.

To add a contender, write a module of workloads in ``bench/contenders/`` and one entry here.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from bench.workload import Run


@dataclass(frozen=True, slots=True)
class Target:
    """A bound on one figure of a contender.

    ``at_least`` is a multiple of what ``of``, another contender, reaches in the same round, or,
    with ``of_metric``, of its own figure for that one. ``at_most`` is absolute.
    """

    metric: str
    at_least: float = 0.0
    at_most: float | None = None
    of: str = "gevent"
    of_metric: str = ""


@dataclass(frozen=True, slots=True)
class Contender:
    """One column. ``divisor`` is how many times less than the others it has to do.

    ``package`` and ``command`` are what it needs, beyond what greenrelay needs itself. One that
    ``has_threads`` is timed by the wall, the others by ``core_clock``.
    """

    name: str
    title: str
    modules: tuple[str, ...]
    targets: tuple[Target, ...] = ()
    package: str = ""
    command: str = ""
    divisor: int = 1
    warms_itself: bool = False
    has_threads: bool = False

    def is_there(self) -> bool:
        """Whether what it needs is installed."""
        if self.package and find_spec(self.package) is None:
            return False
        return not self.command or shutil.which(self.command) is not None

    def workloads(self) -> dict[str, Run]:
        """Return what it can run, by the names of the workloads."""
        found: dict[str, Run] = {}
        for name in self.modules:
            found |= import_module(f"bench.contenders.{name}").WORKLOADS
        return found


_FUNCTION_TARGETS = (
    Target("spawn_end", 7.5),
    Target("spawn_monitor", 5.5),
    Target("ping_pong", 2.9),
    Target("ping_pong_timeout", 4.8),
    Target("stream", 1.2),
    Target("fan_in", 1.05),
    Target("fan_out", 1.8),
    Target("call", 2.5),
    Target("ring", 2.2),
    Target("star", 2.3),
    Target("chain", 4.0),
    Target("busy_pairs", 2.4),
    Target("lateness_p99", at_most=1.5),
    Target("memory", at_most=7_700),
    # A page here and there is the allocator's; a word leaked by each ending would be 7,800 KiB.
    Target("leak", at_most=512),
    Target("call_backlog", 0.8, of="function", of_metric="call"),
    Target("ping_pong", 4.0, of="asyncio"),
    Target("ping_pong", 2.5, of="uvloop"),
    Target("ping_pong", 0.42, of="erlang"),
)

_SERVER_TARGETS = (
    Target("ping_pong", 4.0),
    Target("fan_out", 8.0),
    Target("ring", 4.5),
    Target("star", 40.0),
    Target("lateness_p99", at_most=1.5),
    Target("memory", at_most=1_050),
    Target("ping_pong", 0.6, of="erlang"),
)

BASELINE = "gevent"
CONTENDERS = (
    Contender("gevent", "plain gevent", ("gevent_messages", "gevent_lives")),
    Contender(
        "function",
        "greenrelay functions",
        ("function_messages", "function_lives"),
        _FUNCTION_TARGETS,
    ),
    Contender("server", "greenrelay servers", ("server_messages", "server_lives"), _SERVER_TARGETS),
    Contender("asyncio", "asyncio", ("asyncio_messages", "asyncio_lives")),
    Contender("uvloop", "uvloop", ("uvloop_tasks",), package="uvloop"),
    Contender("pykka", "Pykka", ("pykka_actors",), package="pykka", divisor=10, has_threads=True),
    Contender("erlang", "Erlang", ("erlang",), command="erl", warms_itself=True, has_threads=True),
)
