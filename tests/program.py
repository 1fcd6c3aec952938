"""A program under test as a process of the operating system, with what it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

TIMEOUT = 30.0
BIN = Path(sys.executable).parent
_URL = re.compile(r"https?://127\.0\.0\.1:([1-9]\d*)")


class Program:
    """A started program: ``port`` once it has printed ``http://127.0.0.1:PORT``, ``output``."""

    def __init__(
        self, command: Sequence[str], cwd: Path, env: Mapping[str, str] | None = None
    ) -> None:
        self.output: list[str] = []
        self.port = 0
        self._news = threading.Condition()
        self._is_ended = False
        self._process = subprocess.Popen(
            [str(BIN / command[0]) if (BIN / command[0]).exists() else command[0], *command[1:]],
            cwd=cwd,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        if error is not None:
            print("".join(self.output))

    def address(self) -> str:
        """Wait until it serves and return ``127.0.0.1:PORT``."""
        self._wait(lambda: self.port)
        assert self.port, "it printed no address:\n" + "".join(self.output)
        return f"127.0.0.1:{self.port}"

    def wait_for(self, text: str) -> None:
        """Wait until it has printed ``text``, within one line."""

        def is_there() -> bool:
            return any(text in line for line in self.output)

        self._wait(is_there)
        assert is_there(), f"it did not print {text!r}:\n" + "".join(self.output)

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> int:
        """Wait for its end and return the exit status."""
        status = self._process.wait(TIMEOUT)
        self._reader.join(TIMEOUT)
        return status

    def stop(self) -> int:
        """End it with SIGTERM, by force if that is not enough, and return the exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self.wait()
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(TIMEOUT)
            raise

    def _wait(self, condition: Callable[[], object]) -> None:
        """Wait until ``condition`` is true or nothing can make it so any more."""
        with self._news:
            self._news.wait_for(lambda: self._is_ended or condition(), TIMEOUT)

    def _read(self) -> None:
        # Read to the end, or the program would block once the pipe is full.
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                found = _URL.search(line)
                with self._news:
                    self.output.append(line)
                    if found and not self.port:
                        self.port = int(found[1])
                    self._news.notify_all()
        with self._news:
            self._is_ended = True
            self._news.notify_all()
