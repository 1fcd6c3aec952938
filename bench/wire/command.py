"""The command line of both benches: measure, print the summary, leave the results."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from bench.harness import ROOT, Results
from bench.load.program import LoadFailed, build
from bench.machine import describe
from bench.wire.bound import Bound
from bench.wire.load import Load
from bench.wire.peer import Peer
from bench.wire.report import as_json, markdown, peers_of
from bench.wire.runner import Pace, Runner
from bench.wire.server import ServerFailed, allow_many_files, cores
from bench.workload import Size

RESULTS = ROOT / "bench" / "results"
QUICK = Pace(warm=0.05, measured=0.1)
FILES = 10_100
PACKAGES = (
    "greenrelay",
    "gevent",
    "greenlet",
    "gevent-websocket",
    "websockets",
    "picows",
    "uvloop",
    "flask-sock",
    "Flask-SocketIO",
)

_SERIES = re.compile(r"\[[^\[\]{}]*\]")


@dataclass(frozen=True, slots=True)
class Bench:
    """One of the two: its name on disk, its title, what is measured and what must come out."""

    name: str
    title: str
    loads: tuple[Load, ...]
    bounds: tuple[Bound, ...]


def main(bench: Bench, description: str, arguments: Sequence[str] | None = None) -> int:
    """Run ``bench`` as the command line says; 1 when anything was not done."""
    options = _parse(bench, description, arguments)
    loads = _chosen(bench, options.only, options.peers)
    if allow_many_files() < FILES:
        _tell(f"this system allows fewer than {FILES:,} open files; the largest loads will fail")
    server_core, load_core = cores()
    if load_core is None:
        _tell("there is one core only: server and load share it, and no ratio is worth much")
    pace = QUICK if options.quick else Pace()
    runner = Runner(server_core, load_core, pace, is_quick=options.quick)
    start = monotonic()
    try:
        build()
        results = runner.measure(loads, 1 if options.quick else options.rounds, _tell)
    except (LoadFailed, ServerFailed) as error:
        print(error, file=sys.stderr)
        return 1
    _tell(f"{monotonic() - start:.0f} s, {results.repeated} disturbed runs were repeated")
    sized = [(load, runner.size(load)) for load in loads]
    machine = describe({}, PACKAGES)
    summary = markdown(bench.title, results, sized, bench.bounds, machine, runner.failures)
    print(summary)
    is_complete = not (options.only or options.peers or options.quick)
    output = options.output or (RESULTS if is_complete else None)
    if output is not None:
        _write(output, bench, results, sized, machine, summary)
    return 1 if runner.failures else 0


def _parse(bench: Bench, description: str, arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m bench.{bench.name}", description=description)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    loads = [load.name for load in bench.loads]
    peers = [peer.name for peer in peers_of(bench.loads)]
    parser.add_argument("--only", nargs="+", choices=loads, metavar="LOAD", help=", ".join(loads))
    parser.add_argument("--peers", nargs="+", choices=peers, metavar="PEER", help=", ".join(peers))
    parser.add_argument("--rounds", type=int, metavar="N", help="instead of three")
    parser.add_argument("--quick", action="store_true", help="a tenth of the clients, one round")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where the results go; a run with --only, --peers or --quick writes none unless "
        "told where",
    )
    return parser.parse_args(arguments)


def _chosen(bench: Bench, names: Sequence[str] | None, wanted: Sequence[str] | None) -> list[Load]:
    missing = {peer.name: peer for peer in peers_of(bench.loads) if not peer.is_there()}
    for peer in missing.values():
        _tell(f"{peer.title} is left out: {peer.package} is not here")

    def is_wanted(peer: Peer) -> bool:
        return peer.name not in missing and (not wanted or peer.name in wanted)

    chosen = [load for load in bench.loads if not names or load.name in names]
    cut = [replace(load, peers=tuple(filter(is_wanted, load.peers))) for load in chosen]
    return [load for load in cut if load.peers]


def _write(
    folder: Path,
    bench: Bench,
    results: Results,
    loads: Sequence[tuple[Load, Size]],
    machine: dict[str, str],
    summary: str,
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    found = as_json(results, loads, bench.bounds, machine)
    # A series of figures in one line.
    kept = _SERIES.sub(lambda series: " ".join(series[0].split()), json.dumps(found, indent=1))
    (folder / f"{bench.name}.json").write_text(kept + "\n")
    (folder / f"{bench.name}.md").write_text(summary)
    if find_spec("matplotlib") is None:
        _tell("no picture: matplotlib is not here")
        return
    # Only here, since a run without a picture needs no matplotlib.
    draw = import_module("bench.wire.plot").draw
    draw(bench.title, results, loads, bench.bounds, folder / f"{bench.name}.png")


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
