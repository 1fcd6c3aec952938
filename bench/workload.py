"""What is measured: the workloads, their sizes and the metrics that come out of them.

Every contender has the same workloads under the same names, and a message is the same for all: a
topic, a payload (a number) and the address of its sender. What each workload does, where the title
does not say it all:

* spawn_end: waves of ``crowd`` processes that count themselves and end; the last of a wave tells
  the starter. Nobody waits for a single one.
* spawn_monitor: start one, be told in the inbox that it has ended, start the next.
* ping_pong: both ends add one to the payload of what they receive and send it back. Both block.
* stream: bursts of ``crowd`` messages; after each the sender waits for the receiver's word.
* fan_in: ``crowd`` senders, each told to send EACH messages to one receiver, which counts them.
* fan_out: one message to each of ``crowd`` waiting processes; the last to get it tells the sender.
* call: a request, a reply, and the caller waits. Plain gevent's and asyncio's notice no death and
  have no timeout; greenrelay's, Erlang's and Pykka's do.
* call_backlog: the same with ``crowd`` unread messages in the caller's inbox.
* ring: one token, ``count`` hops.
* star, chain: ``crowd`` waiting processes end because one does, each in a ``finally`` that counts.
  Plain gevent: ``killall``, and links that kill the next. The clock stops when all have ended.
* selective: ``crowd`` messages of another topic wait; send one behind them and receive that one.
* busy_pairs: ``crowd`` pairs play ping_pong as fast as they can while one more waits for a timer
  of 1 ms, ``count`` times. The timer is the loop's own (gevent.sleep, asyncio.sleep).
* memory: resident bytes that ``crowd`` processes waiting in receive add, each.
* leak: resident bytes that ``count`` processes started, monitored and ended add, in waves of
  ``crowd``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

EACH = 100
TIMEOUT = 5.0
TICK = 0.001


@dataclass(frozen=True, slots=True)
class Size:
    """How much to do: ``count`` operations, with ``crowd`` processes or messages about."""

    count: int
    crowd: int

    def part(self, divisor: int) -> Size:
        """Return a part of everything, such as a tenth."""
        return Size(max(1, self.count // divisor), max(1, self.crowd // divisor))


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run gave: ``counted`` operations seen at their receiving end, in ``seconds``.

    ``figures`` are those that are no rate, by metric.
    """

    counted: int
    seconds: float
    figures: dict[str, float] = field(default_factory=dict)


Run = Callable[[Size], Sample]


def by_name(*functions: Run) -> dict[str, Run]:
    """Return functions by their names, which are those of the workloads they run."""
    return {function.__name__: function for function in functions}


@dataclass(frozen=True, slots=True)
class Metric:
    """One row of the table; of a rate (``"/s"``) more is better, of anything else less."""

    name: str
    title: str
    unit: str = "/s"

    @property
    def is_rate(self) -> bool:
        """Whether the figure is operations a second."""
        return self.unit == "/s"


@dataclass(frozen=True, slots=True)
class Workload:
    """One thing to do; ``{count}`` and ``{crowd}`` in titles stand for its size.

    ``is_warmed`` when a tenth of it runs before the clock starts, ``is_once`` when one round is
    enough. Of one ``with_timers`` the timers are ``count``; what is counted is what else was done.
    """

    name: str
    title: str
    full: Size
    quick: Size
    others: tuple[Metric, ...] = ()
    is_warmed: bool = True
    is_once: bool = False
    with_timers: bool = False

    def metrics(self, size: Size) -> tuple[Metric, ...]:
        """Return the rows it gives; its rate, if it has one, is called as the workload is."""
        rate = (Metric(self.name, self.title),) if self.title else ()
        return tuple(
            Metric(each.name, _titled(each.title, size), each.unit) for each in rate + self.others
        )


def _titled(title: str, size: Size) -> str:
    return title.format(count=f"{size.count:,}", crowd=f"{size.crowd:,}")


_LATENESS = (
    Metric("lateness_p50", "lateness of a 1 ms timer meanwhile, p50", "ms"),
    Metric("lateness_p99", "lateness of a 1 ms timer meanwhile, p99", "ms"),
)
_MEMORY = (Metric("memory", "resident bytes of an idle process", "B"),)
_LEAK = (Metric("leak", "growth after {count} endings", "KiB"),)

WORKLOADS = (
    Workload("spawn_end", "spawn and end", Size(60_000, 1_000), Size(20_000, 1_000)),
    Workload("spawn_monitor", "spawn, monitor, EXIT", Size(20_000, 1), Size(5_000, 1)),
    Workload("ping_pong", "ping-pong", Size(200_000, 2), Size(60_000, 2)),
    Workload("ping_pong_timeout", "ping-pong with timeout", Size(120_000, 2), Size(30_000, 2)),
    Workload("stream", "stream", Size(1_000_000, 1_000), Size(200_000, 1_000)),
    Workload("fan_in", "fan-in from {crowd}", Size(300_000, 1_000), Size(100_000, 1_000)),
    Workload("fan_out", "fan-out to {crowd}", Size(100_000, 10_000), Size(20_000, 10_000)),
    Workload("call", "call and reply", Size(60_000, 2), Size(15_000, 2)),
    Workload("call_backlog", "call, {crowd} waiting", Size(60_000, 100_000), Size(15_000, 100_000)),
    Workload("ring", "ring of {crowd}", Size(200_000, 1_000), Size(40_000, 1_000)),
    Workload("star", "cascade, star of {crowd}", Size(10_000, 10_000), Size(10_000, 10_000)),
    Workload("chain", "cascade, chain of {crowd}", Size(10_000, 10_000), Size(10_000, 10_000)),
    Workload("selective", "receive behind {crowd}", Size(500, 10_000), Size(100, 10_000)),
    Workload(
        "busy_pairs",
        "messages of {crowd} busy pairs",
        Size(150, 1_000),
        Size(50, 1_000),
        _LATENESS,
        is_warmed=False,
        with_timers=True,
    ),
    Workload("memory", "", Size(20_000, 20_000), Size(5_000, 5_000), _MEMORY, is_warmed=False),
    Workload(
        "leak",
        "",
        Size(1_000_000, 1_000),
        Size(50_000, 1_000),
        _LEAK,
        is_warmed=False,
        is_once=True,
    ),
)
