"""Erlang with one scheduler: the same workloads, in the ``.erl`` files beside this one."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from bench.workload import WORKLOADS as ALL
from bench.workload import Run, Sample, Size, Workload, by_name

_LIVES = frozenset(("spawn_end", "spawn_monitor", "star", "chain", "memory", "leak"))
# The folder the harness has compiled them into.
_FOLDER = "GREENRELAY_BENCH_BEAM"


def prepare(folder: str) -> None:
    """Compile the workloads into ``folder``, where children started after this find them."""
    sources = sorted(str(path) for path in Path(__file__).parent.glob("*.erl"))
    subprocess.run(["erlc", "-o", folder, *sources], check=True)
    os.environ[_FOLDER] = folder


def version() -> str:
    """Return the release of Erlang/OTP."""
    return _erl('io:format("~s", [erlang:system_info(otp_release)]), halt(0).')


def _erl(code: str, *options: str) -> str:
    command = ["erl", "-noinput", "+S", "1:1", *options, "-eval", code]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _run(workload: Workload) -> Run:
    def run_in_erlang(size: Size) -> Sample:
        module = "erlang_lives" if workload.name in _LIVES else "erlang_messages"
        is_warmed = str(workload.is_warmed).lower()
        arguments = f"{module}, {workload.name}, {size.count}, {size.crowd}, {is_warmed}"
        printed = _erl(f"erlang_bench:main({arguments}).", "-pa", os.environ[_FOLDER])
        return Sample(**json.loads(printed))

    run_in_erlang.__name__ = workload.name
    return run_in_erlang


WORKLOADS = by_name(*(_run(workload) for workload in ALL))
