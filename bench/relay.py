"""Measures the whole relay: client, connection, target process, connection, client.

``python -m bench.relay`` takes about six minutes, ``--quick`` less than one. Each client has a
target process of its own, a function or a server; the servers it is compared with have no
processes at all. What the loads do is told in ``bench/wire/load.py``, who is measured in
``bench/wire/peer.py``. A complete run leaves its results in ``bench/results/``. Servers that are
not installed are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.wire import command
from bench.wire.bound import Bound
from bench.wire.command import Bench
from bench.wire.load import echo, flood, giant, hold, news, opening, rtt, stalled
from bench.wire.peer import (
    CEILING,
    FUNCTION,
    GEVENT_WEBSOCKET,
    GEVENT_WORKER,
    PICOWS,
    RAW,
    RIVALS,
    SERVER,
    WEBSOCKETS,
    WORKER,
)

KIB = 1024
OURS = (FUNCTION, SERVER)
ALL = (CEILING, RAW, *RIVALS, *OURS)
SOME = (CEILING, RAW, GEVENT_WEBSOCKET, PICOWS, *OURS)
# Under a flood or beside a giant the others would be waited for in vain.
STEADY = (RAW, GEVENT_WEBSOCKET, WEBSOCKETS, PICOWS, *OURS)

LOADS = (
    echo("small_100", "echo 64 B, {crowd} clients", ALL, 100),
    echo("small_1000", "echo 64 B, {crowd} clients", ALL, 1_000),
    echo("medium_1000", "echo 1 KiB, {crowd} clients", SOME, 1_000, size=KIB),
    echo("text_1000", "echo 1 KiB text, {crowd} clients", SOME, 1_000, size=KIB, text=1),
    echo("large_100", "echo 64 KiB, {crowd} clients", SOME, 100, size=64 * KIB),
    echo("pipelined", "echo 64 B, {crowd} clients, 16 on the way", SOME, 100, depth=16),
    rtt(ALL),
    opening(ALL),
    stalled(STEADY),
    flood("messages", STEADY),
    flood("pings", STEADY[1:]),
    giant(STEADY),
    news((*RIVALS, SERVER), 1_000, 3),
    news((*RIVALS, SERVER), 5_000, 2),
    hold((*RIVALS, *OURS, WORKER, GEVENT_WORKER)),
)

_OLD = GEVENT_WEBSOCKET.name
_LOADED = ("small_1000", "medium_1000")
_BOTH = tuple(peer.name for peer in OURS)
BOUNDS = (
    *(Bound(FUNCTION.name, name, 0.85, 1.07, of=RAW.name) for name in _LOADED),
    *(Bound(SERVER.name, name, 0.9, 1.15, of=RAW.name) for name in _LOADED),
    Bound(FUNCTION.name, "small_1000", 2.2, 2.8, of=_OLD),
    Bound(SERVER.name, "small_1000", 2.4, 3.1, of=_OLD),
    *(Bound(name, "rtt", 1.4, 1.2, of=RAW.name, is_most=True) for name in _BOTH),
    *(
        Bound(name, f"flood_{of}_{what}", gate, goal, is_most=True)
        for name in _BOTH
        for of in ("messages", "pings")
        for what, gate, goal in (("p50", 5, 2), ("max", 50, 10))
    ),
    *(Bound(name, "giant", 60, 30, is_most=True) for name in _BOTH),
    Bound(SERVER.name, "news_5000", 0.6, 0.45, of=_OLD, is_most=True),
    Bound(SERVER.name, "held_10000", 5_000, 3_000, is_most=True),
    Bound(FUNCTION.name, "held_10000", 12_000, 9_500, is_most=True),
    Bound(WORKER.name, "held_10000", 12_000, 10_000, is_most=True),
    Bound(GEVENT_WORKER.name, "held_10000", 12_000, 10_000, is_most=True),
    *(Bound(name, "stalled", 1.2, 1.05, is_most=True) for name in _BOTH),
)
BENCH = Bench("relay", "The whole relay", LOADS, BOUNDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line says, print the summary and write the results."""
    return command.main(BENCH, __doc__ or "", arguments)


if __name__ == "__main__":
    sys.exit(main())
