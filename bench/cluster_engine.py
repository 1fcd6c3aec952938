"""The engine of a cluster by itself, without sessions and processes: see ``bench/cluster_work.py``.

Frames are taken by the sink, in the reader; what answers them is the sink of the other node.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack

import gevent
from gevent.event import Event as Flag

from bench.cluster_far import Far, Work, middle, serve, times
from bench.cluster_work import BURST, PAYLOAD, WINDOW
from bench.workload import Sample, Size
from greenrelay.cluster.engine import Engine, Member
from greenrelay.cluster.engines import engine_at

PROGRAM = "bench.cluster_engine"
APP = "bench"
TOPIC = "all"


class Sink:
    """Counts frames, and knows who has gone; ``answer`` gets each frame if it is set."""

    def __init__(self) -> None:
        self.count = 0
        self.first_at = self.last_at = 0.0
        self.wanted = 0
        self.done = Flag()
        self.down = Flag()
        self.answer: Callable[[str, bytes], object] | None = None

    def wait_for(self, number: int) -> None:
        """Wait until so many frames have come in all."""
        self.wanted = number
        if self.count < number:
            self.done.clear()
            self.done.wait()

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


class Here:
    """This node; ``others`` are there when it is ready. A context manager stops it."""

    def __init__(self, url: str, fars: list[Far]) -> None:
        self.engine, self.sink = engine_at(url, APP), Sink()
        self.engine.start(Member(f"main{time.time_ns()}", "1"), self.sink)
        self.others = [far.word for far in fars]
        # By name: one that was killed just now may still be among them.
        while not {*self.others} <= {member.node for member in self.engine.nodes()}:
            gevent.sleep(0.005)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *exc: object) -> None:
        self.engine.stop()


def _with_others(work: Callable[[Size, Here], Sample], role: str, nodes: int = 1) -> Work:
    """Return ``work`` with so many other nodes, or with a crowd of them."""

    def run(size: Size, url: str) -> Sample:
        number = nodes or size.crowd
        with ExitStack() as stack:
            fars = [
                stack.enter_context(Far(PROGRAM, role, url, number=each, count=size.count))
                for each in range(number)
            ]
            return work(size, stack.enter_context(Here(url, fars)))

    return run


def _flood(put: Callable[[], bool], sink: Sink, count: int, receivers: int = 1) -> None:
    """Put frames as fast as those who get them let it; each of their words is a frame."""
    credit, words = WINDOW * BURST, sink.count
    for _ in range(count):
        if not credit:
            words += receivers
            sink.wait_for(words)
            credit = BURST
        while not put():
            gevent.sleep(0.001)
        credit -= 1


def _one_way(size: Size, here: Here) -> Sample:
    sink, engine, other = here.sink, here.engine, here.others[0]

    def answer(source: str, frame: bytes) -> None:
        if not sink.count % BURST:
            engine.send(source, b"more")

    sink.answer = answer
    engine.send(other, b"go")
    sink.wait_for(size.count)
    return Sample(size.count - 1, sink.last_at - sink.first_at)


def _be_flood(engine: Engine, sink: Sink, count: int) -> None:
    sink.wait_for(1)
    main = next(each.node for each in engine.nodes() if each.node.startswith("main"))
    _flood(lambda: engine.send(main, PAYLOAD), sink, count)


def _round_trip(size: Size, here: Here) -> Sample:
    found = []
    for number in range(size.count):
        start = time.perf_counter()
        here.engine.send(here.others[0], PAYLOAD)
        here.sink.wait_for(number + 1)
        found.append(time.perf_counter() - start)
    return times("round_trip", found)


def _be_echo(engine: Engine, sink: Sink, count: int) -> None:
    sink.answer = engine.send


def _broadcast(size: Size, here: Here) -> Sample:
    engine, sink, number = here.engine, here.sink, len(here.others)
    # Whoever has joined has said so.
    sink.wait_for(number)
    start = time.perf_counter()
    _flood(lambda: engine.publish(TOPIC, PAYLOAD), sink, size.count, number)
    sink.wait_for(number + number * (size.count // BURST + 1))
    return Sample(size.count, time.perf_counter() - start)


def _be_member(engine: Engine, sink: Sink, count: int) -> None:
    def answer(source: str, frame: bytes) -> None:
        if not sink.count % BURST:
            engine.send(source, b"more")
        if sink.count == count:
            engine.send(source, b"done")

    sink.answer = answer
    engine.join(TOPIC)
    engine.drain()
    while True:
        for member in engine.nodes():
            if member.node.startswith("main"):
                engine.send(member.node, b"joined")
                return
        gevent.sleep(0.005)


def _deaths(name: str, number: int) -> Work:
    """Return the work of seeing deaths by a signal."""

    def run(size: Size, url: str) -> Sample:
        found = []
        for _ in range(size.count):
            with Far(PROGRAM, "echo", url) as far, Here(url, [far]) as here:
                start = far.signal(number)
                here.sink.down.wait()
                found.append(time.perf_counter() - start)
        return middle(name, found)

    return run


def _role(function: Callable[[Engine, Sink, int], object]) -> Callable[[str, int, str], None]:
    def be(name: str, count: int, url: str) -> None:
        engine, sink = engine_at(url, APP), Sink()
        engine.start(Member(name, "1"), sink)
        print(name, flush=True)
        function(engine, sink, count)
        gevent.sleep(3600)

    return be


WORKLOADS: dict[str, Work] = {
    "one_way": _with_others(_one_way, "flood"),
    "round_trip": _with_others(_round_trip, "echo"),
    "broadcast": _with_others(_broadcast, "member", nodes=0),
    "kill": _deaths("kill", signal.SIGKILL),
    "kill_by_beats": _deaths("kill_by_beats", signal.SIGKILL),
    "freeze": _deaths("freeze", signal.SIGSTOP),
}
ROLES = {"flood": _role(_be_flood), "echo": _role(_be_echo), "member": _role(_be_member)}

if __name__ == "__main__":
    serve(sys.argv[1:], WORKLOADS, ROLES)
