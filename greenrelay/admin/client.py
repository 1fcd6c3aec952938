"""The other end of the admin endpoint: asks running programs.

Source: Operations, "Command line".
"""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenrelay.admin.place import sockets
from greenrelay.admin.wire import decode, encode, read_line

# Longer than a drain takes.
PATIENCE = 120.0


class AdminError(Exception):
    """What a running program answered to a request that it could not carry out."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One running program, by its process id."""

    pid: int
    path: Path

    def ask(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:
        """Return what ``command`` results in; raises AdminError, and OSError without a program."""
        result: object = None
        for what, value in self._converse(command, arguments):
            if what == "result":
                result = value
        return result

    def parts(
        self, command: str, arguments: Mapping[str, object] | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield what ``command`` answers part by part; raises like ``ask``."""
        for what, value in self._converse(command, arguments):
            if what == "part" and isinstance(value, dict):
                yield value

    def _converse(
        self, command: str, arguments: Mapping[str, object] | None
    ) -> Iterator[tuple[str, object]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            client.settimeout(PATIENCE)
            client.connect(str(self.path))
            client.sendall(encode({"command": command, "arguments": dict(arguments or {})}))
            with client.makefile("rb") as stream:
                while line := read_line(stream):
                    ((what, value),) = decode(line).items()
                    if what == "error":
                        raise AdminError(value)
                    yield what, value
                    if what == "result":
                        return
        raise AdminError("the program has gone before it had answered")


def running() -> list[Endpoint]:
    """Return the running programs of this user; sockets of dead ones are removed."""
    found: list[Endpoint] = []
    for pid, path in sockets():
        if is_alive(path):
            found.append(Endpoint(pid, path))
        else:
            path.unlink(missing_ok=True)
    return found


def is_alive(path: Path) -> bool:
    """Whether somebody listens at ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            # It is there, but busy.
            return True
    return True
