"""Tries for long what a cluster promises of names and frames: three nodes, a real engine, signals.

``python -m bench.soak_cluster --rounds 1000 --seed 7`` freezes and thaws programs that race for
names, as many rounds as are wanted, in groups of three programs at the same time; then three
programs race for 100 names with each of 20 seeds, and 100,000 frames of noise go to a node. It
prints what was run and fails if a name had two owners, a race another number of winners than names,
or the reader raised anything. ``soak_racer.py`` says how an owner is seen.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import gevent
from gevent.subprocess import PIPE, Popen

from bench.soak_frames import Fuzzed, fuzz
from greenrelay.cluster.server import DevelopmentServer

ROOT = Path(__file__).parent.parent
# The shortest lease there is: who stands still for longer has lost its names.
LEASE = "?lease=2s"
NAMES = 6
# Seconds of standing still, around the lease, and of time to recover before the next round.
FROZEN, BETWEEN = (1.4, 3.2), (0.2, 1.4)
RACE_NAMES, RACE_SEEDS = 100, 20
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """A time in which ``node`` certainly held ``name``."""

    name: str
    node: str
    first: float
    last: float


@dataclass(frozen=True, slots=True)
class Holding:
    """What came of the rounds: how often names were taken, lost to another, and had two owners."""

    rounds: int
    sessions: int
    handed_over: int
    shared: tuple[tuple[Held, Held], ...]


class Racer:
    """A started racer."""

    def __init__(self, url: str, app: str, name: str) -> None:
        self.name = name
        command = [sys.executable, "-m", "bench.soak_racer", url, app, name]
        self._process = Popen(command, cwd=ROOT, stdin=PIPE, stdout=PIPE, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._read("ready")

    def do(self, *words: object) -> None:
        """Let it do a job."""
        self._input.write(" ".join(map(str, words)) + "\n")
        self._input.flush()

    def won(self) -> list[str]:
        """Return what it has got of a race."""
        return self._read("won")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def end(self) -> list[Held]:
        """End it; return when it has held what."""
        self._input.close()
        held = []
        for line in self._output:
            _, name, first, last = line.split()
            held.append(Held(name, self.name, float(first), float(last)))
        self._process.wait()
        return held

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()
        self._process.wait()

    def _read(self, word: str) -> list[str]:
        with gevent.Timeout(START_SECONDS):
            first, *rest = self._output.readline().split()
        if first != word:
            raise RuntimeError(f"racer {self.name} said {first!r}; {word!r} was wanted")
        return list(rest)


def hold(url: str, app: str, rounds: int, chance: random.Random) -> list[Held]:
    """Freeze and thaw one of three racers in each round; return what they have held."""
    racers = [Racer(url, app, f"r{number}") for number in range(3)]
    try:
        names = [f"name-{number}" for number in range(NAMES)]
        for racer in racers:
            racer.do("hold", *names)
        gevent.sleep(1.0)
        for _ in range(rounds):
            frozen = chance.choice(racers)
            frozen.signal(signal.SIGSTOP)
            gevent.sleep(chance.uniform(*FROZEN))
            frozen.signal(signal.SIGCONT)
            gevent.sleep(chance.uniform(*BETWEEN))
        return [each for racer in racers for each in racer.end()]
    finally:
        for racer in racers:
            racer.kill()


def hold_in_groups(url: str, rounds: int, groups: int, seed: int) -> Holding:
    """Run the rounds in groups at the same time; each group is a system of its own."""
    shares = [rounds // groups + (number < rounds % groups) for number in range(groups)]
    jobs = [
        gevent.spawn(hold, url, f"soak{number}", share, random.Random(f"{seed} {number}"))
        for number, share in enumerate(shares)
    ]
    gevent.joinall(jobs, raise_error=True)
    sessions = handed_over = 0
    shared: list[tuple[Held, Held]] = []
    for job in jobs:
        found = job.get()
        sessions += len(found)
        handed_over += hand_overs(found)
        shared += two_owners(found)
    return Holding(rounds, sessions, handed_over, tuple(shared))


def by_name(held: Iterable[Held]) -> list[list[Held]]:
    """Return what was held, for each name in the order of time."""
    names: defaultdict[str, list[Held]] = defaultdict(list)
    for each in held:
        names[each.name].append(each)
    return [sorted(each, key=lambda one: one.first) for each in names.values()]


def hand_overs(held: Iterable[Held]) -> int:
    """Return how often a name went from one node to another."""
    return sum(
        one.node != next_one.node for times in by_name(held) for one, next_one in pairwise(times)
    )


def two_owners(held: Iterable[Held]) -> list[tuple[Held, Held]]:
    """Return the times in which two nodes certainly held one name."""
    found = []
    for times in by_name(held):
        longest: Held | None = None
        for each in times:
            if longest is not None and each.first < longest.last and each.node != longest.node:
                found.append((longest, each))
            if longest is None or each.last > longest.last:
                longest = each
    return found


def race(url: str, seeds: Sequence[int], count: int) -> list[int]:
    """Let three racers claim the same names; return for each seed how many had one winner."""
    racers = [Racer(url, "race", f"r{number}") for number in range(3)]
    try:
        winners = []
        for seed in seeds:
            for racer in racers:
                racer.do("race", seed, count)
            won = [name for racer in racers for name in racer.won()]
            winners.append(sum(won.count(name) == 1 for name in set(won)))
        return winners
    finally:
        for racer in racers:
            racer.kill()


def report(
    seconds: float, holding: Holding, groups: int, winners: list[int], fuzzed: Fuzzed
) -> list[str]:
    """Return the lines that are printed."""
    lines = [
        f"freeze and thaw: {holding.rounds} rounds in {groups} groups of 3 programs, "
        f"{NAMES} names each, in {seconds:.0f} s",
        f"  names were held {holding.sessions} times, went to another node "
        f"{holding.handed_over} times, had two owners {len(holding.shared)} times",
    ]
    lines += [f"  two owners: {one} and {other}" for one, other in holding.shared]
    lines += [
        f"races: 3 programs, {RACE_NAMES} names, {len(winners)} seeds: "
        f"{min(winners, default=0)} to {max(winners, default=0)} winners",
        f"frames: {fuzzed.sent} of noise, {fuzzed.taken} of them acted on, "
        f"{fuzzed.dropped} dropped and counted, {fuzzed.raised} raised in the reader",
    ]
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak_cluster", description=__doc__)
    parser.add_argument("--rounds", type=int, default=1000, help="of freeze and thaw")
    parser.add_argument("--groups", type=int, default=8, help="of three programs at a time")
    parser.add_argument("--seed", type=int, default=None, help="any number; a new one without it")
    parser.add_argument("--races", type=int, default=RACE_SEEDS, help="each with a seed of its own")
    parser.add_argument("--frames", type=int, default=100_000, help="of noise")
    options = parser.parse_args(arguments)
    seed = random.SystemRandom().randrange(1 << 32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    with DevelopmentServer() as server:
        url = server.url + LEASE
        begun_at = time.monotonic()
        holding = hold_in_groups(url, options.rounds, options.groups, seed)
        seconds = time.monotonic() - begun_at
        winners = race(url, range(seed, seed + options.races), RACE_NAMES)
        fuzzed = fuzz(server.url, options.frames, random.Random(seed))
    print(*report(seconds, holding, options.groups, winners, fuzzed), sep="\n")
    is_good = not holding.shared and set(winners) <= {RACE_NAMES} and not fuzzed.raised
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
