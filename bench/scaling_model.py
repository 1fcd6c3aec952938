"""What many sockets cost, as a model: rooms on workers, what each passes on, what fills up first.

Pure and deterministic: all chance comes from a seed. The costs are figures that were measured (see
``bench/results/scaling.json``); what follows from them is arithmetic, but for two things that are
simulated: how rooms of all sizes fall on workers, and how long a message waits in a busy one.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

# Sizes of rooms: most are small and a few are very large, a Pareto distribution with this shape,
# up to MAX_ROOM members.
SHAPE, MIN_ROOM, MAX_ROOM = 1.3, 4, 100_000
# So many members of a room are put together on one worker.
CHUNK = 1_000
# A worker is full at this share of its core: see the waiting times.
FULL = 0.6
BEATS = 2.0
MAX_WORKERS = 4096
MICRO = 1e-6


@dataclass(frozen=True, slots=True)
class Costs:
    """Bytes and microseconds, each by what takes them."""

    socket_bytes: float
    kernel_bytes: float
    row_bytes: float
    name_bytes: float
    handshake_us: float
    read_us: float
    write_us: float
    frame_us: float
    beat_us: float
    engine_publish_us: float
    engine_copy_us: float
    claims_per_second: float


@dataclass(frozen=True, slots=True)
class Traffic:
    """What sockets do: messages a second of each that go to all of its room.

    A room gets ``most`` of them a second at most: where more are said, the program joins them.
    """

    name: str
    messages: float
    most: float = 2.0

    def rate(self, size: int) -> float:
        """Return how many messages a second a room gets."""
        return min(size * self.messages, self.most)


@dataclass(frozen=True, slots=True)
class Load:
    """What one second of a system takes: shares of a core of the mean worker, bytes, and rates.

    ``busiest`` is how many times the mean the busiest worker has to read and write.
    """

    workers: int
    copies: float
    busiest: float
    reads: float
    writes: float
    frames: float
    beats: float
    engine: float
    socket_memory: float
    row_memory: float

    @property
    def mean_core(self) -> float:
        """Which share of its core the mean worker is busy."""
        return self.reads + self.writes + self.frames + self.beats

    @property
    def busiest_core(self) -> float:
        """Which share of its core the busiest worker is busy."""
        return (self.reads + self.writes) * self.busiest + self.frames + self.beats


@lru_cache(maxsize=8)
def rooms_of(sockets: int, seed: int) -> tuple[int, ...]:
    """Return the sizes of rooms that have ``sockets`` members together."""
    chance = random.Random(seed)
    sizes = []
    left = sockets
    while left > 0:
        size = min(int(MIN_ROOM * chance.paretovariate(SHAPE)), MAX_ROOM, left)
        sizes.append(size)
        left -= size
    return tuple(sizes)


def spread_of(size: int, workers: int, *, by_room: bool) -> float:
    """Return on how many workers the members of a room are.

    By room they are together, up to CHUNK of them on one; else each is on any.
    """
    if by_room:
        return min(math.ceil(size / CHUNK), workers)
    return workers * (1 - (1 - 1 / workers) ** size)


def load(
    costs: Costs, rooms: Sequence[int], traffic: Traffic, workers: int, *, by_room: bool, seed: int
) -> Load:
    """Return what the rooms take; ``by_room`` puts the members of a room on as few as can be."""
    # Of its own: the same numbers have made the rooms, and would put large ones together.
    sockets, chance = sum(rooms), random.Random(f"{seed} places")
    copies = sends = rows = writes = 0.0
    busy = [0.0] * workers
    for size in rooms:
        rate, spread = traffic.rate(size), spread_of(size, workers, by_room=by_room)
        sends += rate
        writes += rate * size
        copies += rate * (spread - 1)
        rows += spread
        if by_room:
            # Any worker, as a hash would choose it; a large room takes several in a row.
            first, each = int(chance.random() * workers), rate * size / spread
            for number in range(int(spread)):
                busy[(first + number) % workers] += each
    beats = BEATS * workers
    engine = copies * (costs.engine_publish_us + costs.engine_copy_us)
    engine += beats * (costs.engine_publish_us + costs.engine_copy_us * (workers - 1))
    return Load(
        workers=workers,
        copies=copies / sends,
        busiest=max(busy) * workers / writes if by_room else 1.0,
        reads=sockets * traffic.messages * costs.read_us * MICRO / workers,
        writes=writes * costs.write_us * MICRO / workers,
        # Each copy is made by one worker and taken by another.
        frames=2 * copies * costs.frame_us * MICRO / workers,
        beats=beats * costs.beat_us * MICRO,
        engine=engine * MICRO,
        socket_memory=sockets / workers * (costs.socket_bytes + costs.kernel_bytes),
        row_memory=rows * costs.row_bytes,
    )


def shares_of(found: Load, memory: float) -> dict[str, float]:
    """Return how far each thing is used of what it may be, 1.0 for full, of the busiest worker."""
    return {
        "writes": found.writes * found.busiest / FULL,
        "reads": found.reads * found.busiest / FULL,
        "frames": found.frames / FULL,
        "beats": found.beats / FULL,
        "memory of sockets": found.socket_memory / memory,
        "memory of groups": found.row_memory / memory,
        "the engine": found.engine / FULL,
    }


def limit_of(found: Load, memory: float) -> str:
    """Return what is used most of what it may be."""
    shares = shares_of(found, memory)
    return max(shares, key=lambda name: shares[name])


def workers_for(
    costs: Costs, rooms: Sequence[int], traffic: Traffic, memory: float, *, by_room: bool, seed: int
) -> Load:
    """Return the load with the first number of workers that is enough, in steps of an eighth."""
    alone = load(costs, rooms, traffic, 1, by_room=by_room, seed=seed)
    workers = max(1, math.ceil(alone.mean_core / FULL))
    while True:
        found = load(costs, rooms, traffic, workers, by_room=by_room, seed=seed)
        used = (found.socket_memory + found.row_memory) / memory
        if max(used, found.busiest_core / FULL) <= 1 or workers >= MAX_WORKERS:
            return found
        workers += max(1, workers // 8)


def waits(costs: Costs, utilisation: float, seed: int, messages: int = 60_000) -> list[float]:
    """Return how long each message waits in one worker that is so busy, in order, in seconds.

    Messages come at any time, each to a room of a size as above, of at most a thousand here; the
    worker writes to one socket after the other.
    """
    chance = random.Random(seed)

    def work() -> float:
        size = min(int(MIN_ROOM * chance.paretovariate(SHAPE)), 1000)
        return MICRO * (costs.read_us + size * costs.write_us)

    jobs = [work() for _ in range(messages)]
    mean = sum(jobs) / messages
    now = free_at = 0.0
    found = []
    for job in jobs:
        now += chance.expovariate(utilisation / mean)
        free_at = max(now, free_at) + job
        found.append(free_at - now)
    return sorted(found)


def broadcast(costs: Costs, members: int, workers: int, fan: int) -> tuple[float, float, int]:
    """Return a broadcast to one huge room: seconds until the last write, sender's, engine's frames.

    ``fan`` is to how many others each worker passes it on; that of the sender is 0: to all.
    """
    share = members / workers
    written = MICRO * costs.write_us * share
    others = workers - 1
    if not fan:
        return MICRO * costs.frame_us * others + written, MICRO * costs.frame_us * others, others
    depth, reached, width = 0, 1, 1
    while reached < workers:
        width *= fan
        reached += width
        depth += 1
    # It passes on first and writes then.
    one = MICRO * costs.frame_us * min(fan, others)
    return depth * (one + MICRO * costs.frame_us) + written, one, others
