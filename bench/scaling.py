"""Prints what ``docs/scaling.md`` quotes: what many sockets take, from one worker to millions.

``python -m bench.scaling`` computes every table from the costs in ``bench/results/scaling.json``;
nothing is measured, so it takes seconds and says the same everywhere. ``--take`` takes the costs
anew from the other results in that folder first, and ``--write`` keeps the tables, for readers and
for the test that compares the paper with them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.scaling_model import (
    BEATS,
    FULL,
    MICRO,
    Costs,
    Load,
    Traffic,
    broadcast,
    limit_of,
    load,
    rooms_of,
    waits,
    workers_for,
)

RESULTS = Path(__file__).parent / "results"
SEED = 20261126
GIB = 1024.0**3
MEMORY = 2 * GIB
SOCKETS = (10_000, 100_000, 1_000_000, 5_000_000)
IDLE = Traffic("idle", 1e-6)
CHAT = Traffic("chat", 0.02)
BUSY = Traffic("games", 1.0)
# Where a cost stands in the results: file, metric, contender; the factor that makes it bytes or
# microseconds, a negative one where it is a rate and has to be divided by.
_MEASURED = {
    "socket_bytes": ("relay.json", "held_10000", "server", 1.0),
    "handshake_us": ("relay.json", "open", "server", -1e6),
    "read_us": ("relay.json", "small_1000", "server", -1e6),
    # Of milliseconds for all.
    "write_us": ("relay.json", "news_5000", "server", 1000 / 5000),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A title, the heads of the columns, and the rows."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self) -> list[str]:
        """Return it as Markdown."""
        rule = tuple("---" for _ in self.heads)
        return [f"| {' | '.join(row)} |" for row in (self.heads, rule, *self.rows)]


def read_costs() -> Costs:
    """Return the costs that were kept."""
    kept = json.loads((RESULTS / "scaling.json").read_text())["costs"]
    return Costs(**{name: float(each["value"]) for name, each in kept.items()})


def measured(name: str) -> float:
    """Return a cost as the other results have it now, to three digits."""
    file, metric, contender, factor = _MEASURED[name]
    found = json.loads((RESULTS / file).read_text())["metrics"][metric][contender]["median"]
    return float(f"{factor * found if factor > 0 else -factor / found:.3g}")


def tables(costs: Costs) -> list[Table]:
    """Return all tables."""
    return [
        one_worker(costs),
        growth(costs),
        placement(costs),
        huge_room(costs),
        waiting(costs),
        storm(costs),
        names(costs),
        beats(costs),
    ]


def one_worker(costs: Costs) -> Table:
    """What one worker carries."""
    each = costs.socket_bytes + costs.kernel_bytes
    echo, full = 1 / (MICRO * costs.read_us), FULL / (MICRO * costs.write_us)
    rows = (
        ("idle sockets in 1 GiB", count(GIB / each)),
        ("handshakes a second", count(1 / (MICRO * costs.handshake_us))),
        ("messages in and answered a second", count(echo)),
        (f"writes of broadcasts a second, {FULL:.0%} busy", count(full)),
        ("a broadcast to 1,000 sockets", time(1000 * costs.write_us * MICRO)),
        ("a broadcast to 50,000 sockets", time(50_000 * costs.write_us * MICRO)),
        ("frames to or from other workers a second", count(1 / (MICRO * costs.frame_us))),
    )
    return Table("One worker", ("what", "carries"), rows)


def growth(costs: Costs, all_sockets: Sequence[int] = SOCKETS) -> Table:
    """How many workers it takes, and what fills up first."""
    rows = []
    for sockets in all_sockets:
        for traffic in (IDLE, CHAT, BUSY):
            found = workers_for(
                costs, rooms_of(sockets, SEED), traffic, MEMORY, by_room=True, seed=SEED
            )
            rows.append((count(sockets), traffic.name, *_needs(found)))
    heads = ("sockets", "traffic", "workers", "first limit", "a core is busy", "engine, cores")
    return Table("Workers by sockets and traffic", heads, tuple(rows))


def _needs(found: Load) -> tuple[str, ...]:
    return (
        count(found.workers),
        limit_of(found, MEMORY),
        f"{found.mean_core:.0%}",
        f"{found.engine:.2f}",
    )


def placement(costs: Costs) -> Table:
    """What it changes when the members of a room are on one worker."""
    rows = []
    for sockets, workers in ((100_000, 8), (1_000_000, 64)):
        for by_room in (False, True):
            found = load(costs, rooms_of(sockets, SEED), CHAT, workers, by_room=by_room, seed=SEED)
            rows.append(
                (
                    count(sockets),
                    count(workers),
                    "by room" if by_room else "anywhere",
                    f"{found.copies:.2f}",
                    f"{found.frames:.1%}",
                    f"{found.engine:.2f}",
                    size(found.row_memory),
                    f"{found.busiest_core:.0%}",
                )
            )
    heads = (
        *("sockets", "workers", "placed", "copies of a message", "core for frames"),
        *("engine, cores", "groups, each worker", "busiest worker"),
    )
    return Table("Rooms on workers, chat", heads, tuple(rows))


def huge_room(costs: Costs) -> Table:
    """A broadcast to one room that is on all workers: at once, and along a tree."""
    rows = []
    for members, workers in ((100_000, 8), (1_000_000, 64), (1_000_000, 512), (5_000_000, 512)):
        for fan in (0, 8):
            until, sender, frames = broadcast(costs, members, workers, fan)
            how = f"tree of {fan}" if fan else "directly"
            rows.append(
                (count(members), count(workers), how, time(until), time(sender), count(frames))
            )
    heads = ("members", "workers", "sent", "until the last write", "sender is busy", "frames")
    return Table("One huge room", heads, tuple(rows))


def waiting(costs: Costs) -> Table:
    """How long a message waits in a worker by how busy it is."""
    rows = []
    for percent in (30, 50, 60, 70, 80, 90):
        found = waits(costs, percent / 100, SEED)
        marks = (found[int(len(found) * part)] for part in (0.5, 0.99, 0.999))
        rows.append((f"{percent}%", *map(time, marks)))
    return Table(
        "Until the last of a room has a message", ("busy", "p50", "p99", "p99.9"), tuple(rows)
    )


def storm(costs: Costs) -> Table:
    """How long clients of a machine that is gone take to come back."""
    rows = []
    for lost, left in ((40_000, 4), (80_000, 8), (80_000, 32)):
        seconds = lost * costs.handshake_us * MICRO / left / FULL
        rows.append((count(lost), count(left), time(seconds)))
    return Table(
        "Clients that come back", ("sockets", "workers left", "takes at least"), tuple(rows)
    )


def names(costs: Costs) -> Table:
    """What names of the cluster take."""
    rows = []
    for number in (1_000, 100_000, 1_000_000):
        seconds = number / costs.claims_per_second
        rows.append((count(number), size(number * costs.name_bytes), time(seconds)))
    return Table("Names", ("names", "each server", "to claim all"), tuple(rows))


def beats(costs: Costs) -> Table:
    """What it takes that every node hears of every other twice a second."""
    rows = []
    for workers in (16, 64, 256, 512, 1024):
        heard = BEATS * workers * (workers - 1)
        sent = MICRO * BEATS * workers * costs.engine_publish_us
        rows.append(
            (
                f"{workers:,}",
                count(heard),
                f"{sent + MICRO * heard * costs.engine_copy_us:.2f}",
                f"{MICRO * BEATS * workers * costs.beat_us:.2%}",
            )
        )
    heads = ("workers", "beats a second", "engine, cores", "a worker is busy")
    return Table("Beats", heads, tuple(rows))


def count(value: float) -> str:
    """Return a number to three digits, with commas."""
    return f"{float(f'{value:.3g}'):,.0f}"


def time(seconds: float) -> str:
    """Return seconds to two digits."""
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{float(f'{seconds * factor:.2g}'):g} {unit}"
    return f"{float(f'{seconds * 1e6:.2g}'):g} us"


def size(number: float) -> str:
    """Return bytes to two digits."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if number >= factor:
            return f"{float(f'{number / factor:.2g}'):g} {unit}"
    return f"{float(f'{number / 1e3:.2g}'):g} kB"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--take", action="store_true", help="take the costs from the results first")
    parser.add_argument("--write", action="store_true", help="keep the tables beside the costs")
    options = parser.parse_args(arguments)
    path = RESULTS / "scaling.json"
    kept = json.loads(path.read_text())
    if options.take:
        for name in _MEASURED:
            kept["costs"][name]["value"] = measured(name)
        path.write_text(json.dumps(kept, indent=1) + "\n")
    found = tables(read_costs())
    for table in found:
        print(f"## {table.title}\n", *table.lines(), "", sep="\n")
    if options.write:
        kept["tables"] = {table.title: table.lines() for table in found}
        path.write_text(json.dumps(kept, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
