"""Starting and ending of greenrelay's function processes."""

from __future__ import annotations

from bench.contenders.greenrelay_node import end_all, in_a_process
from bench.gauge import Tally, core_clock, resident_bytes
from bench.workload import Sample, Size, by_name
from greenrelay.process import (
    Exit,
    Pid,
    events,
    exit,
    inbox,
    link,
    monitor,
    pid,
    send,
    spawn,
    spawn_linked,
    spawn_monitored,
)


def _nothing() -> None:
    return None


def spawn_end(size: Size) -> Sample:
    """See ``bench/workload.py``, as for every function here."""
    me = pid()
    box = inbox()
    tally = Tally(size.crowd, lambda: send(me, "done"))
    counted = 0
    start = core_clock()
    while counted < size.count:
        for _ in range(size.crowd):
            spawn(tally.add)
        box.receive()
        counted += tally.count
        tally.restart()
    return Sample(counted, core_clock() - start)


def spawn_monitor(size: Size) -> Sample:
    """Each monitored from before its first line."""
    endings = events()
    counted = 0
    start = core_clock()
    for _ in range(size.count):
        child = spawn(_nothing, monitor=True)
        event = endings.receive()
        counted += isinstance(event, Exit) and event.pid is child
    return Sample(counted, core_clock() - start)


def _wait_for_end(ready: Tally, ended: Tally, previous: Pid | None) -> None:
    if previous is not None:
        link(previous)
    ready.add()
    try:
        inbox().receive()
        exit("over")
    finally:
        ended.add()


def _be_the_middle(ready: Tally, ended: Tally, crowd: int, starter: Pid) -> None:
    for _ in range(crowd):
        last = spawn_linked(_wait_for_end, ready, ended, None)
    send(starter, "last", last)
    inbox().receive()
    exit("over")


def star(size: Size) -> Sample:
    """The endings are told in one order: when the last is, all have been."""
    me = pid()
    box = inbox()
    ready = Tally(size.crowd, lambda: send(me, "ready"))
    ended = Tally(size.crowd, object)
    middle = spawn(_be_the_middle, ready, ended, size.crowd, me)
    last = box.receive().payload
    assert isinstance(last, Pid)
    monitor(last)
    box.receive()
    start = core_clock()
    send(middle, "end")
    events().receive()
    return Sample(ended.count, core_clock() - start)


def chain(size: Size) -> Sample:
    """Each is linked to the one before it; the first ends, and the last is heard of."""
    me = pid()
    ready = Tally(size.crowd, lambda: send(me, "ready"))
    ended = Tally(size.crowd, object)
    first = last = spawn(_wait_for_end, ready, ended, None)
    for _ in range(size.crowd - 1):
        last = spawn(_wait_for_end, ready, ended, last)
    monitor(last)
    inbox().receive()
    start = core_clock()
    send(first, "end")
    events().receive()
    return Sample(ended.count, core_clock() - start)


def _wait(ready: Tally) -> None:
    ready.add()
    inbox().receive()


def _resident_with_waiting(crowd: int) -> tuple[int, list[Pid]]:
    me = pid()
    ready = Tally(crowd, lambda: send(me, "ready"))
    pids = [spawn(_wait, ready) for _ in range(crowd)]
    inbox().receive()
    return resident_bytes(), pids


def memory(size: Size) -> Sample:
    """A function waiting in receive."""
    before, first = _resident_with_waiting(10)
    after, rest = _resident_with_waiting(size.crowd)
    end_all(first + rest)
    return Sample(len(rest), 0.0, {"memory": (after - before) / size.crowd})


def leak(size: Size) -> Sample:
    """A tenth runs before memory is looked at for the first time."""
    endings = events()
    before = counted = 0
    start = core_clock()
    while counted < size.count:
        if counted >= size.count // 10 and not before:
            before = resident_bytes()
        for _ in range(size.crowd):
            spawn_monitored(_nothing)
        for _ in range(size.crowd):
            counted += isinstance(endings.receive(), Exit)
    seconds = core_clock() - start
    return Sample(counted, seconds, {"leak": (resident_bytes() - before) / 1024})


WORKLOADS = by_name(
    *map(in_a_process, (spawn_end, spawn_monitor, star, chain, memory, leak)),
)
