"""picows, a WebSocket server in Cython, with uvloop's event loop: echoes from its callback."""

# It is only there where the bench is.
# mypy: disable-error-code="import-not-found, misc, no-any-unimported, unused-ignore"

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from bench.transport_servers.limit import BACKLOG, MESSAGE_SIZE

DATA = (WSMsgType.TEXT, WSMsgType.BINARY)
CLIENTS: set[WSTransport] = set()


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; news are a loop over all clients."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Spread if is_news else Echo, announce))


async def _serve(listener: type[WSListener], announce: Callable[[int], None]) -> None:
    server = await ws_create_server(
        lambda request: listener(),
        "127.0.0.1",
        0,
        max_frame_size=MESSAGE_SIZE,
        backlog=BACKLOG,
    )
    announce(server.sockets[0].getsockname()[1])
    await server.serve_forever()


class Echo(WSListener):
    """Sends each message back; pings are answered by picows itself."""

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        if frame.msg_type in DATA:
            transport.send(frame.msg_type, frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()


class Spread(WSListener):
    """Sends each message to all clients."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Count a client in."""
        CLIENTS.add(transport)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Count a client out."""
        CLIENTS.discard(transport)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Take one frame."""
        if frame.msg_type in DATA:
            kind, data = frame.msg_type, frame.get_payload_as_bytes()
            for client in CLIENTS:
                client.send(kind, data)
