"""Starting and ending in plain gevent: a Greenlet and a Queue for each process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import Event
from gevent.queue import Queue

from bench.gauge import Tally, core_clock, resident_bytes
from bench.workload import Sample, Size, by_name

Inbox = Any


def _nothing() -> None:
    return None


def _wait(inbox: Inbox) -> None:
    inbox.get()


def spawn_end(size: Size) -> Sample:
    """See ``bench/workload.py``, as for every function here."""
    ended = Event()
    tally = Tally(size.crowd, ended.set)
    counted = 0
    start = core_clock()
    while counted < size.count:
        for _ in range(size.crowd):
            gevent.spawn(tally.add)
        ended.wait()
        ended.clear()
        counted += tally.count
        tally.restart()
    return Sample(counted, core_clock() - start)


def spawn_monitor(size: Size) -> Sample:
    """The ending arrives in the inbox, as an EXIT does."""
    inbox: Inbox = Queue()
    counted = 0
    start = core_clock()
    for _ in range(size.count):
        child = gevent.spawn(_nothing)
        child.link(inbox.put)
        counted += inbox.get() is child
    return Sample(counted, core_clock() - start)


def _wait_for_end(inbox: Inbox, ended: Tally) -> None:
    try:
        inbox.get()
    finally:
        ended.add()


def star(size: Size) -> Sample:
    """``killall`` is how plain gevent ends many at once."""
    ended = Tally(size.crowd, _nothing)
    members = [gevent.spawn(_wait_for_end, Queue(), ended) for _ in range(size.crowd)]
    gevent.sleep(0)
    start = core_clock()
    gevent.killall(members)
    return Sample(ended.count, core_clock() - start)


def _kill(target: gevent.Greenlet[..., Any]) -> Callable[[object], None]:
    return lambda _: target.kill(block=False)


def chain(size: Size) -> Sample:
    """Each has a link that kills the next when it ends."""
    ended = Tally(size.crowd, _nothing)
    members = [gevent.spawn(_wait_for_end, Queue(), ended) for _ in range(size.crowd)]
    for index in range(size.crowd - 1):
        members[index].link(_kill(members[index + 1]))
    gevent.sleep(0)
    start = core_clock()
    members[0].kill(block=False)
    members[-1].join()
    return Sample(ended.count, core_clock() - start)


def memory(size: Size) -> Sample:
    """A Greenlet waiting on a Queue."""
    first = gevent.spawn(_wait, Queue())
    gevent.sleep(0)
    before = resident_bytes()
    idle = [gevent.spawn(_wait, Queue()) for _ in range(size.crowd)]
    gevent.sleep(0)
    grown = resident_bytes() - before
    started = sum(1 for each in idle if each)
    gevent.killall([first, *idle])
    return Sample(started, 0.0, {"memory": grown / size.crowd})


def leak(size: Size) -> Sample:
    """A tenth runs before memory is looked at for the first time."""
    inbox: Inbox = Queue()
    before = counted = 0
    start = core_clock()
    while counted < size.count:
        if counted >= size.count // 10 and not before:
            before = resident_bytes()
        for _ in range(size.crowd):
            gevent.spawn(_nothing).link(inbox.put)
        for _ in range(size.crowd):
            counted += inbox.get().successful()
    seconds = core_clock() - start
    return Sample(counted, seconds, {"leak": (resident_bytes() - before) / 1024})


WORKLOADS = by_name(spawn_end, spawn_monitor, star, chain, memory, leak)
