"""Starting and ending in asyncio: a task and an ``asyncio.Queue`` for each process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from bench.contenders.asyncio_loop import end_all, run_all
from bench.gauge import Tally, core_clock, resident_bytes
from bench.workload import Sample, Size

Inbox = asyncio.Queue[Any]


async def _nothing() -> None:
    return None


async def _count(tally: Tally) -> None:
    tally.add()


async def spawn_end(size: Size) -> Sample:
    """See ``bench/workload.py``, as for every function here."""
    ended = asyncio.Event()
    tally = Tally(size.crowd, ended.set)
    spawn = asyncio.get_running_loop().create_task
    counted = 0
    start = core_clock()
    while counted < size.count:
        for _ in range(size.crowd):
            spawn(_count(tally))
        await ended.wait()
        ended.clear()
        counted += tally.count
        tally.restart()
    return Sample(counted, core_clock() - start)


async def spawn_monitor(size: Size) -> Sample:
    """The ending arrives in the inbox."""
    inbox: Inbox = asyncio.Queue()
    spawn = asyncio.get_running_loop().create_task
    counted = 0
    start = core_clock()
    for _ in range(size.count):
        child = spawn(_nothing())
        child.add_done_callback(inbox.put_nowait)
        counted += await inbox.get() is child
    return Sample(counted, core_clock() - start)


async def _wait_for_end(inbox: Inbox, ended: Tally) -> None:
    try:
        await inbox.get()
    finally:
        ended.add()


async def star(size: Size) -> Sample:
    """Each is cancelled, and then all are waited for."""
    ended = Tally(size.crowd, object)
    members = [
        asyncio.create_task(_wait_for_end(asyncio.Queue(), ended)) for _ in range(size.crowd)
    ]
    await asyncio.sleep(0)
    start = core_clock()
    await end_all(members)
    return Sample(ended.count, core_clock() - start)


def _cancel(target: asyncio.Task[Any]) -> Callable[[object], object]:
    return lambda _: target.cancel()


async def chain(size: Size) -> Sample:
    """Each has a callback that cancels the next when it is done."""
    ended = Tally(size.crowd, object)
    members = [
        asyncio.create_task(_wait_for_end(asyncio.Queue(), ended)) for _ in range(size.crowd)
    ]
    for index in range(size.crowd - 1):
        members[index].add_done_callback(_cancel(members[index + 1]))
    await asyncio.sleep(0)
    start = core_clock()
    members[0].cancel()
    await asyncio.wait([members[-1]])
    return Sample(ended.count, core_clock() - start)


async def _wait(inbox: Inbox) -> None:
    await inbox.get()


async def memory(size: Size) -> Sample:
    """A task waiting on a queue."""
    first = asyncio.create_task(_wait(asyncio.Queue()))
    await asyncio.sleep(0)
    before = resident_bytes()
    idle = [asyncio.create_task(_wait(asyncio.Queue())) for _ in range(size.crowd)]
    await asyncio.sleep(0)
    grown = resident_bytes() - before
    waiting = sum(1 for task in idle if not task.done())
    await end_all([first, *idle])
    return Sample(waiting, 0.0, {"memory": grown / size.crowd})


async def leak(size: Size) -> Sample:
    """A tenth runs before memory is looked at for the first time."""
    inbox: Inbox = asyncio.Queue()
    before = counted = 0
    start = core_clock()
    while counted < size.count:
        if counted >= size.count // 10 and not before:
            before = resident_bytes()
        for _ in range(size.crowd):
            asyncio.create_task(_nothing()).add_done_callback(inbox.put_nowait)
        for _ in range(size.crowd):
            counted += (await inbox.get()).done()
    seconds = core_clock() - start
    return Sample(counted, seconds, {"leak": (resident_bytes() - before) / 1024})


MAINS = (spawn_end, spawn_monitor, star, chain, memory, leak)
WORKLOADS = run_all(asyncio.new_event_loop, MAINS)
