"""``python -m bench.autobahn [--fast]``: every case of the suite against our own server.

It sets up what it needs, prints a table and the results that are not right, and fails unless all
cases were run and all are OK or informational. The full run also writes the results to
``bench/results/autobahn.json``; ``--fast`` does the sections 1 to 7 and 10 in a few seconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from bench.autobahn.cases import ALL, FAST, Case, Chunk, as_json, expected, problems, table
from bench.autobahn.suite import (
    VERSION,
    NoPython2,
    SuiteFailed,
    environment_folder,
    run_chunk,
    set_up,
)
from bench.machine import describe

ROOT = Path(__file__).parent.parent.parent
RESULTS = ROOT / "bench" / "results" / "autobahn.json"
REPORTS = ROOT / "build" / "autobahn"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what the command line says; return 0 when everything is right."""
    parser = argparse.ArgumentParser(prog="python -m bench.autobahn", description=__doc__)
    parser.add_argument("--fast", action="store_true", help="sections 1 to 7 and 10 only")
    chunks = FAST if parser.parse_args(arguments).fast else ALL
    start = monotonic()
    try:
        wstest = set_up(environment_folder())
        print(f"set-up: {monotonic() - start:.0f} s", flush=True)
        start = monotonic()
        cases = run(wstest, chunks)
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


def run(wstest: Path, chunks: Sequence[Chunk]) -> dict[str, Case]:
    """Run all chunks against a server of their own; raises SuiteFailed."""
    cases: dict[str, Case] = {}
    with serving() as address:
        for chunk in chunks:
            name = chunk.patterns[0].replace(".*", "").replace(".", "-")
            cases |= run_chunk(wstest, address, chunk, REPORTS / name)
            print(f"{' '.join(chunk.patterns)}: done", flush=True)
    return cases


def kept(cases: dict[str, Case], found: list[str], seconds: float) -> dict[str, object]:
    """Return what is kept of a full run."""
    return {
        "machine": describe({"autobahntestsuite": VERSION}),
        "seconds": round(seconds),
        "count": len(cases),
        "good": sum(case.is_good for case in cases.values()),
        "problems": found,
        "cases": as_json(cases),
    }


@contextmanager
def serving() -> Iterator[str]:
    """Start the server in an OS process of its own; yields its address, ends it."""
    command = [sys.executable, "-m", "bench.autobahn.server"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as server:
        assert server.stdin is not None, "it is a pipe"
        assert server.stdout is not None, "it is a pipe"
        try:
            address = server.stdout.readline().strip()
            if not address:
                raise SuiteFailed("the server under test did not start")
            yield address
        finally:
            server.stdin.close()
            try:
                server.wait(10)
            except subprocess.TimeoutExpired:
                server.kill()


if __name__ == "__main__":
    sys.exit(main())
