"""Pykka: a ThreadingActor, which is a thread with a ``queue.Queue``, for each process.

An actor has no inbox to wait on, no links, no monitors and no timeouts of its own, so it takes
part in fewer workloads; "star" is ``ActorRegistry.stop_all``.
"""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue
from time import perf_counter
from typing import Any

import pykka

from bench.gauge import Tally, late_figures, resident_bytes
from bench.workload import EACH, TICK, TIMEOUT, Sample, Size, by_name

# A message is (topic, payload, what to tell the answer).
Message = tuple[str, Any, Any]


class _Actor(pykka.ThreadingActor):
    use_daemon_thread = True


class _Tally(Tally):
    """Threads take turns inside an addition, so it needs a lock here."""

    __slots__ = ("_lock",)

    def __init__(self, goal: int, tell: Any) -> None:
        super().__init__(goal, tell)
        self._lock = threading.Lock()

    def add(self) -> None:
        """Count one more, as in Tally."""
        with self._lock:
            super().add()


def spawn_end(size: Size) -> Sample:
    """See ``bench/workload.py``, as for every function here; an actor ends by being stopped."""
    counted = 0
    start = perf_counter()
    while counted < size.count:
        actors = [_Actor.start() for _ in range(size.crowd)]
        for actor in actors:
            actor.stop()
            counted += not actor.is_alive()
    return Sample(counted, perf_counter() - start)


class _Player(_Actor):
    def __init__(self, goal: int, done: SimpleQueue[int]) -> None:
        super().__init__()
        self._goal = goal
        self._done = done

    def on_receive(self, message: Message) -> None:
        topic, number, sender = message
        if number + 1 < self._goal:
            sender.tell((topic, number + 1, self.actor_ref))
        else:
            self._done.put(number + 1)


def ping_pong(size: Size) -> Sample:
    """Two actors that tell each other."""
    done: SimpleQueue[int] = SimpleQueue()
    one = _Player.start(size.count, done)
    other = _Player.start(size.count, done)
    start = perf_counter()
    one.tell(("ping", 0, other))
    counted = done.get()
    seconds = perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return Sample(counted, seconds)


class _Receiver(_Actor):
    """Says how many have arrived, whenever a burst is complete."""

    def __init__(self, burst: int, done: SimpleQueue[int]) -> None:
        super().__init__()
        self._burst = burst
        self._done = done
        self._count = 0

    def on_receive(self, message: Message) -> None:
        self._count += 1
        if self._count == self._burst:
            self._count = 0
            self._done.put(self._burst)


def stream(size: Size) -> Sample:
    """The sender is the main thread."""
    done: SimpleQueue[int] = SimpleQueue()
    receiver = _Receiver.start(size.crowd, done)
    counted = 0
    start = perf_counter()
    while counted < size.count:
        for number in range(size.crowd):
            receiver.tell(("item", number, None))
        counted += done.get()
    seconds = perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return Sample(counted, seconds)


class _Sender(_Actor):
    def on_receive(self, message: Message) -> None:
        _, each, receiver = message
        for number in range(each):
            receiver.tell(("item", number, self.actor_ref))


def fan_in(size: Size) -> Sample:
    """The senders live all the time."""
    done: SimpleQueue[int] = SimpleQueue()
    receiver = _Receiver.start(size.crowd * EACH, done)
    senders = [_Sender.start() for _ in range(size.crowd)]
    counted = 0
    start = perf_counter()
    while counted < size.count:
        for sender in senders:
            sender.tell(("go", EACH, receiver))
        counted += done.get()
    seconds = perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return Sample(counted, seconds)


class _Counter(_Actor):
    def __init__(self, tally: Tally) -> None:
        super().__init__()
        self._tally = tally

    def on_receive(self, message: Message) -> None:
        self._tally.add()


def fan_out(size: Size) -> Sample:
    """The first round is not measured."""
    done: SimpleQueue[int] = SimpleQueue()
    tally = _Tally(size.crowd, lambda: done.put(size.crowd))
    receivers = [_Counter.start(tally) for _ in range(size.crowd)]
    counted = -size.crowd
    start = 0.0
    while counted < size.count:
        if counted == 0:
            start = perf_counter()
        for receiver in receivers:
            receiver.tell(("news", 1, None))
        counted += done.get()
        tally.restart()
    seconds = perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return Sample(counted, seconds)


class _Server(_Actor):
    def on_receive(self, message: Message) -> int:
        number: int = message[1]
        return number + 1


def call(size: Size) -> Sample:
    """``ask``, which notices an actor that has stopped, with a timeout."""
    server = _Server.start()
    number: Any = 0
    start = perf_counter()
    while number < size.count:
        number = server.ask(("add", number, None), timeout=TIMEOUT)
    seconds = perf_counter() - start
    server.stop()
    return Sample(number, seconds)


class _Member(_Actor):
    def __init__(self, goal: int, done: SimpleQueue[int]) -> None:
        super().__init__()
        self._goal = goal
        self._done = done
        self._following: Any = None

    def on_receive(self, message: Message) -> None:
        topic, number, _ = message
        if topic == "next":
            self._following = number
        elif number == self._goal:
            self._done.put(number)
        else:
            self._following.tell((topic, number + 1, self.actor_ref))


def ring(size: Size) -> Sample:
    """Every member waits when the token starts."""
    done: SimpleQueue[int] = SimpleQueue()
    members = [_Member.start(size.count, done) for _ in range(size.crowd)]
    for index, member in enumerate(members):
        member.tell(("next", members[index - 1], None))
    time.sleep(0.05)
    start = perf_counter()
    members[0].tell(("token", 0, None))
    counted = done.get()
    seconds = perf_counter() - start
    pykka.ActorRegistry.stop_all()
    return Sample(counted, seconds)


def star(size: Size) -> Sample:
    """All actors are stopped."""
    for _ in range(size.crowd):
        _Actor.start()
    start = perf_counter()
    stopped = pykka.ActorRegistry.stop_all()
    return Sample(len(stopped), perf_counter() - start)


def busy_pairs(size: Size) -> Sample:
    """The timer is ``time.sleep`` in a thread of its own."""
    tally = _Tally(-1, object)
    for _ in range(size.crowd):
        one, other = _Bouncer.start(tally), _Bouncer.start(tally)
        one.tell(("ping", 0, other))
    time.sleep(0.05)
    slept = []
    tally.restart()
    start = perf_counter()
    for _ in range(size.count):
        before = perf_counter()
        time.sleep(TICK)
        slept.append(perf_counter() - before)
    seconds, counted = perf_counter() - start, tally.count
    pykka.ActorRegistry.stop_all(block=False)
    return Sample(counted, seconds, late_figures(slept))


class _Bouncer(_Counter):
    def on_receive(self, message: Message) -> None:
        topic, number, sender = message
        self._tally.add()
        sender.tell((topic, number + 1, self.actor_ref))


def memory(size: Size) -> Sample:
    """A thread waiting on its queue."""
    _Actor.start()
    before = resident_bytes()
    idle = [_Actor.start() for _ in range(size.crowd)]
    time.sleep(0.1)
    grown = resident_bytes() - before
    alive = sum(1 for actor in idle if actor.is_alive())
    pykka.ActorRegistry.stop_all()
    return Sample(alive, 0.0, {"memory": grown / size.crowd})


WORKLOADS = by_name(
    spawn_end,
    ping_pong,
    stream,
    fan_in,
    fan_out,
    call,
    ring,
    star,
    busy_pairs,
    memory,
)
