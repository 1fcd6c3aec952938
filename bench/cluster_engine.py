"""Measures the bare engine on NATS: two nodes as OS processes, and one nats-server.

``python -m bench.cluster_engine`` takes about half a minute, ``--quick`` a few seconds. It needs
nats-server, as ``pip install 'greenrelay[cluster]'`` brings it. Frames have 200 bytes. One way is
counted by the receiver from its first frame to its last; a round trip is answered by the sink of
the other node. A death is a SIGKILL, seen by the other node.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles

import gevent
from gevent.event import Event as Flag

from greenrelay.cluster.engine import Engine, Member
from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.server import DevelopmentServer

ROOT = Path(__file__).parent.parent
FRAME = b"x" * 200
APP = "bench"


class Sink:
    """Counts frames, and knows who is there; ``answer`` gets each frame if it is set."""

    def __init__(self) -> None:
        self.count = 0
        self.first_at = self.last_at = 0.0
        self.wanted = 0
        self.done = Flag()
        self.down = Flag()
        self.answer: Callable[[str, bytes], object] | None = None

    def on_frame(self, source: str, frame: bytes, topic: str | None) -> None:
        """Take a frame."""
        if not self.count:
            self.first_at = time.perf_counter()
        self.count += 1
        if self.answer is not None:
            self.answer(source, frame)
        if self.count == self.wanted:
            self.last_at = time.perf_counter()
            self.done.set()

    def on_node_up(self, member: Member) -> None:
        """Nothing has to be done."""

    def on_node_down(self, member: Member, reason: str) -> None:
        """Take note of a death."""
        self.down.set()

    def on_gap(self, source: str) -> None:
        """Nothing has to be done."""

    def on_engine(self, is_reachable: bool) -> None:
        """Nothing has to be done."""


def child(url: str, node: str, what: str, count: int) -> None:
    """Be the other node: answer frames, or send ``count`` of them once one has come."""
    sink = Sink()
    engine = engine_at(url, APP)
    if what == "echo":
        sink.answer = engine.send
    sink.wanted = 1
    engine.start(Member(node, "1"), sink)
    print("ready", flush=True)
    sink.done.wait()
    if what == "flood":
        flood(engine, "main", count)
    gevent.sleep(3600)


def flood(engine: Engine, node: str, count: int) -> None:
    """Send frames as fast as there is room for them."""
    send = engine.send
    for number in range(count):
        while not send(node, FRAME):
            gevent.sleep(0.001)
        if not number % 512:
            # The writer must get its turn.
            gevent.sleep(0)


class Other:
    """The other node in an OS process of its own; a context manager kills it."""

    def __init__(self, url: str, node: str, what: str, count: int = 0) -> None:
        command = [sys.executable, "-m", "bench.cluster_engine", "--child", url, node, what]
        self._process = subprocess.Popen(
            [*command, str(count)], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def __enter__(self) -> Other:
        return self

    def __exit__(self, *exc: object) -> None:
        self.signal(signal.SIGKILL)
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)


def one_way(url: str, count: int) -> float:
    """Return frames a second from another process to this one."""
    with joined(url) as (engine, sink), Other(url, "flood", "flood", count):
        wait_for_node(engine, "flood")
        sink.wanted = count
        engine.send("flood", b"go")
        sink.done.wait()
        return (count - 1) / (sink.last_at - sink.first_at)


def round_trips(url: str, count: int) -> list[float]:
    """Return the seconds that each of ``count`` round trips takes."""
    found = []
    with joined(url) as (engine, sink), Other(url, "echo", "echo"):
        wait_for_node(engine, "echo")
        for _ in range(count):
            sink.done.clear()
            sink.wanted = sink.count + 1
            start = time.perf_counter()
            engine.send("echo", FRAME)
            sink.done.wait()
            found.append(time.perf_counter() - start)
    return found


def claims(url: str, count: int) -> list[float]:
    """Return the seconds that each of ``count`` claims takes."""
    found = []
    with joined(url) as (engine, _):
        for number in range(count):
            start = time.perf_counter()
            engine.claim(f"name {number}", "owner")
            found.append(time.perf_counter() - start)
    return found


def death(url: str, node: str) -> float:
    """Return the seconds until the death of a node is known."""
    with joined(url) as (engine, sink), Other(url, node, "echo") as other:
        wait_for_node(engine, node)
        start = time.perf_counter()
        other.signal(signal.SIGKILL)
        sink.down.wait()
        return time.perf_counter() - start


@contextmanager
def joined(url: str) -> Iterator[tuple[Engine, Sink]]:
    """Be the node ``main`` for the body."""
    engine, sink = engine_at(url, APP), Sink()
    engine.start(Member("main", str(time.time_ns())), sink)
    yield engine, sink
    engine.stop()


def wait_for_node(engine: Engine, node: str) -> None:
    """Wait until a node is there."""
    while all(member.node != node for member in engine.nodes()):
        gevent.sleep(0.001)


def main(arguments: Sequence[str]) -> int:
    """Measure, and print a line for each figure."""
    if "--child" in arguments:
        url, node, what, count = arguments[1:]
        child(url, node, what, int(count))
    share = 10 if "--quick" in arguments else 1
    with DevelopmentServer() as server:
        rates = [one_way(server.url, 500_000 // share) for _ in range(3)]
        print(f"one way         {median(rates):>12,.0f} frames/s")
        trips = round_trips(server.url, 5_000 // share)
        print(f"round trip      {_times(trips)}")
        print(f"claim           {_times(claims(server.url, 2_000 // share))}")
        deaths = [death(server.url, f"dead {number}") for number in range(5)]
        print(f"death is known  {1e3 * median(deaths):>12,.1f} ms")
    return 0


def _times(seconds: list[float]) -> str:
    parts = quantiles(seconds, n=100)
    return f"{1e6 * parts[49]:>12,.0f} us in the middle, 99 of 100 below {1e6 * parts[98]:,.0f} us"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
