"""What the parent of workers tells each of them, and how a worker answers.

Source: Operations, "Command line", ``--workers``. The parent gives a worker an assignment in the
environment, which nobody else can read, and one end of a pair of sockets: the line. The worker says
there once what it serves. The line breaks when either of the two is gone, however it has ended.
"""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Self

import gevent
from gevent.event import Event as Flag

log = logging.getLogger("greenrelay.cli")
VARIABLE = "GREENRELAY_WORKER"
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class Assignment:
    """The work of one worker.

    ``listeners`` has for each id of an http.service the file descriptor of a listening socket and
    its URL, ``line`` is the descriptor of the line, ``engine`` the address of the engine that the
    parent has started, or "".
    """

    number: int
    line: int
    listeners: Mapping[str, tuple[int, str]]
    engine: str = ""

    def environment(self) -> dict[str, str]:
        """Return what hands it to a worker."""
        return {VARIABLE: json.dumps(asdict(self))}

    @classmethod
    def take(cls) -> Self | None:
        """Return the one of this OS process, None unless it is a worker.

        Only the first call does: what the worker starts is no worker.
        """
        text = os.environ.pop(VARIABLE, "")
        return cls(**json.loads(text)) if text else None


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a worker says when it serves: the id of its node, and what there is to be printed."""

    node: str
    lines: Sequence[str]


class Line:
    """A worker's end of the line to its parent."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)
        self._greenlet: gevent.Greenlet[..., None] | None = None

    def fileno(self) -> int:
        """The number of its file descriptor."""
        return self._socket.fileno()

    def say(self, greeting: Greeting) -> None:
        """Tell the parent that it serves."""
        try:
            self._socket.sendall(json.dumps(asdict(greeting)).encode() + b"\n")
        except OSError:
            log.debug("the parent has gone before this worker was ready")

    def watch(self, told: Flag) -> None:
        """Set ``told`` when the parent is gone."""
        self._greenlet = gevent.spawn(self._await_end, told)

    def close(self) -> None:
        """Watch no more."""
        if self._greenlet is not None:
            self._greenlet.kill()
        self._socket.close()

    def _await_end(self, told: Flag) -> None:
        _read_to_end(self._socket)
        log.warning("the parent of this worker is gone, and so it stops")
        told.set()


def hear(parent_end: socket.socket) -> Greeting | None:
    """Wait for what a worker says and return it; None when it has ended without a word."""
    heard = b""
    while not heard.endswith(b"\n"):
        try:
            chunk = parent_end.recv(_CHUNK)
        except ConnectionError:
            return None
        if not chunk:
            return None
        heard += chunk
    return Greeting(**json.loads(heard))


def _read_to_end(line: socket.socket) -> None:
    try:
        while line.recv(_CHUNK):
            pass
    except ConnectionError:
        return
