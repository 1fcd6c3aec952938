"""Many idle WebSocket clients in few lines: sockets that have shaken hands and say nothing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

# How many may be on their way at a time: fewer than wait at a listening socket.
BATCH = 100


@contextmanager
def crowd(address: str, path: str, count: int) -> Iterator[list[socket.socket]]:
    """Open ``count`` clients of ``address``, a ``host:port``; close them at the end."""
    clients: list[socket.socket] = []
    host, _, port = address.rpartition(":")
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()
    try:
        while len(clients) < count:
            fresh = []
            for _ in range(min(BATCH, count - len(clients))):
                fresh.append(socket.create_connection((host, int(port)), timeout=30))
                clients.append(fresh[-1])
                fresh[-1].sendall(head)
            for each in fresh:
                answer = each.recv(4096)
                assert answer.startswith(b"HTTP/1.1 101"), answer
        yield clients
    finally:
        for each in clients:
            each.close()
