"""A server as a process of the operating system, as a person would start it.

It has a process group of its own, so that a gunicorn master that is killed takes its workers along.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GREENRELAY = str(BIN / "greenrelay")
GUNICORN = str(BIN / "gunicorn")
TIMEOUT = 30.0
ADDRESS = re.compile(r"https?://(127\.0\.0\.1:(?!0\b)\d+)")
TROUBLE = (
    "Traceback",
    "Warning",
    "Exception ignored",
    "Error:",
    "failed with",
    "Assertion",
    "was sent SIG",
    " ERROR ",
)


class Running:
    """A started command and what it has printed, on stdout and stderr alike."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str] | None = None) -> None:
        self._output: list[str] = []
        self._news = threading.Condition()
        self._is_ended = False
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                with self._news:
                    self._output.append(line)
                    self._news.notify_all()
        with self._news:
            self._is_ended = True
            self._news.notify_all()

    @property
    def pid(self) -> int:
        """The process id of the command, not of a worker of it."""
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed by now."""
        with self._news:
            return "".join(self._output)

    @property
    def trouble(self) -> list[str]:
        """The lines of its output that nobody wants to read."""
        return [line for line in self.output.splitlines() if any(t in line for t in TROUBLE)]

    def wait_for(self, pattern: str | re.Pattern[str], count: int = 1) -> list[str]:
        """Wait until the output matches ``count`` times; return the (first groups of) matches."""
        wanted = re.compile(pattern)

        def is_there() -> bool:
            return self._is_ended or len(wanted.findall("".join(self._output))) >= count

        with self._news:
            self._news.wait_for(is_there, TIMEOUT)
        found: list[str] = wanted.findall(self.output)
        assert len(found) >= count, f"{wanted.pattern!r} is not in:\n{self.output}"
        return found

    def signal(self, number: int) -> None:
        """Send a signal to the command itself."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait until it has ended and all of its output is read; return its exit status."""
        try:
            status = self._process.wait(TIMEOUT)
            self._reader.join(TIMEOUT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {TIMEOUT:g} s:\n{self.output}") from None
        return status

    def stop(self) -> int:
        """End it with SIGTERM and return its exit status."""
        if self._process.poll() is None:
            self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """End whatever still runs of it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)

    @property
    def has_ended(self) -> bool:
        """Whether no process is left that could print anything."""
        with self._news:
            return self._is_ended

    @property
    def has_left_processes(self) -> bool:
        """Whether anything of its process group is left."""
        try:
            os.killpg(self.pid, 0)
        except ProcessLookupError:
            return False
        return True


@contextlib.contextmanager
def running(command: Sequence[str], env: Mapping[str, str] | None = None) -> Iterator[Running]:
    """Start a command; at the end print what it has printed and leave nothing of it behind."""
    started = Running(command, env)
    try:
        yield started
    finally:
        started.kill()
        print(started.output)
