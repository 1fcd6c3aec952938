"""The other end of the admin endpoint: asks running programs.

Source: Operations, "Command line". Whatever goes wrong is an AdminError with a sentence about it:
a command is at the mercy of a program that may be busy, stopped, gone, or of another version.
"""

from __future__ import annotations

import contextlib
import functools
import json
import socket
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from greenrelay.admin.place import folder, sockets
from greenrelay.admin.wire import MAX_REQUEST_BYTES, encode

# How long a program may say nothing, in seconds; `tail` has a sign of life four times a second.
PATIENCE = 5.0
# What waits in the program, for clients to go or for other nodes, may take longer than a drain.
LONG_PATIENCE = 120.0
WAITING = frozenset({"cluster", "drain", "info", "kill", "reload"})
# How often one is tried whose queue of clients is full.
_STEP = 0.05


class AdminError(Exception):
    """What a running program answered to a request that it could not carry out."""


class Unanswered(AdminError):
    """There was no answer, or none that can be read."""


class Gone(Unanswered):
    """The program is not there any more."""


class Answer(dict[str, Any]):
    """A map that a program answered with; what it lacks raises Unanswered, and no KeyError."""

    def __init__(self, pid: int, found: Mapping[str, Any]) -> None:
        super().__init__(found)
        self._pid = pid

    def __missing__(self, name: str) -> Any:
        text = f"its answer has no {name!r}: it runs another version of greenrelay"
        raise Unanswered(f"program {self._pid}: {text}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One running program, by its process id."""

    pid: int
    path: Path

    def ask(self, command: str, arguments: Mapping[str, object] | None = None) -> Any:
        """Return what ``command`` results in; raises AdminError."""
        if command in WAITING:
            # A program that says nothing at all is not waited for that long.
            self.ask("hello")
        result: object = None
        for what, value in self._converse(command, arguments):
            if what == "result":
                result = value
        return result

    def parts(
        self, command: str, arguments: Mapping[str, object] | None = None
    ) -> Iterator[Answer]:
        """Yield what ``command`` answers part by part; raises like ``ask``."""
        for what, value in self._converse(command, arguments):
            if what == "part" and isinstance(value, Answer):
                yield value

    def _converse(
        self, command: str, arguments: Mapping[str, object] | None
    ) -> Iterator[tuple[str, object]]:
        request = encode({"command": command, "arguments": dict(arguments or {})})
        if len(request) > MAX_REQUEST_BYTES:
            text = f"a request of {len(request)} bytes is too long; {MAX_REQUEST_BYTES} at most"
            raise AdminError(text)
        patience = LONG_PATIENCE if command in WAITING else PATIENCE
        try:
            yield from self._answers(request, patience)
        except TimeoutError as error:
            text = f"does not answer within {patience:g} s: its hub is busy, or it is stopped"
            if command in WAITING:
                # It has said hello.
                text = f"has not ended {command!r} within {patience:g} s, and goes on with it"
            raise Unanswered(f"program {self.pid} {text}") from error
        except OSError as error:
            text = f"program {self.pid} cannot be reached: {error.strerror or error}"
            raise Gone(text) from error
        except (ValueError, RecursionError) as error:
            raise Unanswered(f"program {self.pid}: its answer cannot be read: {error}") from error

    def _answers(self, request: bytes, patience: float) -> Iterator[tuple[str, object]]:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
            _connect(client, self.path)
            client.settimeout(patience)
            client.sendall(request)
            # A program of one's own may answer at any length: a process can have many links.
            with client.makefile("rb") as stream:
                for line in stream:
                    ((what, value),) = self._read(line).items()
                    if what == "error":
                        raise AdminError(value)
                    yield what, value
                    if what == "result":
                        return
        raise Gone(f"program {self.pid} has gone before it had answered")

    def _read(self, line: bytes) -> Answer:
        found = json.loads(line, object_hook=functools.partial(Answer, self.pid))
        if not isinstance(found, Answer):
            raise ValueError(f"it is {type(found).__name__} and no map")
        return found


def running() -> list[Endpoint]:
    """Return the running programs of this user; sockets of dead ones are removed.

    Raises AdminError for a folder that cannot be looked into.
    """
    found: list[Endpoint] = []
    try:
        known = sockets()
    except OSError as error:
        text = f"{folder()}: cannot be looked into: {error.strerror or error}"
        raise AdminError(f"{text}; only a program's own user may ask it") from error
    for pid, path in known:
        if is_alive(path):
            found.append(Endpoint(pid, path))
        else:
            # One may be allowed to look only.
            with contextlib.suppress(OSError):
                path.unlink()
    return found


def is_alive(path: Path) -> bool:
    """Whether somebody listens at ``path``; does not wait."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.setblocking(False)
        try:
            client.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            # It is there, but busy.
            return True
    return True


def _connect(client: socket.socket, path: Path) -> None:
    """Connect within PATIENCE; raises OSError.

    Where the queue of a stopped program is full, the kernel says so and has nothing to wait for.
    """
    until = time.monotonic() + PATIENCE
    client.setblocking(False)
    while True:
        try:
            client.connect(str(path))
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise TimeoutError from None
        time.sleep(_STEP)
