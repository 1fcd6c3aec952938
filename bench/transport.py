"""Measures the transport alone beside other WebSocket servers and beside plain TCP.

``python -m bench.transport`` takes about five minutes, ``--quick`` less than one. What the loads
do is told in ``bench/wire/load.py``, who is measured in ``bench/wire/peer.py``. A complete run
leaves its results in ``bench/results/``. Servers that are not installed are left out.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from bench.wire import command
from bench.wire.bound import Bound
from bench.wire.command import Bench
from bench.wire.load import echo, hold, opening, rtt
from bench.wire.peer import (
    BARE,
    CEILING,
    GEVENT_WEBSOCKET,
    PICOWS,
    RAW,
    RIVALS,
)

KIB = 1024
ALL = (CEILING, RAW, *RIVALS, BARE)
# A message of 64 KiB takes gevent-websocket milliseconds, and a text of that size Flask-SocketIO
# even longer: with a thousand clients they would not get round once.
FAST = tuple(peer for peer in ALL if peer.name not in ("gevent_websocket", "socketio"))

LOADS = (
    echo("small_100", "echo 64 B, {crowd} clients", ALL, 100),
    echo("small_1000", "echo 64 B, {crowd} clients", ALL, 1_000),
    echo("medium_100", "echo 1 KiB, {crowd} clients", ALL, 100, size=KIB),
    echo("medium_1000", "echo 1 KiB, {crowd} clients", ALL, 1_000, size=KIB),
    echo("text_100", "echo 1 KiB text, {crowd} clients", ALL, 100, size=KIB, text=1),
    echo("large_100", "echo 64 KiB, {crowd} clients", ALL, 100, size=64 * KIB),
    echo("large_1000", "echo 64 KiB, {crowd} clients", FAST, 1_000, size=64 * KIB),
    echo("pipelined", "echo 64 B, {crowd} clients, 16 on the way", ALL, 100, depth=16),
    rtt(ALL),
    opening(ALL),
    hold(ALL[1:]),
)

_OF_TCP = ("small_100", "small_1000", "medium_100", "medium_1000")
_OLD = GEVENT_WEBSOCKET.name
BOUNDS = (
    *(Bound(BARE.name, name, 1.1, 1.7, of=RAW.name) for name in _OF_TCP),
    *(Bound(BARE.name, name, 0.65, 1.0, of=PICOWS.name) for name in _OF_TCP),
    Bound(BARE.name, "large_100", 0.6, 0.75, of=RAW.name),
    Bound(BARE.name, "small_100", 2.5, 4, of=_OLD),
    Bound(BARE.name, "medium_100", 9, 15, of=_OLD),
    Bound(BARE.name, "text_100", 22, 35, of=_OLD),
    Bound(BARE.name, "large_100", 70, 100, of=_OLD),
    Bound(BARE.name, "pipelined", 3, 4, of=PICOWS.name),
)
BENCH = Bench("transport", "The transport alone", LOADS, BOUNDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line says, print the summary and write the results."""
    return command.main(BENCH, __doc__ or "", arguments)


if __name__ == "__main__":
    sys.exit(main())
