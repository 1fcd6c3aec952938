"""The moment a request becomes a connection.

Source: WebSocket Relay, "How it works". From the look at the target to ws.join nothing waits, so
the target that was found alive is the one that is joined, and the 101 is the first thing the
client reads whatever the target sends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Protocol as Structure

from gevent.event import Event as Flag

from greenrelay.core.pid import Pid
from greenrelay.relay.command import RelayCommand
from greenrelay.relay.outbox import Outbox
from greenrelay.relay.rate import Rate
from greenrelay.relay.session import Session
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.runtime.task import EXITING
from greenrelay.transport.connection import Connection
from greenrelay.transport.drain import Connections
from greenrelay.transport.socket import ClientSocket
from greenrelay.transport.upgrade import Environ, TakenOver, Upgrade, has_left, take_over
from greenrelay.websocket.handshake import (
    choose_subprotocol,
    offered_subprotocols,
    response_head,
)
from greenrelay.websocket.protocol import Protocol

log = logging.getLogger("greenrelay.transport")


class Limits(Structure):
    """The limits of a connection; times in seconds, sizes in bytes, 0 is none."""

    @property
    def max_message_size(self) -> int:
        """The largest message a client may send."""

    @property
    def ping_interval(self) -> float:
        """How often the client is pinged."""

    @property
    def ping_timeout(self) -> float:
        """How long it has to answer."""

    @property
    def queue_messages(self) -> int:
        """How many frames may wait for it."""

    @property
    def queue_bytes(self) -> int:
        """How many bytes may wait for it."""

    @property
    def rate_messages(self) -> int:
        """How many messages a second it may send."""

    @property
    def rate_bytes(self) -> int:
        """How many bytes a second it may send."""

    @property
    def subprotocols(self) -> tuple[str, ...]:
        """What is offered where the relay command offers nothing."""

    @property
    def drain_code(self) -> int:
        """The close code of a drain."""

    @property
    def drain_period(self) -> float:
        """How long a drain may take."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An upgrade that was answered; without ``is_joined`` its client had left by then.

    ``leave()`` is what the WSGI application returns at the very end: it may wait for the end of
    the socket.
    """

    is_joined: bool
    leave: Callable[[], Iterable[bytes]]


class Opening:
    """What connections of one node and host are made of."""

    def __init__(self, node: Node, host: Host, connections: Connections) -> None:
        self._node = node
        self._host = host
        self._connections = connections

    def open(
        self,
        environ: Environ,
        upgrade: Upgrade,
        command: RelayCommand,
        target: Pid,
        limits: Limits,
        headers: Iterable[tuple[str, str]],
    ) -> Opened | None:
        """Upgrade the request and start its connection.

        ``headers`` of the view's response go along with the 101. Returns None, with nothing sent,
        when the target is gone. Raises UnsupportedServer, OSError for a socket that is closed,
        and ValueError for a header that cannot be sent.
        """
        process = self._node.processes.get(target)
        if process is None or process.state >= EXITING:
            return None
        supported = command.subprotocols or limits.subprotocols
        chosen = choose_subprotocol(offered_subprotocols(upgrade.subprotocols), supported)
        head = response_head(upgrade.key, subprotocol=chosen, headers=headers)
        taken = take_over(environ)
        if has_left(taken):
            taken.sock.close()
            return Opened(False, taken.leave)
        connection = self._make(upgrade, command, target, limits, chosen)
        closed = Flag()
        socket = ClientSocket(
            taken.sock,
            Outbox(limits.queue_messages, limits.queue_bytes),
            on_data=connection.on_data,
            on_lost=connection.on_lost,
            on_closed=closed.set,
        )
        self._connections.add(connection)
        is_joined = connection.attach(socket, head, command.heartbeat_interval, taken.buffered)
        if taken.is_detached:
            return Opened(is_joined, taken.leave)
        return Opened(is_joined, lambda: _leave_when(closed, connection, taken))

    def _make(
        self,
        upgrade: Upgrade,
        command: RelayCommand,
        target: Pid,
        limits: Limits,
        subprotocol: str | None,
    ) -> Connection:
        session = Session(
            self._node.new_pid(self._host),
            target,
            message_topic=command.message_topic,
            metadata=dict(command.metadata),
            subprotocol=subprotocol,
            path=upgrade.path,
            remote_addr=upgrade.remote_addr,
        )
        rate = None
        if limits.rate_messages or limits.rate_bytes:
            rate = Rate(limits.rate_messages, limits.rate_bytes, monotonic())
        return Connection(
            self._node,
            self._host,
            session,
            Protocol(max_message_size=limits.max_message_size),
            ping_interval=limits.ping_interval,
            ping_timeout=limits.ping_timeout,
            rate=rate,
            drain_code=limits.drain_code,
            drain_period=limits.drain_period,
        )


def _leave_when(closed: Flag, connection: Connection, taken: TakenOver) -> Iterable[bytes]:
    try:
        closed.wait()
    except BaseException:
        # The server ends this greenlet and then closes the socket: it must not be read any more.
        connection.abandon()
        raise
    return taken.leave()
