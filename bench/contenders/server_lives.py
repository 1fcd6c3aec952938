"""Idle servers and their ending, in greenrelay.

A server that does not override ``terminate`` ends without running, so that the endings of the
cascades are counted in the node's table.
"""

from __future__ import annotations

from typing import Any

from bench.contenders.greenrelay_node import end_all, in_a_process
from bench.gauge import Tally, core_clock, resident_bytes
from bench.workload import Sample, Size, by_name
from greenrelay.process import (
    Message,
    Pid,
    Server,
    events,
    exit,
    inbox,
    link,
    monitor,
    pid,
    processes,
    send,
    spawn,
    spawn_linked,
    stop,
)


class _Waiting(Server):
    def init(self, ready: Tally, previous: Pid | None) -> None:
        if previous is not None:
            link(previous)
        ready.add()

    def handle_message(self, message: Message) -> object:
        return stop("over")


def _be_the_middle(ready: Tally, crowd: int, starter: Pid) -> None:
    for _ in range(crowd):
        last = spawn_linked(_Waiting, ready, None)
    send(starter, "last", last)
    inbox().receive()
    exit("over")


def star(size: Size) -> Sample:
    """The one in the middle is a function; the endings are told in one order."""
    me = pid()
    box = inbox()
    before = len(processes())
    ready = Tally(size.crowd, lambda: send(me, "ready"))
    middle = spawn(_be_the_middle, ready, size.crowd, me)
    last: Any = box.receive().payload
    monitor(last)
    box.receive()
    seconds = _until_told(middle)
    return Sample(size.crowd - (len(processes()) - before), seconds)


def chain(size: Size) -> Sample:
    """Each is linked to the one before it; the first ends, and the last is heard of."""
    me = pid()
    before = len(processes())
    ready = Tally(size.crowd, lambda: send(me, "ready"))
    first = last = spawn(_Waiting, ready, None)
    for _ in range(size.crowd - 1):
        last = spawn(_Waiting, ready, last)
    monitor(last)
    inbox().receive()
    seconds = _until_told(first)
    return Sample(size.crowd - (len(processes()) - before), seconds)


def _until_told(first: Pid) -> float:
    endings = events()
    start = core_clock()
    send(first, "end")
    endings.receive()
    return core_clock() - start


def _resident_with_waiting(crowd: int) -> tuple[int, list[Pid]]:
    me = pid()
    ready = Tally(crowd, lambda: send(me, "ready"))
    pids = [spawn(_Waiting, ready, None) for _ in range(crowd)]
    inbox().receive()
    return resident_bytes(), pids


def memory(size: Size) -> Sample:
    """A server that has been set up and has got nothing yet."""
    before, first = _resident_with_waiting(10)
    after, rest = _resident_with_waiting(size.crowd)
    end_all(first + rest)
    return Sample(len(rest), 0.0, {"memory": (after - before) / size.crowd})


WORKLOADS = by_name(*map(in_a_process, (star, chain, memory)))
