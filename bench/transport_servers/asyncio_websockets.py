"""The ``websockets`` library on asyncio with uvloop's event loop; no compression, no pings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast
from websockets.asyncio.server import serve as listen

from bench.transport_servers.limit import BACKLOG, MESSAGE_SIZE

CLIENTS: set[ServerConnection] = set()


def serve(is_news: bool, announce: Callable[[int], None]) -> None:
    """Serve; news go out by the library's own ``broadcast``."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(is_news, announce))


async def _serve(is_news: bool, announce: Callable[[int], None]) -> None:
    server = await listen(
        _spread if is_news else _echo,
        "127.0.0.1",
        0,
        compression=None,
        ping_interval=None,
        max_size=MESSAGE_SIZE,
        backlog=BACKLOG,
    )
    announce(next(iter(server.sockets)).getsockname()[1])
    await server.serve_forever()


async def _echo(connection: ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


async def _spread(connection: ServerConnection) -> None:
    CLIENTS.add(connection)
    try:
        async for message in connection:
            broadcast(CLIENTS, message)
    finally:
        CLIENTS.discard(connection)
