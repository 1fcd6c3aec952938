"""Runs the command line as a person would, to its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

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
