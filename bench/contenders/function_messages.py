"""Messages between greenrelay's function processes.

A process that takes part in a dialogue calls ``receive()``, one that works through what it is sent
iterates its inbox.
"""

from __future__ import annotations

from typing import Any

import gevent

from bench.contenders.greenrelay_node import end_all, in_a_process
from bench.gauge import Tally, core_clock, late_figures
from bench.workload import EACH, TICK, TIMEOUT, Sample, Size, by_name
from greenrelay import process as gr
from greenrelay.process import Pid, inbox, pid, receive, reply, send, spawn

# To a type checker, what is received may be an event, and a payload is any object; here it is a
# message with a number.
Received = Any
Number = Any


def _echo() -> None:
    while True:
        message: Received = receive()
        send(message.sender, message.topic, message.payload + 1)


def _echo_in_time() -> None:
    while True:
        message: Received = receive(timeout=TIMEOUT)
        send(message.sender, message.topic, message.payload + 1)


def ping_pong(size: Size) -> Sample:
    """Neither side has a timeout. See ``bench/workload.py``, as for every function here."""
    partner = spawn(_echo)
    number = 0
    start = core_clock()
    while number < size.count:
        send(partner, "ping", number)
        message: Received = receive()
        number = message.payload + 1
    seconds = core_clock() - start
    end_all([partner])
    return Sample(number, seconds)


def ping_pong_timeout(size: Size) -> Sample:
    """Both sides wait with a timeout."""
    partner = spawn(_echo_in_time)
    number = 0
    start = core_clock()
    while number < size.count:
        send(partner, "ping", number)
        message: Received = receive(timeout=TIMEOUT)
        number = message.payload + 1
    seconds = core_clock() - start
    end_all([partner])
    return Sample(number, seconds)


def _acknowledge(burst: int) -> None:
    box = inbox()
    while True:
        for _ in range(burst):
            message: Received = next(box)
        send(message.sender, "ack", message.payload + 1)


def stream(size: Size) -> Sample:
    """The receiver's word is how many arrived: the number of the last one, from 0, and 1."""
    box = inbox()
    receiver = spawn(_acknowledge, size.crowd)
    counted: Number = 0
    start = core_clock()
    while counted < size.count:
        for number in range(size.crowd):
            send(receiver, "item", number)
        counted += box.receive().payload
    seconds = core_clock() - start
    end_all([receiver])
    return Sample(counted, seconds)


def _send_on_demand() -> None:
    message: Received
    for message in inbox():
        for number in range(message.payload):
            send(message.sender, "item", number)


def fan_in(size: Size) -> Sample:
    """The senders live all the time."""
    box = inbox()
    senders = [spawn(_send_on_demand) for _ in range(size.crowd)]
    counted = 0
    start = core_clock()
    while counted < size.count:
        for sender in senders:
            send(sender, "go", EACH)
        for _ in range(size.crowd * EACH):
            next(box)
        counted += size.crowd * EACH
    seconds = core_clock() - start
    end_all(senders)
    return Sample(counted, seconds)


def _count_messages(tally: Tally) -> None:
    for _ in inbox():
        tally.add()


def fan_out(size: Size) -> Sample:
    """The first round, in which the receivers start, is not measured."""
    me = pid()
    box = inbox()
    tally = Tally(size.crowd, lambda: send(me, "done"))
    receivers = [spawn(_count_messages, tally) for _ in range(size.crowd)]
    counted = -size.crowd
    start = 0.0
    while counted < size.count:
        if counted == 0:
            start = core_clock()
        for receiver in receivers:
            send(receiver, "news", 1)
        box.receive()
        counted += tally.count
        tally.restart()
    seconds = core_clock() - start
    end_all(receivers)
    return Sample(counted, seconds)


def _serve() -> None:
    message: Received
    for message in inbox():
        reply(message, message.payload + 1)


def call(size: Size) -> Sample:
    """The server's death would be noticed, and there is a timeout."""
    server = spawn(_serve)
    number = 0
    start = core_clock()
    while number < size.count:
        number = gr.call(server, "add", number)
    seconds = core_clock() - start
    end_all([server])
    return Sample(number, seconds)


def call_backlog(size: Size) -> Sample:
    """What waits is in the inbox of the process that calls."""
    me = pid()
    for number in range(size.crowd):
        send(me, "other", number)
    sample = call(size)
    assert len(inbox()) == size.crowd
    return sample


def _pass_on(goal: int, starter: Pid) -> None:
    box = inbox()
    following: Any = box.receive().payload
    message: Received
    for message in box:
        if message.payload == goal:
            send(starter, message.topic, goal)
        else:
            send(following, message.topic, message.payload + 1)


def ring(size: Size) -> Sample:
    """Every member waits when the token starts."""
    me = pid()
    box = inbox()
    members = [spawn(_pass_on, size.count, me) for _ in range(size.crowd)]
    for index, member in enumerate(members):
        send(member, "next", members[index - 1])
    gevent.sleep(0.01)
    start = core_clock()
    send(members[0], "token", 0)
    hops: Number = box.receive().payload
    seconds = core_clock() - start
    end_all(members)
    return Sample(hops, seconds)


def selective(size: Size) -> Sample:
    """The message it wants is behind all the others."""
    me = pid()
    for number in range(size.crowd):
        send(me, "other", number)
    counted: Number = 0
    start = core_clock()
    while counted < size.count:
        send(me, "wanted", counted)
        counted = receive("wanted").payload
        counted += 1
    return Sample(counted, core_clock() - start)


def _bounce(tally: Tally, partner: Pid | None) -> None:
    if partner is not None:
        send(partner, "ping", 0)
    message: Received
    for message in inbox():
        tally.add()
        send(message.sender, message.topic, message.payload + 1)


def busy_pairs(size: Size) -> Sample:
    """The rate is that of the messages while the timers run."""
    tally = Tally(-1, object)
    players = [spawn(_bounce, tally, None) for _ in range(size.crowd)]
    players += [spawn(_bounce, tally, player) for player in players]
    gevent.sleep(0.05)
    slept = []
    tally.restart()
    start = core_clock()
    for _ in range(size.count):
        before = core_clock()
        gevent.sleep(TICK)
        slept.append(core_clock() - before)
    seconds, counted = core_clock() - start, tally.count
    end_all(players)
    return Sample(counted, seconds, late_figures(slept))


WORKLOADS = by_name(
    *map(
        in_a_process,
        (
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
        ),
    )
)
