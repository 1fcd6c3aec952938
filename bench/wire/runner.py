"""Runs the loads against the servers in turn, and keeps what each round gave.

Within a round a load goes to one server after the other, so that what the machine does besides
hits all of them. A run whose server or generator had to share its core is repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.child import Report
from bench.harness import ATTEMPTS, FAIR_SHARE, Results
from bench.load import program
from bench.load.program import LoadFailed, Measured
from bench.wire.load import Kind, Load
from bench.wire.peer import Peer
from bench.wire.server import RunningServer, Servers
from bench.workload import Size

FIRST_CLIENTS = 100
# On a machine that is never quiet a repetition gives nothing new.
MOST_REPEATED = 40
FLOOD_SECONDS = 2.0
GIANT_SECONDS = 6.0
# At most: it is over when all broadcasts are.
NEWS_SECONDS = 60.0
# The last clients must have joined before what they are to get is sent.
JOINING_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Pace:
    """How long a run is, warmed up and measured, in seconds."""

    warm: float = 0.15
    measured: float = 0.6

    def of(self, load: Load) -> dict[str, object]:
        """Return the generator's options for a load."""
        if load.kind is Kind.FLOOD:
            return {"warm": self.warm, "seconds": min(FLOOD_SECONDS, self.measured * 3)}
        if load.kind is Kind.GIANT:
            return {"warm": self.warm, "seconds": min(GIANT_SECONDS, self.measured * 10)}
        if load.kind is Kind.NEWS:
            return {"warm": JOINING_SECONDS, "seconds": NEWS_SECONDS}
        return {"warm": self.warm, "seconds": self.measured}


class Runner:
    """Runs loads on ``load_core`` against servers on ``server_core``."""

    def __init__(
        self, server_core: int | None, load_core: int | None, pace: Pace, *, is_quick: bool
    ) -> None:
        self._server_core = server_core
        self._load_core = load_core
        self._pace = pace
        self._is_quick = is_quick
        # What somebody was not able to do, and has no figure of.
        self.failures: list[str] = []

    def measure(
        self, loads: Sequence[Load], rounds: int | None, tell: Callable[[str], object]
    ) -> Results:
        """Return what ``rounds`` rounds give, or as many as each load wants."""
        results = Results()
        for number in range(rounds or max(load.rounds for load in loads)):
            with Servers(self._server_core) as servers:
                for load in loads:
                    if number >= (rounds or load.rounds) or (number and load.kind is Kind.HOLD):
                        continue
                    tell(f"round {number + 1}: {load.name}")
                    for peer in load.peers:
                        self._add(results, servers, load, peer, tell)
        return results

    def _add(
        self,
        results: Results,
        servers: Servers,
        load: Load,
        peer: Peer,
        tell: Callable[[str], object],
    ) -> None:
        try:
            results.add(load, peer, self._run_fairly(servers, load, peer, results))
        except LoadFailed as error:
            tell(str(error))
            self.failures.append(str(error))

    def size(self, load: Load) -> Size:
        """Return how many clients a load has in this run."""
        return load.quick if self._is_quick else load.full

    def _run_fairly(self, servers: Servers, load: Load, peer: Peer, results: Results) -> Report:
        best = self._run(servers, load, peer)
        for _ in range(0 if self._is_quick else ATTEMPTS - 1):
            is_fair = best.share >= FAIR_SHARE or load.kind is Kind.HOLD
            if is_fair or results.repeated >= MOST_REPEATED:
                break
            results.repeated += 1
            best = max(best, self._run(servers, load, peer), key=lambda report: report.share)
        return best

    def _run(self, servers: Servers, load: Load, peer: Peer) -> Report:
        try:
            if load.kind is Kind.HOLD:
                return self._hold(servers, load, peer)
            server = servers.get(peer, "news" if load.kind is Kind.NEWS else "echo")
            found = [self._load(server, load, extra) for extra in _runs(load)]
            return _report(load, found)
        except LoadFailed as error:
            raise LoadFailed(f"{peer.title}, {load.name}: {error}") from None

    def _options(self, server: RunningServer, load: Load) -> dict[str, object]:
        peer = server.peer
        size = self.size(load)
        options = {
            "port": server.port,
            "server": server.pid,
            "protocol": peer.protocol,
            "path": peer.path,
            "connections": size.crowd,
            **self._pace.of(load),
            **load.options,
        }
        if load.kind is Kind.NEWS:
            options["rounds"] = size.count
        if peer.is_text_only:
            options["text"] = 1
        return options

    def _load(self, server: RunningServer, load: Load, extra: Mapping[str, object]) -> Measured:
        server.wait_until_quiet()
        found = program.run(self._load_core, {**self._options(server, load), **extra})
        if load.kind is Kind.NEWS and len(found.rounds_ms) < self.size(load).count:
            raise LoadFailed(f"only {len(found.rounds_ms)} broadcasts arrived everywhere")
        return found

    def _hold(self, servers: Servers, load: Load, peer: Peer) -> Report:
        size = self.size(load)
        first = min(FIRST_CLIENTS, size.count // 2)
        steps = [each for each in (first, size.count, size.crowd) if each <= peer.most]
        server = servers.fresh(peer, "echo")
        try:
            options = self._options(server, load)
            del options["connections"]
            held: list[tuple[int, int]] = []
            with program.Held(self._load_core, options, steps) as clients:
                for _ in steps:
                    count = clients.wait()
                    server.wait_until_quiet()
                    held.append((count, server.resident_bytes()))
                    clients.go_on()
        finally:
            server.stop()
        names = [metric.name for metric in load.others]
        figures = {
            name: (resident - held[0][1]) / (count - held[0][0])
            for name, (count, resident) in zip(names, held[1:], strict=False)
        }
        return Report(held[-1][0], 0.0, figures, 1.0)


def _runs(load: Load) -> Iterable[Mapping[str, object]]:
    """Return what is added to the options in each run of the generator."""
    if load.kind is Kind.STALLED:
        # More than the kernel takes, so that the server has to keep some or to stop.
        return ({}, {"disturber": "stalled", "disturber_size": 65_536})
    return ({},)


def _report(load: Load, found: Sequence[Measured]) -> Report:
    """Turn the generator's figures into those of the load."""
    last = found[-1]
    figures: dict[str, float] = {f"{load.name}_load_cpu": last.load_cpu}
    if load.kind in (Kind.ECHO, Kind.OPEN):
        figures |= {f"{load.name}_p50": last.p50_us / 1e3, f"{load.name}_p99": last.p99_us / 1e3}
        figures[f"{load.name}_served"] = last.served
    elif load.kind is Kind.RTT:
        figures["rtt"] = last.p50_us
    elif load.kind is Kind.NEWS:
        figures[load.name] = median(last.rounds_ms)
    elif load.kind is Kind.STALLED:
        figures["stalled"] = last.p99_us / found[0].p99_us if found[0].p99_us else 0.0
        figures["stalled_p99"] = last.p99_us / 1e3
        figures["stalled_closed"] = last.closed
    elif load.kind is Kind.FLOOD:
        figures[f"{load.name}_p50"] = last.p50_us / 1e3
        figures[f"{load.name}_max"] = last.max_us / 1e3
        figures[f"{load.name}_closed"] = last.closed
    elif load.kind is Kind.GIANT:
        # Where none of them came back whole, the victim's longest round trip is all there is.
        figures["giant"] = median(last.rounds_ms or (last.max_us / 1e3,))
        figures["giant_done"] = len(last.rounds_ms)
    return Report(last.counted, last.seconds, figures, min(each.share for each in found))
