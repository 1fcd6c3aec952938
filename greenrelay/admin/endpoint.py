"""The admin endpoint: a Unix socket on which a running program answers the command line.

Source: Operations, "Command line". Only the program's own user, and root, may use it: see
``place.py``; who is connected is asked of the kernel as well.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import gevent
from gevent import socket
from gevent.pool import Pool
from gevent.server import StreamServer

from greenrelay.admin.client import is_alive
from greenrelay.admin.command import CommandError, Program, carry_out
from greenrelay.admin.place import socket_path
from greenrelay.admin.wire import decode, encode, read_request
from greenrelay.dashboard.reports import follow_reports
from greenrelay.runtime.fork import follow_forks, silence

log = logging.getLogger("greenrelay.admin")

MAX_CLIENTS = 16
MAX_APPS = 100
# How long a client may take for its request, and for each part of the answer, in seconds.
PATIENCE = 30.0
_CREDENTIALS = struct.Struct("3i")


_endpoints: WeakSet[Endpoint] = WeakSet()
follow_forks(_endpoints)


class Endpoint:
    """Answers for ``program`` until it is stopped."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._path: Path | None = None
        self._server: StreamServer | None = None
        self._clients: set[Any] = set()
        _endpoints.add(self)

    def forked(self) -> None:
        """Answer nobody, in a forked child: the socket and its path are the parent's."""
        server, self._server, self._path = self._server, None, None
        silence(self._clients)
        self._clients.clear()
        if server is not None and server.started:
            silence([server.socket])
            # Nor those that the loop has seen before the fork.
            server.max_accept = 0

    def start(self) -> None:
        """Listen; without a place for the socket, say so and do without."""
        follow_reports()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path = _listen(listener)
        except OSError as error:
            listener.close()
            log.warning("no admin endpoint: %s", error)
            return
        # One more than are answered: who is refused hears why.
        self._server = StreamServer(listener, self._serve, spawn=Pool(MAX_CLIENTS + 1))
        self._server.start()

    def stop(self) -> None:
        """Listen no more and cut off who is connected."""
        if self._server is not None:
            self._server.stop(timeout=0)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _serve(self, client: Any, address: object) -> None:
        self._clients.add(client)
        try:
            with client, contextlib.suppress(OSError):
                client.settimeout(PATIENCE)
                if _user(client) not in (0, os.getuid()):
                    return
                for line in self._answer(client):
                    client.sendall(encode(line))
        finally:
            self._clients.discard(client)

    def _answer(self, client: Any) -> Iterator[dict[str, object]]:
        try:
            with client.makefile("rb") as stream:
                request = decode(read_request(stream))
            if len(self._clients) > MAX_CLIENTS:
                text = f"{MAX_CLIENTS} commands are being answered; try again when one has ended"
                raise CommandError(text)
            found = carry_out(self._program, request)
            if isinstance(found, Iterator):
                for part in found:
                    yield {"part": part}
                found = None
            yield {"result": found}
        except (CommandError, ValueError) as error:
            yield {"error": str(error)}
        except (gevent.GreenletExit, OSError, GeneratorExit):
            raise
        except Exception as error:
            log.exception("a command failed")
            yield {"error": f"it failed: {type(error).__name__}: {error}; the log says more"}


def _listen(listener: Any) -> Path:
    """Listen at the first free path of this program and return it."""
    for number in range(1, MAX_APPS):
        path = socket_path(os.getpid(), number)
        if not is_alive(path):
            # Who looks for programs removes a socket at which nobody listens, as this one's until
            # it does: it gets its name afterwards. What is there is of a dead program of this id.
            unnamed = path.with_suffix(".new")
            unnamed.unlink(missing_ok=True)
            listener.bind(os.fspath(unnamed))
            listener.listen(MAX_CLIENTS)
            unnamed.replace(path)
            return path
    raise OSError(f"{path}: this program has {MAX_APPS} apps already")


def _user(client: Any) -> int:
    data = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    user: int = _CREDENTIALS.unpack(data)[1]
    return user
