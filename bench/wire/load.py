"""The loads: what the clients do, and the metrics that come out of it.

All clients are the load generator's, on one core, those of one load at once; the server has the
other core. A message has its own number in it, and every byte that comes back is compared.

* echo: each of ``crowd`` clients keeps ``depth`` messages on their way. Messages a second are those
  of seconds in which both had their core: a neighbour on one costs nothing but warm caches.
* rtt: one client, one message on its way; the p50 of its round trips.
* open: 32 clients open, shake hands and close as fast as they can. TCP alone has no handshake:
  there one echo stands for it.
* news: one client sends, all ``crowd`` get it, then the next; how long until the last one has it.
* hold: resident bytes each client adds that has sent one message, been answered, and does nothing;
  counted from a hundred clients on, whose costs are those of a server that has begun.
* stalled: echo, without and with one more client that sends 64 KiB after 64 KiB and reads nothing:
  the p99 of the others, with over without.
* flood: one client plays rtt while another sends messages (or pings) as fast as TCP takes them
  and reads what comes back. An answer that has not come by the end counts with its age.
* giant: one client plays rtt while another has 16 MiB echoed, three times: the longest round trip.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bench.wire.peer import Peer
from bench.workload import Metric, Size, Workload


class Kind(Enum):
    """What is done with the generator's figures."""

    ECHO = "echo"
    RTT = "rtt"
    OPEN = "open"
    NEWS = "news"
    HOLD = "hold"
    STALLED = "stalled"
    FLOOD = "flood"
    GIANT = "giant"


@dataclass(frozen=True, slots=True)
class Load(Workload):
    """A workload of clients; ``options`` are the generator's, ``peers`` who gets it."""

    kind: Kind = Kind.ECHO
    options: Mapping[str, object] = field(default_factory=dict)
    peers: tuple[Peer, ...] = ()
    rounds: int = 3


def echo(name: str, title: str, peers: tuple[Peer, ...], clients: int, **options: object) -> Load:
    """Return a load of echoes; ``clients`` is what the full run has, the quick one a tenth."""
    return Load(
        name,
        title,
        Size(1, clients),
        Size(1, max(1, clients // 10)),
        kind=Kind.ECHO,
        options=options,
        peers=peers,
    )


def rtt(peers: tuple[Peer, ...]) -> Load:
    """Return the load of one client alone."""
    metrics = (Metric("rtt", "round trip of one client, p50", "us"),)
    return Load("rtt", "", Size(1, 1), Size(1, 1), metrics, kind=Kind.RTT, peers=peers)


def opening(peers: tuple[Peer, ...]) -> Load:
    """Return the load of handshakes."""
    size = Size(1, 32)
    options = {"mode": "open"}
    return Load("open", "handshakes", size, size, kind=Kind.OPEN, options=options, peers=peers)


def news(peers: tuple[Peer, ...], clients: int, rounds: int) -> Load:
    """Return the load of broadcasts of 1 KiB."""
    name = f"news_{clients}"
    metrics = (Metric(name, "broadcast of 1 KiB to {crowd}", "ms"),)
    return Load(
        name,
        "",
        Size(8, clients),
        Size(3, clients // 10),
        metrics,
        kind=Kind.NEWS,
        options={"mode": "broadcast", "size": 1024},
        peers=peers,
        rounds=rounds,
    )


def hold(peers: tuple[Peer, ...]) -> Load:
    """Return the load of idle clients: a thousand, then ten thousand."""
    metrics = (
        Metric("held_1000", "bytes of an idle client, {count} of them", "B"),
        Metric("held_10000", "bytes of an idle client, {crowd} of them", "B"),
    )
    full, quick = Size(1_000, 10_000), Size(100, 200)
    return Load("hold", "", full, quick, metrics, kind=Kind.HOLD, peers=peers, rounds=1)


def stalled(peers: tuple[Peer, ...]) -> Load:
    """Return the load of a thousand clients, with and without one that does not read."""
    metrics = (
        Metric("stalled", "p99 beside a stalled reader, of p99 without", "x"),
        Metric("stalled_p99", "p99 of {crowd} clients beside a stalled reader", "ms"),
    )
    sizes = Size(1, 1_000), Size(1, 50)
    return Load("stalled", "", *sizes, metrics, kind=Kind.STALLED, peers=peers)


def flood(of: str, peers: tuple[Peer, ...]) -> Load:
    """Return the load of one victim beside a flood of messages or pings."""
    name = f"flood_{of}"
    metrics = (
        Metric(f"{name}_p50", f"round trip beside a flood of {of}, p50", "ms"),
        Metric(f"{name}_max", f"round trip beside a flood of {of}, longest", "ms"),
    )
    options = {"disturber": of}
    size = Size(1, 1)
    return Load(name, "", size, size, metrics, kind=Kind.FLOOD, options=options, peers=peers)


def giant(peers: tuple[Peer, ...]) -> Load:
    """Return the load of one victim beside messages of 16 MiB."""
    metrics = (Metric("giant", "longest round trip beside an echo of 16 MiB", "ms"),)
    options = {"disturber": "giant", "disturber_size": 16 * 1024 * 1024, "rounds": 3}
    size = Size(1, 1)
    return Load("giant", "", size, size, metrics, kind=Kind.GIANT, options=options, peers=peers)
