"""The demo as a process of the operating system, as a person would start it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "greenrelay.cli.main", "run", "config.yaml"]
START_TIMEOUT = 20.0
STOP_TIMEOUT = 20.0

_URL = re.compile(r"http://127\.0\.0\.1:(?!0\b)\d+")


class Demo:
    """The running demo: its ``url`` and what it has printed."""

    def __init__(self) -> None:
        self.output: list[str] = []
        self.url = ""
        self._is_up = threading.Event()
        self._process = subprocess.Popen(
            COMMAND,
            cwd=ROOT,
            env=os.environ | {"GREENRELAY_ADDR": "127.0.0.1:0", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._is_up.wait(START_TIMEOUT)
        if not self.url:
            self.stop()
            raise AssertionError("the demo printed no address:\n" + "".join(self.output))

    def stop(self) -> int:
        """End the demo with SIGTERM and return its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            self._reader.join(STOP_TIMEOUT)

    def _read(self) -> None:
        # Read to the end, or the demo would block once the pipe is full.
        assert self._process.stdout is not None
        with self._process.stdout as stdout:
            for line in stdout:
                self.output.append(line)
                found = _URL.search(line)
                if found and not self.url:
                    self.url = found[0]
                    self._is_up.set()
        self._is_up.set()
