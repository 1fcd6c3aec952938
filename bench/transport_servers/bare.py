"""greenrelay's transport alone: the whole connection, but the messages go straight back.

Everything of a relayed connection is there: the WSGI server and its upgrade, the session, limits,
pings, the outbox. Only the target is left out: where a connection hands a message on, this one
writes it. The target process all of them name hears of joins and leaves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from gevent import get_hub

from bench.transport_servers.limit import MESSAGE_SIZE
from greenrelay.http.middleware.websocket_relay import RelayOptions
from greenrelay.process import Node, RelayTarget
from greenrelay.relay.command import RelayCommand
from greenrelay.runtime.host import Host
from greenrelay.transport.backlog import Backlog
from greenrelay.transport.connection import Connection
from greenrelay.transport.drain import Connections
from greenrelay.transport.opening import Opening
from greenrelay.transport.server import Server
from greenrelay.transport.upgrade import set_aside
from greenrelay.websocket.frames import encode


class Mirror(Backlog):
    """Hands messages back instead of on."""

    __slots__ = ("_client",)

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._client: Connection | None = connection

    def take(self, opcode: int, data: str | bytes) -> bool:
        """Count a message and write it to the client it came from."""
        connection = self._client
        assert connection is not None, "a connection that is over takes no message"
        connection.session.message_count += 1
        connection.messages_out += 1
        frame = encode(opcode, data.encode() if isinstance(data, str) else data)
        if not connection.socket.write(frame):
            connection.fall_behind()
        return True

    def close(self) -> None:
        """Let go of the connection."""
        self._client = None
        super().close()


class Mirrored(Connections):
    """Gives each connection a mirror in place of the way to its target."""

    def add(self, connection: Connection, *how: Any) -> None:
        """Count ``connection`` until it is over."""
        connection.backlog = Mirror(connection)
        super().add(connection, *how)


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve echoes; without processes there are no news."""
    assert not is_news, "the transport alone has no broadcast"
    node = Node()
    host = node.add_host(Host("bench:gateway", max_processes=100_000))
    opening = Opening(node, host, Mirrored())
    target = node.spawn(RelayTarget)
    command = RelayCommand(str(target))
    options = RelayOptions(max_message_size=MESSAGE_SIZE, queue_bytes=MESSAGE_SIZE)

    def application(environ: dict[str, Any], _: object) -> Iterable[bytes]:
        upgrade = set_aside(environ)
        assert upgrade is not None, "the load generator asks for WebSockets only"
        opened = opening.open(environ, upgrade, command, target, options, ())
        assert opened is not None, "the target lives as long as the server"
        return opened.leave()

    server = Server(application)
    server.start()
    announce(int(server.url.rpartition(":")[2].strip("/")))
    get_hub().join()
