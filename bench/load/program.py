"""Builds the C programs of this folder and runs the load generator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BUILT = HERE.parent.parent / "build" / "bench"
SOURCES = {
    "load": (
        "load.c",
        "options.c",
        "shape.c",
        "connection.c",
        "handshake.c",
        "disturber.c",
        "gauge.c",
    ),
    "mirror": ("mirror.c",),
}
FLAGS = ("-std=c11", "-D_GNU_SOURCE", "-O2", "-Wall", "-Wextra", "-Werror")
RUN_SECONDS = 180.0


class LoadFailed(Exception):
    """The generator was not built, or has seen what must not be, such as a changed echo."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the generator saw; times in microseconds, ``rounds_ms`` of broadcasts and giants.

    ``seconds`` are those in which generator and server had their cores to themselves.
    ``share`` is how much of the core time it wanted the busier of generator and server got,
    ``load_cpu`` how much of its core the generator used, ``closed`` how often a server has
    closed the connection of a disturber, ``served`` how many clients got an echo.
    """

    counted: int
    seconds: float
    served: int
    closed: int
    p50_us: float
    p99_us: float
    max_us: float
    load_cpu: float
    server_cpu: float
    share: float
    controls: int
    rounds_ms: tuple[float, ...]


def build() -> None:
    """Compile what is older than its sources; raises LoadFailed."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise LoadFailed("the load generator is in C and there is no gcc: install gcc")
    BUILT.mkdir(parents=True, exist_ok=True)
    for name, sources in SOURCES.items():
        paths = [HERE / source for source in sources]
        newest = max(path.stat().st_mtime for path in [*paths, HERE / "load.h"])
        program = BUILT / name
        if program.exists() and program.stat().st_mtime > newest:
            continue
        # Under another name first, so that two benches that build at once see whole programs.
        fresh = BUILT / f"{name}.{os.getpid()}"
        command = [compiler, *FLAGS, "-o", str(fresh), *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise LoadFailed(f"{' '.join(command)}:\n{done.stderr}")
        fresh.replace(program)


def command(core: int | None, options: Mapping[str, object]) -> list[str]:
    """Return the command line of the generator, on ``core`` if there is a choice."""
    words = [str(BUILT / "load"), *(f"{name}={value}" for name, value in options.items())]
    if core is not None and shutil.which("taskset"):
        words = ["taskset", "-c", str(core), *words]
    return words


def run(core: int | None, options: Mapping[str, object]) -> Measured:
    """Run the generator to its end; raises LoadFailed."""
    words = command(core, options)
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise LoadFailed(f"{' '.join(words)}: not done after {RUN_SECONDS:g} s") from None
    if done.returncode:
        raise LoadFailed(f"{' '.join(words)}: {done.stderr.strip() or done.returncode}")
    found = json.loads(done.stdout)
    return Measured(**(found | {"rounds_ms": tuple(found["rounds_ms"])}))


class Held:
    """Clients that are opened step by step and do nothing; a context manager."""

    def __init__(
        self, core: int | None, options: Mapping[str, object], steps: Sequence[int]
    ) -> None:
        joined = ",".join(map(str, steps))
        words = command(core, {**options, "mode": "hold", "steps": joined})
        self._process = subprocess.Popen(
            [*words, f"connections={steps[-1]}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Held:
        return self

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.communicate()

    def wait(self) -> int:
        """Return how many clients are there once a step is done; raises LoadFailed."""
        stdout = self._process.stdout
        assert stdout is not None, "it was piped"
        line = stdout.readline()
        if not line:
            stderr = self._process.stderr
            assert stderr is not None, "it was piped"
            raise LoadFailed(stderr.read().strip())
        count: int = json.loads(line)["held"]
        return count

    def go_on(self) -> None:
        """Open up to the next step."""
        stdin = self._process.stdin
        assert stdin is not None, "it was piped"
        stdin.write("\n")
        stdin.flush()
