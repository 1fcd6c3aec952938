"""Runs the command line as a person would, to its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pexpect

from tests.servers.running import GREENRELAY, ROOT, TIMEOUT


@dataclass(frozen=True, slots=True)
class Done:
    """What a command has come to."""

    status: int
    out: str
    err: str


def greenrelay(*arguments: str, cwd: Path = ROOT, env: Mapping[str, str] | None = None) -> Done:
    """Run ``greenrelay`` with these arguments."""
    done = subprocess.run(
        [GREENRELAY, *arguments],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )
    assert "Traceback" not in done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@contextmanager
def terminal(*arguments: str, size: tuple[int, int] = (40, 240)) -> Iterator[pexpect.spawn[str]]:
    """Run ``greenrelay`` in a terminal of ``size``, lines and columns, as long as the block is."""
    # What a shell says of its own terminal would go before what this one is.
    given = {name: each for name, each in os.environ.items() if name not in ("COLUMNS", "LINES")}
    running = pexpect.spawn(
        GREENRELAY,
        list(arguments),
        cwd=str(ROOT),
        dimensions=size,
        encoding="utf-8",
        env=given,
        timeout=TIMEOUT,
    )
    try:
        yield running
    finally:
        running.close()


def seen(*arguments: str) -> Done:
    """Run ``greenrelay`` in a terminal to its end; what is seen there is ``out``."""
    with terminal(*arguments) as running:
        running.expect(pexpect.EOF)
        text = running.before or ""
    assert "Traceback" not in text
    return Done(running.exitstatus or 0, text.replace("\r\n", "\n"), "")
