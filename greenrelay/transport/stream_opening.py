"""The moment a request becomes a stream of events.

Source: Server-sent Events Relay; WebSocket Relay, "How it works". From the look at the target to
sse.join nothing waits, so the target that was found alive is the one that is joined.

The answer has no length and no chunks: it ends with the connection, which is what ``Connection:
close`` says, so every byte the client reads is an event's.
"""

from __future__ import annotations

import contextlib
import socket as std_socket
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from functools import partial
from sys import intern
from typing import Any

from greenrelay.core.message import NO_CONTEXT
from greenrelay.core.pid import Pid
from greenrelay.relay.places import Place, Places
from greenrelay.relay.sse import StreamSession, retry
from greenrelay.relay.sse_command import StreamCommand
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.transport.drain import Connections
from greenrelay.transport.ledger import CONTEXT, ROUTE, STREAM, UNMATCHED
from greenrelay.transport.limits import StreamLimits
from greenrelay.transport.logged import request_id_of
from greenrelay.transport.opening import Opened, client_socket, counted, is_there
from greenrelay.transport.stream import Stream
from greenrelay.transport.stream_event import LastEvent
from greenrelay.transport.term import stream_as_long
from greenrelay.transport.upgrade import Environ, has_left, take_over
from greenrelay.websocket.handshake import HOP_BY_HOP, header_line

STATUS = "200 OK"
# What the answer has of its own, whatever the view says.
_OWN = HOP_BY_HOP | {"content-type", "content-length", "content-encoding", "date"}
# What it has unless the view says otherwise.
_DEFAULTS = (("Cache-Control", "no-cache, no-transform"), ("X-Accel-Buffering", "no"))
# Of the system, in milliseconds; not on every one.
_USER_TIMEOUT = getattr(std_socket, "TCP_USER_TIMEOUT", None)


@dataclass(frozen=True, slots=True)
class StreamRequest:
    """Who asks for a stream; ``place`` is the one among the streams that is reserved for it."""

    path: str
    remote_addr: str
    last_event_id: str | None
    place: Place


class StreamOpening:
    """What streams of one node and host are made of."""

    def __init__(self, node: Node, host: Host, connections: Connections) -> None:
        self._node = node
        self._host = host
        self._connections = connections
        self._last_event = LastEvent()
        self.places = Places()

    def open(
        self,
        environ: Environ,
        request: StreamRequest,
        command: StreamCommand,
        target: Pid | None,
        limits: StreamLimits,
        headers: Iterable[tuple[str, str]],
    ) -> Opened | None:
        """Answer the request with a stream and start it.

        Its place is given back when the stream is over. Returns None, with nothing sent and the
        place kept, when the target is gone, and so with what it raises: UnsupportedServer,
        OSError for a socket that is closed, and ValueError for a header that cannot be sent.
        """
        with counted(self._connections.ledger, STREAM, environ) as count:
            return count(self._open(environ, request, command, target, limits, headers))

    def _open(
        self,
        environ: Environ,
        request: StreamRequest,
        command: StreamCommand,
        target: Pid | None,
        limits: StreamLimits,
        headers: Iterable[tuple[str, str]],
    ) -> Opened | None:
        if target is not None and not is_there(self._node, target):
            return None
        head = stream_head(headers)
        if limits.retry:
            head += retry(limits.retry)
        taken = take_over(environ, STATUS)
        if has_left(taken):
            taken.sock.close()
            self.places.give_back(request.place)
            return Opened(False, taken.leave)
        _bound_silence(taken.sock, limits.ping_timeout if limits.ping_interval else 0.0)
        stream = self._make(request, command, target, limits)
        socket, leave = client_socket(taken, stream)
        self._connections.keep(stream)
        stream.context = environ.get(CONTEXT, NO_CONTEXT)
        stream.request_id = request_id_of(environ)
        route = environ.get(ROUTE, UNMATCHED)
        self._connections.count(stream, self._connections.ledger.figures(STREAM, route))
        stream.on_over = partial(self._over, request.place)
        is_joined = stream.attach(socket, head, command)
        stream_as_long(stream)
        return Opened(is_joined, leave)

    def _make(
        self,
        request: StreamRequest,
        command: StreamCommand,
        target: Pid | None,
        limits: StreamLimits,
    ) -> Stream:
        session = StreamSession(
            self._node.new_pid(self._host),
            target,
            message_topic=command.message_topic,
            metadata=dict(command.metadata),
            # The same for many streams, and kept as long as each of them.
            path=intern(request.path),
            remote_addr=intern(request.remote_addr),
            last_event_id=request.last_event_id,
        )
        return Stream(self._node, self._host, session, limits, self._last_event)

    def _over(self, place: Place, stream: Stream) -> None:
        self.places.give_back(place)
        self._connections.forget(stream)


def stream_head(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return the whole head of the answer, ``headers`` being those of the view's response.

    Raises ValueError for a name that is not a token and for a value with a line break or outside
    Latin-1.
    """
    kept = [(name, value) for name, value in headers if name.lower() not in _OWN]
    names = {name.lower() for name, _ in kept}
    kept += [(name, value) for name, value in _DEFAULTS if name.lower() not in names]
    lines = [
        f"HTTP/1.1 {STATUS}",
        "Content-Type: text/event-stream; charset=utf-8",
        "Connection: close",
        f"Date: {formatdate(usegmt=True)}",
        *(header_line(name, value) for name, value in kept),
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _bound_silence(sock: Any, seconds: float) -> None:
    """Let the system give up a client that takes nothing of what was sent for ``seconds``.

    A client that is cut off from the network closes nothing, and a stream has no pong to miss.
    """
    is_tcp = sock.family in (std_socket.AF_INET, std_socket.AF_INET6)
    if seconds and is_tcp and _USER_TIMEOUT is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(std_socket.IPPROTO_TCP, _USER_TIMEOUT, round(seconds * 1000))
