"""Measures greenrelay's processes beside plain gevent, asyncio, uvloop, Pykka and Erlang.

``python -m bench.processes`` takes about five minutes, ``--quick`` less than one. What is measured
is told in ``bench/workload.py``, by whom and against which targets in ``bench/contender.py``. A
complete run leaves its results in ``bench/results/``. uvloop, Pykka and Erlang are left out where
they are not installed, the picture where matplotlib is not.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from bench.contender import CONTENDERS, Contender
from bench.contenders import erlang
from bench.gauge import STATM
from bench.harness import ROOT, ChildFailed, Results, measure, run_child
from bench.machine import describe
from bench.report import as_json, table
from bench.workload import WORKLOADS, Size, Workload

RESULTS = ROOT / "bench" / "results"
ROUNDS, QUICK_ROUNDS = 5, 1

_SERIES = re.compile(r"\[[^\[\]{}]*\]")

Sized = tuple[Workload, Size]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line says, print the table and write the results."""
    options = _parse(arguments)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    workloads = _chosen(options.only, options.quick, options.divide)
    contenders = [each for each in CONTENDERS if _is_there(each)]
    start = monotonic()
    with tempfile.TemporaryDirectory() as folder:
        versions = _prepare(contenders, folder)
        try:
            results = measure(contenders, workloads, rounds, run=run_child, tell=_tell)
        except ChildFailed as error:
            print(error, file=sys.stderr)
            return 1
    _tell(f"{monotonic() - start:.0f} s, {results.repeated} disturbed runs were repeated")
    print(table(results, contenders, workloads))
    is_complete = not (options.only or options.quick or options.divide > 1)
    output = options.output or (RESULTS if is_complete else None)
    if output is not None:
        found = as_json(results, contenders, describe(versions), rounds)
        _write(output, found, results, contenders, workloads)
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.processes", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default {ROUNDS}, quick 1")
    parser.add_argument("--only", type=_names, metavar="NAME,…", help="these workloads")
    parser.add_argument("--quick", action="store_true", help="less of everything, one round")
    parser.add_argument("--divide", type=int, default=1, metavar="N", help="an Nth of all sizes")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where processes.json and processes.png go; a run with --only, --quick or --divide "
        "writes none unless told where",
    )
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    known = [workload.name for workload in WORKLOADS]
    for name in names:
        if name not in known:
            raise argparse.ArgumentTypeError(f"{name!r} is no workload; known: {', '.join(known)}")
    return names


def _chosen(names: Sequence[str] | None, is_quick: bool, divisor: int) -> list[Sized]:
    chosen = [each for each in WORKLOADS if not names or each.name in names]
    if not STATM.exists():
        _tell(f"memory and leak are left out: there is no {STATM} here")
        chosen = [each for each in chosen if each.name not in ("memory", "leak")]
    return [(each, (each.quick if is_quick else each.full).part(divisor)) for each in chosen]


def _is_there(contender: Contender) -> bool:
    if contender.is_there():
        return True
    _tell(f"{contender.title} is left out: {contender.package or contender.command} is not here")
    return False


def _prepare(contenders: Sequence[Contender], folder: str) -> dict[str, str]:
    if not any(each.name == "erlang" for each in contenders):
        return {}
    erlang.prepare(folder)
    return {"erlang": f"OTP {erlang.version()}, one scheduler"}


def _write(
    folder: Path,
    found: dict[str, object],
    results: Results,
    contenders: Sequence[Contender],
    workloads: Sequence[Sized],
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # A series of figures in one line.
    text = _SERIES.sub(lambda series: " ".join(series[0].split()), json.dumps(found, indent=1))
    (folder / "processes.json").write_text(text + "\n")
    if find_spec("matplotlib") is None:
        _tell("no picture: matplotlib is not here")
        return
    # Only here, since a run without a picture needs no matplotlib.
    import_module("bench.plot").draw(results, contenders, workloads, folder / "processes.png")


def _tell(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
