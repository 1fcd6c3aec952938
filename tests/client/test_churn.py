"""1,000 clients in one worker leak nothing over an hour's churn (compressed into seconds)."""

from __future__ import annotations

import gc
import sys

from greenrelay import Node, inbox, process
from greenrelay.client import connect
from greenrelay.proving.leaks import open_files
from tests.client.upstream import CLOSE, Peer, close_frame, frame, upstream
from tests.probe import wait_for

CLIENTS = 1000
ROUNDS = 2
# In blocks of memory, less than one for each client: caches of the interpreter.
SLACK = 500


def _any_end(peer: Peer) -> None:
    """Echo one message, and end in one of four ways."""
    peer.accept()
    opcode, payload = peer.frame()
    peer.write(frame(opcode, payload))
    way = peer.number % 4
    if way == 0:
        peer.write(close_frame(1000))
    elif way == 1:
        peer.reset()
    elif way == 2:
        peer.write(frame(3))
    for opcode, payload in peer.frames():
        if opcode == CLOSE:
            peer.write(frame(CLOSE, payload))
            return


def _owner(url: str, number: int) -> None:
    client = connect(url, compression="deflate" if number % 2 else None)
    client.send(str(number))
    assert client.receive(timeout=30).data == str(number)
    if number % 3:
        client.close()


def _relay_owner(url: str) -> None:
    client = connect(url, relay_to=process.pid())
    for message in inbox():
        if message.topic == "ws.join":
            client.close()
        elif message.topic == "ws.leave":
            return


def _round(node: Node, url: str) -> None:
    for number in range(CLIENTS):
        node.spawn(_relay_owner if number % 5 == 0 else _owner, *_args(url, number))
    wait_for(lambda: not node.processes, timeout=60)
    gc.collect()


def _args(url: str, number: int) -> tuple[object, ...]:
    return (url,) if number % 5 == 0 else (url, number)


def test_clients_that_come_and_go_leave_nothing(node: Node) -> None:
    with upstream(_any_end) as url:
        _round(node, url)
        _round(node, url)
        files, before = len(open_files()), sys.getallocatedblocks()
        for _ in range(ROUNDS):
            _round(node, url)

        wait_for(lambda: len(open_files()) <= files)
        wait_for(lambda: sys.getallocatedblocks() - before < SLACK)
