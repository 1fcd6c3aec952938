"""Messages between greenrelay's servers; whoever waits for the end of it is a function."""

from __future__ import annotations

from typing import Any

import gevent

from bench.contenders.greenrelay_node import end_all, in_a_process
from bench.gauge import Tally, core_clock, late_figures
from bench.workload import EACH, TICK, Sample, Size, by_name
from greenrelay import process as gr
from greenrelay.process import Message, Pid, Server, inbox, pid, send, spawn

# To a type checker a payload is any object; here it is a number.
Received = Any


class _Player(Server):
    def init(self, goal: int, starter: Pid, partner: Pid | None) -> None:
        self._goal = goal
        self._starter = starter
        self._partner = partner

    def handle_message(self, message: Received) -> None:
        if message.topic == "start":
            assert self._partner is not None
            send(self._partner, "ping", 0)
            return
        number = message.payload + 1
        if number < self._goal:
            send(message.sender, message.topic, number)
        else:
            send(self._starter, "done", number)


def ping_pong(size: Size) -> Sample:
    """Two servers. See ``bench/workload.py``, as for every function here."""
    box = inbox()
    one = spawn(_Player, size.count, pid(), None)
    other = spawn(_Player, size.count, pid(), one)
    start = core_clock()
    send(other, "start")
    done: Received = box.receive()
    seconds = core_clock() - start
    end_all([one, other])
    return Sample(done.payload, seconds)


class _Receiver(Server):
    """Says how many have arrived, whenever a burst is complete."""

    def init(self, burst: int, starter: Pid) -> None:
        self._burst = burst
        self._starter = starter
        self._count = 0

    def handle_message(self, message: Message) -> None:
        self._count += 1
        if self._count == self._burst:
            self._count = 0
            send(self._starter, "ack", self._burst)


def stream(size: Size) -> Sample:
    """The sender is a function."""
    box = inbox()
    receiver = spawn(_Receiver, size.crowd, pid())
    counted = 0
    start = core_clock()
    while counted < size.count:
        for number in range(size.crowd):
            send(receiver, "item", number)
        ack: Received = box.receive()
        counted += ack.payload
    seconds = core_clock() - start
    end_all([receiver])
    return Sample(counted, seconds)


class _Sender(Server):
    def init(self, receiver: Pid) -> None:
        self._receiver = receiver

    def handle_message(self, message: Received) -> None:
        for number in range(message.payload):
            send(self._receiver, "item", number)


def fan_in(size: Size) -> Sample:
    """The senders and the receiver live all the time."""
    box = inbox()
    receiver = spawn(_Receiver, size.crowd * EACH, pid())
    senders = [spawn(_Sender, receiver) for _ in range(size.crowd)]
    counted = 0
    start = core_clock()
    while counted < size.count:
        for sender in senders:
            send(sender, "go", EACH)
        ack: Received = box.receive()
        counted += ack.payload
    seconds = core_clock() - start
    end_all([receiver, *senders])
    return Sample(counted, seconds)


class _Counter(Server):
    def init(self, tally: Tally) -> None:
        self._tally = tally

    def handle_message(self, message: Message) -> None:
        self._tally.add()


def fan_out(size: Size) -> Sample:
    """The first round, in which the receivers start, is not measured."""
    me = pid()
    box = inbox()
    tally = Tally(size.crowd, lambda: send(me, "done"))
    receivers = [spawn(_Counter, tally) for _ in range(size.crowd)]
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


class _Adder(Server):
    def handle_call(self, message: Received) -> int:
        number: int = message.payload + 1
        return number


def call(size: Size) -> Sample:
    """The caller is a function."""
    server = spawn(_Adder)
    number = 0
    start = core_clock()
    while number < size.count:
        number = gr.call(server, "add", number)
    seconds = core_clock() - start
    end_all([server])
    return Sample(number, seconds)


class _Member(Server):
    def init(self, goal: int, starter: Pid) -> None:
        self._goal = goal
        self._starter = starter
        self._following = starter

    def handle_message(self, message: Received) -> None:
        if message.topic == "next":
            self._following = message.payload
        elif message.payload == self._goal:
            send(self._starter, message.topic, self._goal)
        else:
            send(self._following, message.topic, message.payload + 1)


def ring(size: Size) -> Sample:
    """Every member knows the next when the token starts."""
    box = inbox()
    members = [spawn(_Member, size.count, pid()) for _ in range(size.crowd)]
    for index, member in enumerate(members):
        send(member, "next", members[index - 1])
    gevent.sleep(0.01)
    start = core_clock()
    send(members[0], "token", 0)
    token: Received = box.receive()
    seconds = core_clock() - start
    end_all(members)
    return Sample(token.payload, seconds)


class _Bouncer(Server):
    def init(self, tally: Tally, partner: Pid | None) -> None:
        self._tally = tally
        if partner is not None:
            send(partner, "ping", 0)

    def handle_message(self, message: Received) -> None:
        self._tally.add()
        send(message.sender, message.topic, message.payload + 1)


def busy_pairs(size: Size) -> Sample:
    """The rate is that of the messages while the timers run."""
    tally = Tally(-1, object)
    players = [spawn(_Bouncer, tally, None) for _ in range(size.crowd)]
    players += [spawn(_Bouncer, tally, player) for player in players]
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
    *map(in_a_process, (ping_pong, stream, fan_in, fan_out, call, ring, busy_pairs)),
)
