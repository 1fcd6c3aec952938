"""Starts the servers, each pinned to one core, looks at their memory, and ends them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from bench.harness import ROOT
from bench.load.program import BUILT
from bench.wire.peer import Peer

STOP_SECONDS = 5.0
QUIET_SECONDS = 10.0
_LOOK = 0.02
# Below this part of a core a server has nothing left to do.
_QUIET = 0.03


class ServerFailed(Exception):
    """A server that did not start or has ended by itself."""


class RunningServer:
    """One server; ``stop`` ends it by its process id. ``pid`` is the one that serves."""

    def __init__(self, peer: Peer, kind: str, core: int | None) -> None:
        self.peer = peer
        # Open as long as the server runs.
        self._errors: IO[str] = tempfile.TemporaryFile("w+")  # noqa: SIM115
        words = [sys.executable, "-m", "bench.transport_servers", *peer.modules, kind]
        self._process = subprocess.Popen(
            [str(BUILT / "mirror")] if peer.is_ceiling else words,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        if core is not None:
            os.sched_setaffinity(self._process.pid, {core})
        self.port, self.pid = self._found()

    def _found(self) -> tuple[int, int]:
        assert self._process.stdout is not None, "it was piped"
        line = self._process.stdout.readline()
        if not line:
            raise ServerFailed(f"{self.peer.title} did not start:\n{self.complaint()}")
        found = json.loads(line)
        if not isinstance(found, dict):
            return found, self._process.pid
        return found["port"], found["pid"]

    def complaint(self) -> str:
        """Return the end of what it has written to its standard error."""
        self._errors.seek(0)
        return self._errors.read()[-2000:]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.communicate(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
        self._errors.close()

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    def wait_until_quiet(self) -> None:
        """Wait until it has nothing to do: the clients of the last load are forgotten."""
        until = time.monotonic() + QUIET_SECONDS
        while time.monotonic() < until:
            before = self._busy_seconds()
            time.sleep(_LOOK)
            if self._busy_seconds() - before < _QUIET * _LOOK:
                return

    def _busy_seconds(self) -> float:
        try:
            return int(Path(f"/proc/{self.pid}/schedstat").read_text().split()[0]) / 1e9
        except OSError:
            raise ServerFailed(f"{self.peer.title} has ended:\n{self.complaint()}") from None


class Servers:
    """The servers of one round, started when they are first asked for; a context manager."""

    def __init__(self, core: int | None) -> None:
        self._core = core
        self._running: dict[tuple[str, str], RunningServer] = {}

    def __enter__(self) -> Servers:
        return self

    def __exit__(self, *error: object) -> None:
        for server in self._running.values():
            server.stop()

    def get(self, peer: Peer, kind: str) -> RunningServer:
        """Return the one server of this peer and kind."""
        found = self._running.get((peer.name, kind))
        if found is None:
            found = self._running[peer.name, kind] = RunningServer(peer, kind, self._core)
        return found

    def fresh(self, peer: Peer, kind: str) -> RunningServer:
        """Return one that has done nothing yet; whoever asks stops it."""
        return RunningServer(peer, kind, self._core)


def cores() -> tuple[int | None, int | None]:
    """Return the core of the server and that of the load; both None where there is one only."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    allowed = sorted(os.sched_getaffinity(0))
    return (allowed[0], allowed[1]) if len(allowed) > 1 else (None, None)


def allow_many_files() -> int:
    """Raise the limit of open files as far as it goes and return it; children inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
