"""``python -m bench.autobahn.client [--fast]``: every case of the suite against our own client.

The fuzzing server runs the cases, a client of ``greenrelay.client`` sends back what it gets. The
verdicts are judged as those of the server are; a full run writes them to
``bench/results/autobahn-client.json``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import gevent

from bench.autobahn.__main__ import REPORTS, ROOT, kept
from bench.autobahn.cases import ALL, FAST, Case, Chunk, expected, problems, table
from bench.autobahn.suite import (
    AGENT,
    NoPython2,
    SuiteFailed,
    environment_folder,
    read_index,
    set_up,
)
from greenrelay.client import connect
from greenrelay.errors import ConnectionClosed, ConnectionRefused, HandshakeFailed

RESULTS = ROOT / "bench" / "results" / "autobahn-client.json"
START_SECONDS = 30.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; return 0 when everything is right."""
    parser = argparse.ArgumentParser(prog="python -m bench.autobahn.client", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="sections 1 to 7 and 10 only")
    chunks = FAST if parser.parse_args(arguments).fast else ALL
    start = monotonic()
    cases: dict[str, Case] = {}
    try:
        wstest = set_up(environment_folder())
        start = monotonic()
        for chunk in chunks:
            cases |= run_chunk(wstest, chunk)
            print(f"{' '.join(chunk.patterns)}: done", flush=True)
    except (NoPython2, SuiteFailed) as error:
        print(error, file=sys.stderr)
        return 1
    seconds = monotonic() - start
    wanted = expected(chunks)
    found = problems(cases, wanted)
    print(table(cases, wanted), *found, f"run: {seconds:.0f} s", sep="\n")
    if chunks is ALL:
        RESULTS.write_text(json.dumps(kept(cases, found, seconds), indent=1) + "\n")
    return 1 if found else 0


def run_chunk(wstest: Path, chunk: Chunk) -> dict[str, Case]:
    """Let a fuzzing server try our client with the cases of ``chunk``; raises SuiteFailed."""
    name = chunk.patterns[0].replace(".*", "").replace(".", "-")
    folder = REPORTS / "client" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    with fuzzing(wstest, chunk, folder) as address:
        late = SuiteFailed(f"{' '.join(chunk.patterns)}: not done after {chunk.timeout:g} s")
        with gevent.Timeout(chunk.timeout, late):
            with connect(f"{address}/getCaseCount") as client:
                count = int(client.receive().data)
            for number in range(1, count + 1):
                echo(f"{address}/runCase?case={number}&agent={AGENT}")
            with connect(f"{address}/updateReports?agent={AGENT}") as client:
                list(client)
    return read_index(folder / "index.json")


def echo(url: str) -> None:
    """Send back what comes from ``url`` until it is closed."""
    client = connect(url, compression="deflate", open_timeout="30s", write_timeout="60s")
    try:
        for message in client:
            client.send(message.data)
    except ConnectionClosed:
        pass
    finally:
        client.close()


@contextmanager
def fuzzing(wstest: Path, chunk: Chunk, folder: Path) -> Iterator[str]:
    """Run a fuzzing server; yields its URL, ends it."""
    url = f"ws://127.0.0.1:{_free_port()}"
    spec = {
        "url": url,
        "outdir": str(folder),
        "cases": list(chunk.patterns),
        "exclude-cases": [],
        "exclude-agent-cases": {},
    }
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    command = [str(wstest), "-m", "fuzzingserver", "--webport", "0", "-s", str(path)]
    with (
        (folder / "log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log, cwd=folder) as server,
    ):
        try:
            _wait_for(url, server)
            yield url
        finally:
            server.kill()


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    until = monotonic() + START_SECONDS
    while monotonic() < until and server.poll() is None:
        try:
            with connect(f"{url}/getCaseCount") as client:
                list(client)
        except (ConnectionRefused, HandshakeFailed):
            # It is not ours, and says nowhere that it listens.
            gevent.sleep(0.1)
        else:
            return
    raise SuiteFailed("the fuzzing server did not start")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port: int = sock.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
