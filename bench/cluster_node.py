"""Processes of greenrelay on nodes of a cluster: see ``bench/cluster_work.py``."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import median
from typing import Any

import gevent

from bench.cluster_far import Far, Role, Work, middle, serve, times
from bench.cluster_work import BURST, PAYLOAD, WINDOW
from bench.workload import Sample, Size
from greenrelay import process as gr
from greenrelay.process import Node, Pid

PROGRAM = "bench.cluster_node"
APP = "bench"
GROUP = "all"
# The best of some counts, as a neighbour can make it slower only; and the median of some pairs.
LOCAL_RUNS, LOCAL_PAIRS = 3, 15


def _joined(url: str, others: int) -> Node:
    """Return a node that can send to a number of others; without an address, one of its own."""
    name = f"main{time.time_ns()}"
    node = Node(name, cluster=url, app=APP) if url else Node(name)
    while len(node.cluster.nodes() if node.cluster else ()) < others:
        gevent.sleep(0.005)
    return node


def _in_a_process(
    work: Callable[[Size, list[Pid]], Sample], role: str, nodes: int = 1
) -> Callable[[Size, str], Sample]:
    """Return ``work`` as a process that knows one process each of ``nodes`` others, or a crowd."""

    def run(size: Size, url: str) -> Sample:
        number = nodes or size.crowd
        with ExitStack() as stack:
            fars = [
                stack.enter_context(Far(PROGRAM, role, url, number=each, count=size.count))
                for each in range(number)
            ]
            node = _joined(url, number)
            pids = [Pid.parse(far.word) for far in fars]
            sample: Sample = node.run(work, size, pids)
            node.shutdown(1.0)
        return sample

    return run


def _one_way(size: Size, pids: list[Pid]) -> Sample:
    gr.send(pids[0], "go")
    return _count(size.count, pids[0])


def _count(count: int, sender: Pid) -> Sample:
    """Receive messages, and let the sender know of each burst."""
    start, got = 0.0, 0
    for _ in gr.inbox():
        start = start or time.perf_counter()
        got += 1
        if not got % BURST:
            gr.send(sender, "more")
        if got == count:
            break
    # The first starts the clock.
    return Sample(got - 1, time.perf_counter() - start)


def _flood(count: int, put: Callable[[], object], receivers: int = 1) -> None:
    """Put messages as fast as those who get them let it."""
    credit = WINDOW * BURST
    for _ in range(count):
        if not credit:
            for _ in range(receivers):
                gr.receive("more")
            credit = BURST
        put()
        credit -= 1


def _be_flood(count: int) -> None:
    message = gr.receive("go")
    dest = message.sender
    assert dest is not None
    _flood(count, lambda: gr.send(dest, "load", PAYLOAD))


def _round_trip(size: Size, pids: list[Pid]) -> Sample:
    found = []
    for _ in range(size.count):
        start = time.perf_counter()
        gr.send(pids[0], "ask", PAYLOAD)
        gr.receive("answer")
        found.append(time.perf_counter() - start)
    return times("round_trip", found)


def _call(size: Size, pids: list[Pid]) -> Sample:
    found = []
    for _ in range(size.count):
        start = time.perf_counter()
        gr.call(pids[0], "ask", PAYLOAD)
        found.append(time.perf_counter() - start)
    return times("call", found)


def _be_echo(_: int) -> None:
    for message in gr.inbox():
        if message.reply_to is not None:
            gr.reply(message, message.payload)
        elif message.sender is not None:
            gr.send(message.sender, "answer", message.payload)


def _broadcast(size: Size, pids: list[Pid]) -> Sample:
    while len(gr.members(GROUP)) < len(pids):
        gevent.sleep(0.005)
    start = time.perf_counter()
    _flood(size.count, lambda: gr.broadcast(GROUP, "load", PAYLOAD), len(pids))
    for _ in pids:
        gr.receive("done")
    return Sample(size.count, time.perf_counter() - start)


def _be_member(count: int) -> None:
    gr.join(GROUP)
    for got, message in enumerate(gr.inbox(), 1):
        if message.sender is not None and not got % BURST:
            gr.send(message.sender, "more")
        if message.sender is not None and got == count:
            gr.send(message.sender, "done")


def _deaths(name: str, number: int) -> Work:
    """Return the work of seeing deaths by a signal."""

    def see(node: Node, far: Far) -> float:
        def watch() -> float:
            gr.monitor(Pid.parse(far.word))
            gr.call(Pid.parse(far.word), "ask")
            start = far.signal(number)
            event: Any = gr.receive()
            assert event.result.reason == "noconnection"
            return time.perf_counter() - start

        seconds: float = node.run(watch)
        return seconds

    def run(size: Size, url: str) -> Sample:
        found = []
        for _ in range(size.count):
            with Far(PROGRAM, "echo", url) as far:
                node = _joined(url, 1)
                found.append(see(node, far))
                node.shutdown(1.0)
        return middle(name, found)

    return run


def _monitors(size: Size, url: str) -> Sample:
    def watch(far: Far) -> float:
        dest = Pid.parse(far.word)
        pids: Any = gr.call(dest, "spawn", size.crowd, timeout=30.0)
        for pid in pids:
            gr.monitor(Pid.parse(pid))
        # Answered behind all monitors: they are in force.
        gr.call(dest, "spawn", 0, timeout=30.0)
        start = far.signal(signal.SIGKILL)
        for _ in pids:
            event: Any = gr.receive()
            assert event.result.reason == "noconnection"
        return time.perf_counter() - start

    with Far(PROGRAM, "crowd", url) as far:
        node = _joined(url, 1)
        seconds: float = node.run(watch, far)
        node.shutdown(1.0)
    return Sample(size.crowd, 0.0, {"monitors": 1e3 * seconds})


def _be_crowd(_: int) -> None:
    for message in gr.inbox():
        number: Any = message.payload
        gr.reply(message, [str(gr.spawn(gr.receive)) for _ in range(number)])


def _local(size: Size, url: str) -> Sample:
    """Send messages inside a node that is joined with another, and inside one without an engine.

    The two take turns, as the machine changes its speed within seconds.
    """
    joined, kept = [], []
    with Far(PROGRAM, "echo", url):
        for number in range(LOCAL_PAIRS):
            seconds = {each: _local_seconds(size, each) for each in _turns(url, number)}
            joined.append(seconds[url])
            kept.append(seconds[""] / seconds[url])
    return Sample(size.count, median(joined), {"local_kept": median(kept)})


def _turns(url: str, number: int) -> tuple[str, str]:
    return (url, "") if number % 2 else ("", url)


def _local_seconds(size: Size, url: str) -> float:
    node = _joined(url, 1 if url else 0)
    seconds: float = node.run(_local_best, size)
    node.shutdown(1.0)
    return seconds


def _local_best(size: Size) -> float:
    # Each by a process of its own, which starts without what the one before has not read.
    found: list[float] = [gr.exec(_local_run, size.count, timeout=60.0) for _ in range(LOCAL_RUNS)]
    return min(found)


def _local_run(count: int) -> float:
    receiver = gr.spawn(_be_local, gr.pid())
    start = time.process_time()
    _flood(count, lambda: gr.send(receiver, "load", PAYLOAD))
    gr.send(receiver, "end")
    gr.receive("done")
    return time.process_time() - start


def _be_local(sender: Pid) -> None:
    for got, message in enumerate(gr.inbox(), 1):
        if message.topic == "end":
            gr.send(sender, "done")
            return
        if not got % BURST:
            gr.send(sender, "more")


def _role(function: Callable[[int], object]) -> Role:
    """Return a role: a node with one process, whose PID it says."""

    def be(name: str, count: int, url: str) -> None:
        node = Node(name, cluster=url, app=APP)
        print(node.spawn(function, count), flush=True)
        gevent.sleep(3600)

    return be


WORKLOADS: dict[str, Work] = {
    "one_way": _in_a_process(_one_way, "flood"),
    "round_trip": _in_a_process(_round_trip, "echo"),
    "call": _in_a_process(_call, "echo"),
    "broadcast": _in_a_process(_broadcast, "member", nodes=0),
    "kill": _deaths("kill", signal.SIGKILL),
    "kill_by_beats": _deaths("kill_by_beats", signal.SIGKILL),
    "freeze": _deaths("freeze", signal.SIGSTOP),
    "monitors": _monitors,
    "local": _local,
}
ROLES = {
    "flood": _role(_be_flood),
    "echo": _role(_be_echo),
    "member": _role(_be_member),
    "crowd": _role(_be_crowd),
}

if __name__ == "__main__":
    serve(sys.argv[1:], WORKLOADS, ROLES)
