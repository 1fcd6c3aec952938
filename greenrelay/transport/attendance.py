"""The requests that run: whose client has left, and whose time is over.

Source: HTTP, "The request as a process". A view that waits hears nothing of its client, since
nobody reads the socket meanwhile. So a few times a second the sockets of all requests that run
are looked at with one system call, and nothing is done for a request that is over sooner.

Theory. The system is asked whether the client has closed its side, and no byte is read: what a
client has sent beyond its request (pipelined, or early frames of a WebSocket) stays where it is
and hides nothing. A client that closes only its sending side looks the same as one that is gone,
and counts as that. From a departure to the end of its view it takes two intervals and the grace
at most, and that is below a second.
"""

from __future__ import annotations

import select
from collections.abc import Iterable
from time import monotonic
from typing import Any, Protocol
from weakref import WeakSet

from gevent import get_hub
from gevent.monkey import get_original

from greenrelay.runtime.fork import follow_forks

# At most this long until a departure is seen, in seconds.
INTERVAL = 0.2
# What a request that was asked to end may take, in seconds.
GRACE = 0.4
CLIENT_SOCKET = "greenrelay.socket"

# gevent's own poll would wait, and this is asked in the hub.
_poll = get_original("select", "poll")
_HAS_CLOSED = getattr(select, "POLLRDHUP", 0)
_GONE = _HAS_CLOSED | select.POLLHUP | select.POLLERR


class Attended(Protocol):
    """A request that runs; what is called here is called in the hub and must not wait."""

    @property
    def socket(self) -> Any:
        """The socket of its client."""

    def client_left(self) -> None:
        """Nobody waits for the answer any more."""

    def time_is_over(self) -> None:
        """The request has run for as long as it may."""

    def must_end(self) -> None:
        """It was told one of these and has not ended in ``GRACE``."""


def client_socket(environ: dict[str, Any]) -> Any:
    """Return the gevent socket a request came on, or None where the server does not tell."""
    found = environ.get(CLIENT_SOCKET) or environ.get("gunicorn.socket")
    if found is not None:
        return found
    # pywsgi's own handler.
    file = getattr(environ.get("wsgi.input"), "rfile", None)
    return getattr(getattr(file, "raw", None), "_sock", None)


_attendances: WeakSet[Attendance] = WeakSet()
follow_forks(_attendances)


class Attendance:
    """Looks after the requests of one app; ``timeout`` seconds are theirs, None is no limit."""

    def __init__(self, timeout: float | None = None) -> None:
        self._timeout = timeout or 0.0
        self._interval = min(INTERVAL, self._timeout / 4) if timeout else INTERVAL
        # Until when each may run, 0.0 is for ever, and by when those told to end must have.
        self._running: dict[Attended, float] = {}
        self._ending: dict[Attended, float] = {}
        self._timer: Any = None
        _attendances.add(self)

    def forked(self) -> None:
        """Look after nobody, in a forked child: the parent looks after its requests."""
        self._running.clear()
        self._ending.clear()

    def __len__(self) -> int:
        return len(self._running) + len(self._ending)

    def enter(self, request: Attended) -> None:
        """Look after ``request`` until it leaves."""
        self._running[request] = monotonic() + self._timeout if self._timeout else 0.0
        if self._timer is None:
            self._look_later()

    def leave(self, request: Attended) -> None:
        """The request is over; nothing happens for one that has left before."""
        if self._running.pop(request, None) is None:
            self._ending.pop(request, None)

    def _look_later(self) -> None:
        # Nothing has to stay alive for it.
        timer = self._timer = get_hub().loop.timer(self._interval, ref=False)
        timer.start(self._look)

    def _look(self) -> None:
        timer, self._timer = self._timer, None
        timer.stop()
        timer.close()
        now = monotonic()
        for request, until in tuple(self._ending.items()):
            if now >= until:
                del self._ending[request]
                request.must_end()
        gone = departed(request.socket for request in self._running)
        for request, until in tuple(self._running.items()):
            has_left = request.socket.fileno() in gone
            if has_left or (until and now >= until):
                del self._running[request]
                self._ending[request] = now + GRACE
                request.client_left() if has_left else request.time_is_over()
        if len(self) and self._timer is None:
            self._look_later()


def departed(sockets: Iterable[Any]) -> set[int]:
    """Return the file numbers of those sockets whose other side has closed; waits for nothing."""
    poll = _poll()
    for sock in sockets:
        number = sock.fileno()
        if number >= 0:
            poll.register(number, _HAS_CLOSED)
    return {number for number, found in poll.poll(0) if found & _GONE}
