"""Messages in plain gevent: a Greenlet and a ``gevent.queue.Queue`` for each process."""

from __future__ import annotations

from typing import Any

import gevent
from gevent.event import AsyncResult, Event
from gevent.queue import Queue

from bench.gauge import Tally, core_clock, late_figures
from bench.workload import EACH, TICK, TIMEOUT, Sample, Size, by_name

# A message is (topic, payload, the sender's inbox).
Inbox = Any
Answer = Any


def _echo(inbox: Inbox) -> None:
    while True:
        topic, number, sender = inbox.get()
        sender.put((topic, number + 1, inbox))


def _echo_in_time(inbox: Inbox) -> None:
    while True:
        topic, number, sender = inbox.get(timeout=TIMEOUT)
        sender.put((topic, number + 1, inbox))


def ping_pong(size: Size) -> Sample:
    """Neither side has a timeout. See ``bench/workload.py``, as for every function here."""
    mine: Inbox = Queue()
    other: Inbox = Queue()
    partner = gevent.spawn(_echo, other)
    number = 0
    start = core_clock()
    while number < size.count:
        other.put(("ping", number, mine))
        number = mine.get()[1] + 1
    seconds = core_clock() - start
    partner.kill()
    return Sample(number, seconds)


def ping_pong_timeout(size: Size) -> Sample:
    """Both sides wait with a timeout."""
    mine: Inbox = Queue()
    other: Inbox = Queue()
    partner = gevent.spawn(_echo_in_time, other)
    number = 0
    start = core_clock()
    while number < size.count:
        other.put(("ping", number, mine))
        number = mine.get(timeout=TIMEOUT)[1] + 1
    seconds = core_clock() - start
    partner.kill()
    return Sample(number, seconds)


def _acknowledge(inbox: Inbox, burst: int) -> None:
    while True:
        for _ in range(burst):
            message = inbox.get()
        message[2].put(("ack", message[1] + 1, inbox))


def stream(size: Size) -> Sample:
    """The receiver's word is how many arrived: the number of the last one, from 0, and 1."""
    mine: Inbox = Queue()
    other: Inbox = Queue()
    receiver = gevent.spawn(_acknowledge, other, size.crowd)
    counted = 0
    start = core_clock()
    while counted < size.count:
        for number in range(size.crowd):
            other.put(("item", number, mine))
        counted += mine.get()[1]
    seconds = core_clock() - start
    receiver.kill()
    return Sample(counted, seconds)


def _send_on_demand(inbox: Inbox) -> None:
    while True:
        _, each, receiver = inbox.get()
        for number in range(each):
            receiver.put(("item", number, inbox))


def fan_in(size: Size) -> Sample:
    """The senders live all the time."""
    mine: Inbox = Queue()
    inboxes: list[Inbox] = [Queue() for _ in range(size.crowd)]
    senders = [gevent.spawn(_send_on_demand, inbox) for inbox in inboxes]
    counted = 0
    start = core_clock()
    while counted < size.count:
        for inbox in inboxes:
            inbox.put(("go", EACH, mine))
        for _ in range(size.crowd * EACH):
            mine.get()
        counted += size.crowd * EACH
    seconds = core_clock() - start
    gevent.killall(senders)
    return Sample(counted, seconds)


def _count_messages(inbox: Inbox, tally: Tally) -> None:
    while True:
        inbox.get()
        tally.add()


def fan_out(size: Size) -> Sample:
    """The first round, in which the receivers start, is not measured."""
    arrived = Event()
    tally = Tally(size.crowd, arrived.set)
    inboxes: list[Inbox] = [Queue() for _ in range(size.crowd)]
    receivers = [gevent.spawn(_count_messages, inbox, tally) for inbox in inboxes]
    counted = -size.crowd
    start = 0.0
    while counted < size.count:
        if counted == 0:
            start = core_clock()
        for inbox in inboxes:
            inbox.put(("news", 1, None))
        arrived.wait()
        arrived.clear()
        counted += tally.count
        tally.restart()
    seconds = core_clock() - start
    gevent.killall(receivers)
    return Sample(counted, seconds)


def _serve(inbox: Inbox) -> None:
    while True:
        _, number, reply = inbox.get()
        reply.set(number + 1)


def call(size: Size) -> Sample:
    """The reply goes to an AsyncResult."""
    inbox: Inbox = Queue()
    server = gevent.spawn(_serve, inbox)
    number = 0
    start = core_clock()
    while number < size.count:
        reply: Answer = AsyncResult()
        inbox.put(("add", number, reply))
        number = reply.get()
    seconds = core_clock() - start
    server.kill()
    return Sample(number, seconds)


def call_backlog(size: Size) -> Sample:
    """The reply does not pass through the inbox, so what waits there is in nobody's way."""
    waiting: Inbox = Queue()
    for number in range(size.crowd):
        waiting.put(("other", number, None))
    sample = call(size)
    assert waiting.qsize() == size.crowd
    return sample


def _pass_on(inbox: Inbox, following: Inbox, goal: int, done: Answer) -> None:
    while True:
        topic, hops, _ = inbox.get()
        if hops == goal:
            done.set(hops)
        else:
            following.put((topic, hops + 1, inbox))


def ring(size: Size) -> Sample:
    """Every member waits when the token starts."""
    inboxes: list[Inbox] = [Queue() for _ in range(size.crowd)]
    done: Answer = AsyncResult()
    members = [
        gevent.spawn(_pass_on, inbox, inboxes[index - 1], size.count, done)
        for index, inbox in enumerate(inboxes)
    ]
    gevent.sleep(0)
    start = core_clock()
    inboxes[0].put(("token", 0, None))
    hops = done.get()
    seconds = core_clock() - start
    gevent.killall(members)
    return Sample(hops, seconds)


def selective(size: Size) -> Sample:
    """What was passed over is kept in a list of one's own and looked at first."""
    inbox: Inbox = Queue()
    kept: list[Any] = []
    for number in range(size.crowd):
        inbox.put(("other", number, inbox))
    counted = 0
    start = core_clock()
    while counted < size.count:
        inbox.put(("wanted", counted, inbox))
        counted = _receive_topic(inbox, kept, "wanted")[1] + 1
    return Sample(counted, core_clock() - start)


def _receive_topic(inbox: Inbox, kept: list[Any], topic: str) -> Any:
    for index, message in enumerate(kept):
        if message[0] == topic:
            del kept[index]
            return message
    while True:
        message = inbox.get()
        if message[0] == topic:
            return message
        kept.append(message)


def _bounce(inbox: Inbox, partner: Inbox, tally: Tally) -> None:
    while True:
        topic, number, _ = inbox.get()
        tally.add()
        partner.put((topic, number + 1, inbox))


def busy_pairs(size: Size) -> Sample:
    """The rate is that of the messages while the timers run."""
    tally = Tally(-1, object)
    players = []
    for _ in range(size.crowd):
        one: Inbox = Queue()
        other: Inbox = Queue()
        players += [gevent.spawn(_bounce, one, other, tally)]
        players += [gevent.spawn(_bounce, other, one, tally)]
        one.put(("ping", 0, other))
    gevent.sleep(0.05)
    slept = []
    tally.restart()
    start = core_clock()
    for _ in range(size.count):
        before = core_clock()
        gevent.sleep(TICK)
        slept.append(core_clock() - before)
    seconds, counted = core_clock() - start, tally.count
    gevent.killall(players)
    return Sample(counted, seconds, late_figures(slept))


WORKLOADS = by_name(
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
