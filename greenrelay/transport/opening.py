"""The moment a request becomes a connection.

Source: WebSocket Relay, "How it works". From the look at the target to ws.join nothing waits, so
the target that was found alive is the one that is joined, and the 101 is the first thing the
client reads whatever the target sends.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from sys import intern

from gevent.event import Event as Flag

from greenrelay.core.message import NO_CONTEXT
from greenrelay.core.pid import Pid
from greenrelay.relay.command import RelayCommand
from greenrelay.relay.session import Session
from greenrelay.relay.slowness import CLOSE
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.runtime.task import EXITING
from greenrelay.transport.connection import Connection
from greenrelay.transport.drain import Connections
from greenrelay.transport.ledger import ACCEPTED, CONTEXT, ROUTE, UNMATCHED, WEBSOCKET, Ledger
from greenrelay.transport.limits import MAX_FRAGMENTS, Limits
from greenrelay.transport.logged import request_id_of
from greenrelay.transport.socket import ClientSocket
from greenrelay.transport.stream import Stream
from greenrelay.transport.term import last_as_long
from greenrelay.transport.turns import Turns
from greenrelay.transport.upgrade import Environ, TakenOver, Upgrade, has_left, take_over
from greenrelay.websocket.deflate import Agreement, negotiate
from greenrelay.websocket.extension import parse_extensions
from greenrelay.websocket.handshake import (
    choose_subprotocol,
    offered_subprotocols,
    response_head,
)
from greenrelay.websocket.protocol import Protocol as WireProtocol

log = logging.getLogger("greenrelay.transport")


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
        self._turns = Turns()

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
        with counted(self._connections.ledger, WEBSOCKET, environ) as count:
            return count(self._open(environ, upgrade, command, target, limits, headers))

    def _open(
        self,
        environ: Environ,
        upgrade: Upgrade,
        command: RelayCommand,
        target: Pid,
        limits: Limits,
        headers: Iterable[tuple[str, str]],
    ) -> Opened | None:
        if not is_there(self._node, target):
            return None
        supported = command.subprotocols or limits.subprotocols
        chosen = choose_subprotocol(offered_subprotocols(upgrade.subprotocols), supported)
        agreed = _agree_on_compression(upgrade, limits)
        head = response_head(
            upgrade.key,
            subprotocol=chosen,
            extensions=None if agreed is None else agreed.answer,
            headers=headers,
        )
        taken = take_over(environ)
        if has_left(taken):
            taken.sock.close()
            return Opened(False, taken.leave)
        connection = self._make(upgrade, command, target, limits, chosen, agreed)
        connection.context = environ.get(CONTEXT, NO_CONTEXT)
        connection.request_id = request_id_of(environ)
        socket, leave = client_socket(taken, connection)
        self._connections.add(connection, upgrade)
        route = environ.get(ROUTE, UNMATCHED)
        figures = self._connections.ledger.figures(WEBSOCKET, route)
        self._connections.count(connection, figures)
        is_joined = connection.attach(socket, head, command.heartbeat_interval, taken.buffered)
        last_as_long(connection)
        return Opened(is_joined, leave)

    def _make(
        self,
        upgrade: Upgrade,
        command: RelayCommand,
        target: Pid,
        limits: Limits,
        subprotocol: str | None,
        agreed: Agreement | None,
    ) -> Connection:
        session = Session(
            self._node.new_pid(self._host),
            target,
            message_topic=command.message_topic,
            metadata=dict(command.metadata),
            subprotocol=subprotocol,
            # The same for many connections, and kept as long as each of them.
            path=intern(upgrade.path),
            remote_addr=intern(upgrade.remote_addr),
        )
        protocol = WireProtocol(
            max_message_size=limits.max_message_size,
            max_fragments=MAX_FRAGMENTS,
            inflater=None if agreed is None else agreed.inflater(),
        )
        return Connection(
            self._node,
            self._host,
            session,
            protocol,
            limits,
            turns=self._turns,
            deflater=None if agreed is None else agreed.deflater(),
        )


def _agree_on_compression(upgrade: Upgrade, limits: Limits) -> Agreement | None:
    if not limits.compression:
        return None
    try:
        # A frame that others refer to must not be dropped or overtaken once it is compressed.
        keeps_context = limits.slow_policy.kind == CLOSE
        return negotiate(parse_extensions(upgrade.extensions), keeps_context=keeps_context)
    except ValueError:
        # Refused before the view ran, unless this is no request of ours to refuse.
        return None


@contextmanager
def counted(
    ledger: Ledger, kind: str, environ: Environ
) -> Iterator[Callable[[Opened | None], Opened | None]]:
    """Count what becomes of a request: what the function that it yields is given, or a failure."""
    outcome = "failed"

    def count(opened: Opened | None) -> Opened | None:
        nonlocal outcome
        outcome = ACCEPTED
        if opened is None:
            outcome = "target_gone"
        elif not opened.is_joined:
            outcome = "client_left"
        return opened

    try:
        yield count
    finally:
        ledger.became(kind, environ.get(ROUTE, UNMATCHED), outcome)


def is_there(node: Node, target: Pid) -> bool:
    """Whether the target can still be joined."""
    process = node.find(target)
    return process is not None and process.state < EXITING


def client_socket(
    taken: TakenOver, owner: Connection | Stream
) -> tuple[ClientSocket, Callable[[], Iterable[bytes]]]:
    """Return the socket for ``owner``, and what the WSGI application returns at the very end."""
    limits = owner.limits
    queue = (limits.queue_messages, limits.queue_bytes)
    if taken.is_detached:
        # A server that has forgotten the socket need not hear of its end.
        return ClientSocket(taken.sock, owner, queue), taken.leave
    closed = Flag()
    socket = ClientSocket(taken.sock, owner, queue, closed.set)
    return socket, partial(_leave_when, closed, owner, taken)


def _leave_when(closed: Flag, owner: Connection | Stream, taken: TakenOver) -> Iterable[bytes]:
    """Wait for the socket's end on behalf of a server that has not forgotten it."""
    try:
        closed.wait()
    except BaseException:
        # The server ends this greenlet and then closes the socket: it must not be read any more.
        owner.abandon()
        raise
    return taken.leave()
