"""Measures how much of a broadcast is the kernel's: ``python -m bench.floor``, half a minute.

The same frame goes to the same 5,000 sockets in turns: by a bare loop of ``send``, and by
``broadcast`` to as many connections. A process on the other core reads. What ``broadcast`` takes
beyond the loop is all that could be saved.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from statistics import median
from time import perf_counter, sleep

from bench.machine import pin
from greenrelay import Node, inbox
from greenrelay.http.middleware.websocket_relay import RelayOptions
from greenrelay.relay.session import Session
from greenrelay.runtime.grouping import broadcast
from greenrelay.runtime.host import Host
from greenrelay.transport.connection import Connection
from greenrelay.transport.socket import ClientSocket
from greenrelay.transport.turns import Turns
from greenrelay.websocket.frames import BINARY, encode
from greenrelay.websocket.protocol import Protocol

RECEIVERS = 5_000
SIZE = 1024
ROUNDS = 15
# Between two rounds, so that everything is read.
REST = 0.3
GROUP = "floor"
OPTIONS = RelayOptions(ping_interval=0, ping_timeout=0)


def _read(port: int) -> None:
    """Be the receivers until the sender has gone."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    sockets = {}
    poll = select.epoll()
    for _ in range(RECEIVERS):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        sockets[sock.fileno()] = sock
        poll.register(sock.fileno(), select.EPOLLIN)
    while all(sockets[number].recv(65536) for number, _ in poll.poll()):
        pass


def _time(function: Callable[[], object]) -> float:
    sleep(REST)
    began = perf_counter()
    function()
    return perf_counter() - began


def _join(node: Node, host: Host, sock: socket.socket, turns: Turns) -> None:
    """Be a connection that is in the group."""
    target = node.spawn(_target)
    session = Session(node.new_pid(host), target)
    protocol = Protocol(max_message_size=OPTIONS.max_message_size)
    connection = Connection(node, host, session, protocol, OPTIONS, turns=turns)
    limits = (OPTIONS.queue_messages, OPTIONS.queue_bytes)
    connection.attach(ClientSocket(sock, connection, limits), b"HTTP/1.1 101 Here\r\n\r\n")
    node.groups.join(GROUP, connection)


def _target() -> None:
    for _ in inbox():
        pass


def main() -> None:
    """Measure both in turns and print the medians."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    reader = os.fork()
    if not reader:
        _read(listener.getsockname()[1])
        os._exit(0)
    pin()
    sockets = [listener.accept()[0] for _ in range(RECEIVERS)]
    for sock in sockets:
        sock.setblocking(False)
    frame, payload = encode(BINARY, b"x" * SIZE), {"type": "binary", "data": b"x" * SIZE}
    found: dict[str, list[float]] = {"send": [], "broadcast": []}
    with Node() as node:
        host, turns = node.hosts[node.default_host], Turns()
        for sock in sockets:
            _join(node, host, sock, turns)
        for _ in range(ROUNDS):
            found["send"].append(_time(lambda: [sock.send(frame) for sock in sockets]))
            found["broadcast"].append(_time(lambda: broadcast(GROUP, "ws.send", payload)))
    for name, times in found.items():
        middle = median(times)
        print(f"{name:<10}{middle * 1e3:7.1f} ms, {middle / RECEIVERS * 1e6:.1f} us each")
    print(f"of it broadcast's own: {1 - median(found['send']) / median(found['broadcast']):.0%}")


if __name__ == "__main__":
    main()
