"""Measures a cluster: processes on several nodes, beside the engine by itself and nats-py.

``python -m bench.cluster`` takes about three minutes, ``--quick`` less than one. It starts a
nats-server, as ``pip install 'greenrelay[cluster]'`` brings it, and each node as an OS process.
What is done is told in ``bench/cluster_work.py``. A complete run leaves its results in
``bench/results/``. nats-py is left out where it is not installed, the picture where matplotlib is
not.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from bench.child import Report
from bench.cluster_report import as_json, markdown
from bench.cluster_work import CLIENTS, WITHOUT_NEWS, WORKLOADS, Client
from bench.contender import Contender
from bench.harness import ROOT, ChildFailed, measure
from bench.machine import describe
from bench.workload import Size, Workload
from greenrelay.cluster.server import DevelopmentServer, find_program

RESULTS = ROOT / "bench" / "results"
ROUNDS, QUICK_ROUNDS = 3, 1
SECONDS, ATTEMPTS = 30.0, 3
PACKAGES = ("greenrelay", "gevent", "greenlet", "msgspec", "nats-py")
# As of the development server, without the news of closed connections.
CONFIGURATION = """
listen: "127.0.0.1:{port}"
ports_file_dir: "{folder}"
log_file: "{folder}/log"
jetstream: {{ store_dir: "{folder}/jetstream" }}
authorization: {{ user: "{user}", password: "{password}" }}
"""

_SERIES = re.compile(r"\[[^\[\]{}]*\]")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the command line says, print the summary and write the results."""
    options = _parse(arguments)
    rounds = options.rounds or (QUICK_ROUNDS if options.quick else ROUNDS)
    chosen = [each for each in WORKLOADS if not options.only or each.name in options.only]
    workloads = [(each, each.quick if options.quick else each.full) for each in chosen]
    clients = [each for each in CLIENTS if _is_there(each)]
    start = monotonic()
    with DevelopmentServer() as server, DevelopmentServer(configuration=CONFIGURATION) as other:

        def run(contender: Contender, workload: Workload, size: Size) -> Report:
            assert isinstance(contender, Client)
            url = other.url if workload.name in WITHOUT_NEWS else server.url
            return _run_again(contender, workload, size, url)

        try:
            results = measure(clients, workloads, rounds, run=run, tell=_tell)
        except ChildFailed as error:
            print(error, file=sys.stderr)
            return 1
    _tell(f"{monotonic() - start:.0f} s")
    machine = describe({"nats-server": _version()}, PACKAGES)
    summary = markdown(results, workloads, machine)
    print(summary)
    output = options.output or (None if options.only or options.quick else RESULTS)
    if output is not None:
        found = as_json(results, workloads, machine, rounds)
        _write(output, found, summary)
        if find_spec("matplotlib") is None:
            _tell("no picture: matplotlib is not here")
        else:
            # Only here, since a run without a picture needs no matplotlib.
            draw = import_module("bench.cluster_plot").draw
            draw(results, workloads, output / "cluster.png")
    return 0


def _run_again(client: Client, workload: Workload, size: Size, url: str) -> Report:
    """Run what did not get through once more; by itself, the engine may lose a frame.

    That is so when a node is taken for dead because the machine is too busy.
    """
    for _ in range(ATTEMPTS - 1):
        try:
            return run_child(client, workload, size, url)
        except ChildFailed as error:
            _tell(str(error))
    return run_child(client, workload, size, url)


def run_child(client: Client, workload: Workload, size: Size, url: str) -> Report:
    """Run one workload of one client in an OS process of its own; raises ChildFailed."""
    where = f"{client.title}, {workload.name}"
    command = [sys.executable, "-m", client.program, workload.name]
    command += [str(size.count), str(size.crowd), url]
    try:
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"{where}: not done after {SECONDS:g} s") from None
    if done.returncode:
        raise ChildFailed(f"{where}: exit status {done.returncode}\n{done.stderr}")
    return Report(**json.loads(done.stdout))


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.cluster", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    names = [each.name for each in WORKLOADS]
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, metavar="N", help=f"default {ROUNDS}, quick 1")
    parser.add_argument("--quick", action="store_true", help="less of everything, one round")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="where the results go; a run with --only or --quick writes none unless told where",
    )
    return parser.parse_args(arguments)


def _is_there(client: Client) -> bool:
    if client.is_there():
        return True
    _tell(f"{client.title} is left out: {client.package} is not here")
    return False


def _version() -> str:
    done = subprocess.run([find_program(), "-v"], capture_output=True, text=True, check=True)
    return done.stdout.rpartition("v")[2].strip()


def _write(folder: Path, found: dict[str, object], summary: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # A series of figures in one line.
    text = _SERIES.sub(lambda series: " ".join(series[0].split()), json.dumps(found, indent=1))
    (folder / "cluster.json").write_text(text + "\n")
    (folder / "cluster.md").write_text(summary)


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
