"""Messages in asyncio: a task and an ``asyncio.Queue`` for each process."""

from __future__ import annotations

import asyncio
from typing import Any

from bench.contenders.asyncio_loop import end_all, run_all
from bench.gauge import Tally, core_clock, late_figures
from bench.workload import EACH, TICK, TIMEOUT, Sample, Size

# A message is (topic, payload, the sender's inbox).
Inbox = asyncio.Queue[Any]


async def _echo(inbox: Inbox) -> None:
    while True:
        topic, number, sender = await inbox.get()
        sender.put_nowait((topic, number + 1, inbox))


async def _echo_in_time(inbox: Inbox) -> None:
    while True:
        async with asyncio.timeout(TIMEOUT):
            topic, number, sender = await inbox.get()
        sender.put_nowait((topic, number + 1, inbox))


async def ping_pong(size: Size) -> Sample:
    """Neither side has a timeout. See ``bench/workload.py``, as for every function here."""
    mine: Inbox = asyncio.Queue()
    other: Inbox = asyncio.Queue()
    partner = asyncio.create_task(_echo(other))
    number = 0
    start = core_clock()
    while number < size.count:
        other.put_nowait(("ping", number, mine))
        number = (await mine.get())[1] + 1
    seconds = core_clock() - start
    await end_all([partner])
    return Sample(number, seconds)


async def ping_pong_timeout(size: Size) -> Sample:
    """Both sides wait with a timeout."""
    mine: Inbox = asyncio.Queue()
    other: Inbox = asyncio.Queue()
    partner = asyncio.create_task(_echo_in_time(other))
    number = 0
    start = core_clock()
    while number < size.count:
        other.put_nowait(("ping", number, mine))
        async with asyncio.timeout(TIMEOUT):
            number = (await mine.get())[1] + 1
    seconds = core_clock() - start
    await end_all([partner])
    return Sample(number, seconds)


async def _acknowledge(inbox: Inbox, burst: int) -> None:
    while True:
        for _ in range(burst):
            message = await inbox.get()
        message[2].put_nowait(("ack", message[1] + 1, inbox))


async def stream(size: Size) -> Sample:
    """The receiver's word is how many arrived: the number of the last one, from 0, and 1."""
    mine: Inbox = asyncio.Queue()
    other: Inbox = asyncio.Queue()
    receiver = asyncio.create_task(_acknowledge(other, size.crowd))
    counted = 0
    start = core_clock()
    while counted < size.count:
        for number in range(size.crowd):
            other.put_nowait(("item", number, mine))
        counted += (await mine.get())[1]
    seconds = core_clock() - start
    await end_all([receiver])
    return Sample(counted, seconds)


async def _send_on_demand(inbox: Inbox) -> None:
    while True:
        _, each, receiver = await inbox.get()
        for number in range(each):
            receiver.put_nowait(("item", number, inbox))


async def fan_in(size: Size) -> Sample:
    """The senders live all the time."""
    mine: Inbox = asyncio.Queue()
    inboxes: list[Inbox] = [asyncio.Queue() for _ in range(size.crowd)]
    senders = [asyncio.create_task(_send_on_demand(inbox)) for inbox in inboxes]
    counted = 0
    start = core_clock()
    while counted < size.count:
        for inbox in inboxes:
            inbox.put_nowait(("go", EACH, mine))
        for _ in range(size.crowd * EACH):
            await mine.get()
        counted += size.crowd * EACH
    seconds = core_clock() - start
    await end_all(senders)
    return Sample(counted, seconds)


async def _count_messages(inbox: Inbox, tally: Tally) -> None:
    while True:
        await inbox.get()
        tally.add()


async def fan_out(size: Size) -> Sample:
    """The first round, in which the receivers start, is not measured."""
    arrived = asyncio.Event()
    tally = Tally(size.crowd, arrived.set)
    inboxes: list[Inbox] = [asyncio.Queue() for _ in range(size.crowd)]
    receivers = [asyncio.create_task(_count_messages(inbox, tally)) for inbox in inboxes]
    counted = -size.crowd
    start = 0.0
    while counted < size.count:
        if counted == 0:
            start = core_clock()
        for inbox in inboxes:
            inbox.put_nowait(("news", 1, None))
        await arrived.wait()
        arrived.clear()
        counted += tally.count
        tally.restart()
    seconds = core_clock() - start
    await end_all(receivers)
    return Sample(counted, seconds)


async def _serve(inbox: Inbox) -> None:
    while True:
        _, number, reply = await inbox.get()
        reply.set_result(number + 1)


async def call(size: Size) -> Sample:
    """The reply goes to a future."""
    inbox: Inbox = asyncio.Queue()
    server = asyncio.create_task(_serve(inbox))
    make_future = asyncio.get_running_loop().create_future
    number = 0
    start = core_clock()
    while number < size.count:
        reply = make_future()
        inbox.put_nowait(("add", number, reply))
        number = await reply
    seconds = core_clock() - start
    await end_all([server])
    return Sample(number, seconds)


async def call_backlog(size: Size) -> Sample:
    """The reply does not pass through the inbox, so what waits there is in nobody's way."""
    waiting: Inbox = asyncio.Queue()
    for number in range(size.crowd):
        waiting.put_nowait(("other", number, None))
    sample = await call(size)
    assert waiting.qsize() == size.crowd
    return sample


async def _pass_on(inbox: Inbox, following: Inbox, goal: int, done: asyncio.Future[int]) -> None:
    while True:
        topic, hops, _ = await inbox.get()
        if hops == goal:
            done.set_result(hops)
        else:
            following.put_nowait((topic, hops + 1, inbox))


async def ring(size: Size) -> Sample:
    """Every member waits when the token starts."""
    inboxes: list[Inbox] = [asyncio.Queue() for _ in range(size.crowd)]
    done: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    members = [
        asyncio.create_task(_pass_on(inbox, inboxes[index - 1], size.count, done))
        for index, inbox in enumerate(inboxes)
    ]
    await asyncio.sleep(0)
    start = core_clock()
    inboxes[0].put_nowait(("token", 0, None))
    hops = await done
    seconds = core_clock() - start
    await end_all(members)
    return Sample(hops, seconds)


async def selective(size: Size) -> Sample:
    """What was passed over is kept in a list of one's own and looked at first."""
    inbox: Inbox = asyncio.Queue()
    kept: list[Any] = []
    for number in range(size.crowd):
        inbox.put_nowait(("other", number, inbox))
    counted = 0
    start = core_clock()
    while counted < size.count:
        inbox.put_nowait(("wanted", counted, inbox))
        counted = (await _receive_topic(inbox, kept, "wanted"))[1] + 1
    return Sample(counted, core_clock() - start)


async def _receive_topic(inbox: Inbox, kept: list[Any], topic: str) -> Any:
    for index, message in enumerate(kept):
        if message[0] == topic:
            del kept[index]
            return message
    while True:
        message = await inbox.get()
        if message[0] == topic:
            return message
        kept.append(message)


async def _bounce(inbox: Inbox, partner: Inbox, tally: Tally) -> None:
    while True:
        topic, number, _ = await inbox.get()
        tally.add()
        partner.put_nowait((topic, number + 1, inbox))


async def busy_pairs(size: Size) -> Sample:
    """The rate is that of the messages while the timers run."""
    tally = Tally(-1, object)
    players = []
    for _ in range(size.crowd):
        one: Inbox = asyncio.Queue()
        other: Inbox = asyncio.Queue()
        players += [asyncio.create_task(_bounce(one, other, tally))]
        players += [asyncio.create_task(_bounce(other, one, tally))]
        one.put_nowait(("ping", 0, other))
    await asyncio.sleep(0.05)
    slept = []
    tally.restart()
    start = core_clock()
    for _ in range(size.count):
        before = core_clock()
        await asyncio.sleep(TICK)
        slept.append(core_clock() - before)
    seconds, counted = core_clock() - start, tally.count
    await end_all(players)
    return Sample(counted, seconds, late_figures(slept))


MAINS = (
    ping_pong,
    ping_pong_timeout,
    stream,
    fan_in,
    fan_out,
    call,
    call_backlog,
    ring,
    selective,
    busy_pairs,
)
WORKLOADS = run_all(asyncio.new_event_loop, MAINS)
