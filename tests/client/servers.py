"""Servers of other libraries: ``python -m tests.client.servers websockets`` or ``aiohttp``.

Each echoes, agrees to ``chat`` and to compression, and closes with 4000 for the text ``close``.
It prints its port and serves until its input ends.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from websockets.asyncio.server import serve

LARGEST = 1 << 24


@asynccontextmanager
async def websockets_server() -> AsyncIterator[int]:
    """Serve with ``websockets``."""

    async def handle(connection: Any) -> None:
        async for message in connection:
            if message == "close":
                await connection.close(4000, "as you wish")
                return
            await connection.send(message)

    chat: Any = ["chat"]
    async with serve(handle, "127.0.0.1", 0, subprotocols=chat, max_size=LARGEST) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@asynccontextmanager
async def aiohttp_server() -> AsyncIterator[int]:
    """Serve with aiohttp."""

    async def handle(request: Any) -> Any:
        socket = web.WebSocketResponse(protocols=["chat"], max_msg_size=LARGEST)
        await socket.prepare(request)
        async for message in socket:
            if message.type.name == "TEXT" and message.data == "close":
                await socket.close(code=4000, message=b"as you wish")
            elif message.type.name == "TEXT":
                await socket.send_str(message.data)
            elif message.type.name == "BINARY":
                await socket.send_bytes(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


KINDS = {"websockets": websockets_server, "aiohttp": aiohttp_server}


async def main(kind: str) -> None:
    """Serve until standard input ends."""
    async with KINDS[kind]() as port:
        print(port, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
