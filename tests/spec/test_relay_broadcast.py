"""WebSocket Relay, "Slowness": a broadcast encodes its frame once, and hurts nobody."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from socket import SO_LINGER, SOL_SOCKET
from typing import Any
from weakref import ref

import gevent
import pytest
from gevent import socket

from greenrelay import process
from tests.probe import assert_receive, wait_for
from tests.relaying import UPGRADE, Bench, relaying
from tests.serving import WebSocketClient

GROUP = "room"


class Counted(str):
    """Text that counts how often it is encoded."""

    encodings = 0

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        Counted.encodings += 1
        return super().encode(encoding, errors)


class Weak(dict[str, object]):
    """A payload that tells when nobody has it any more."""


@contextmanager
def room(bench: Bench, count: int) -> Iterator[list[WebSocketClient]]:
    """Connect clients that are members of one group."""
    with ExitStack() as stack:
        clients = [stack.enter_context(bench.connect()) for _ in range(count)]
        for _ in clients:
            bench.target.do(process.join, GROUP, bench.joined())
        yield clients


def broadcast(bench: Bench, payload: object) -> int:
    return bench.target.do(process.broadcast, GROUP, "ws.send", payload)


def test_a_broadcast_encodes_its_frame_once() -> None:
    """A broadcast encodes its frame once."""
    with relaying() as bench, room(bench, 20) as clients:
        Counted.encodings = 0

        assert broadcast(bench, Counted("hello")) == 20

        assert [client.recv() for client in clients] == ["hello"] * 20
        assert Counted.encodings == 1


def test_it_is_written_by_the_broadcaster_without_a_turn_of_the_hub() -> None:
    """no send to it ever blocks another process, the supervisor, or the delivery to others"""
    with relaying() as bench, room(bench, 20) as clients:
        connections = bench.connections()
        written: list[int] = []

        def send() -> None:
            before = [each.socket.bytes_out for each in connections]
            process.broadcast(GROUP, "ws.send", "hello")
            after = [each.socket.bytes_out for each in connections]
            written.extend(b - a for a, b in zip(before, after, strict=True))

        bench.target.do(send)

        assert written == [len("hello") + 2] * 20
        assert [client.recv() for client in clients] == ["hello"] * 20


def test_a_payload_that_is_sent_again_changed_is_encoded_again() -> None:
    with relaying() as bench, room(bench, 2) as clients:
        payload: dict[str, Any] = {"type": "json", "data": [1]}
        broadcast(bench, payload)
        payload["data"].append(2)
        broadcast(bench, payload)

        for client in clients:
            assert (client.recv_json(), client.recv_json()) == ([1], [1, 2])


def test_nothing_of_a_broadcast_is_kept() -> None:
    with relaying() as bench, room(bench, 2) as clients:
        kept: list[ref[Weak]] = []

        def send() -> None:
            payload = Weak({"type": "text", "data": "hello"})
            kept.append(ref(payload))
            process.broadcast(GROUP, "ws.send", payload)

        bench.target.do(send)

        assert [client.recv() for client in clients] == ["hello"] * 2
        wait_for(lambda: kept[0]() is None)


def test_a_bad_payload_is_the_senders_error_and_closes_nobody() -> None:
    """A bad payload is an error at the sender …; the connection lives on."""
    with relaying() as bench, room(bench, 3) as clients:
        with pytest.raises(TypeError):
            broadcast(bench, {"type": "text", "data": b"bytes"})

        assert broadcast(bench, "still here") == 3
        assert [client.recv() for client in clients] == ["still here"] * 3


def test_clients_that_reset_in_the_middle_of_a_broadcast_disturb_nobody() -> None:
    """TCP lost: 1006 seen; abnormal"""
    with relaying() as bench, room(bench, 30) as clients:
        resetting, staying = clients[::3], [c for n, c in enumerate(clients) if n % 3]
        for client in resetting:
            reset(client)

        # Some are known to be gone, some fail at the write; the hub has had no turn since.
        broadcast(bench, "hello")

        assert [client.recv() for client in staying] == ["hello"] * 20
        leaves = [assert_receive(bench.target, topic="ws.leave").payload for _ in resetting]
        assert {(each["code"], each["clean"]) for each in leaves} == {(1006, False)}
        assert broadcast(bench, "again") == 20
        assert [client.recv() for client in staying] == ["again"] * 20


def reset(client: WebSocketClient) -> None:
    client.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.drop()


def test_a_member_that_does_not_read_costs_the_others_nothing() -> None:
    """A client that does not read costs its own queue and nothing else"""
    with relaying(queue_bytes="250kB") as bench, room(bench, 3) as clients:
        stalled, *others = clients
        big = "x" * 100_000
        reading = [gevent.spawn(read_all, client) for client in others]

        stalling, *keeping_up = bench.connections()
        count = 0
        while broadcast(bench, big) == 3:
            count += 1
            assert count < 1000
            wait_for(lambda: not any(each.depth() for each in keeping_up))
        assert not stalling.is_open
        broadcast(bench, "end")

        assert [each.get(timeout=30) for each in reading] == [count + 1, count + 1]
        assert stalled.wait_closed() == (4008, "slow")


def read_all(client: WebSocketClient) -> int:
    count = 0
    while (message := client.recv()) != "end":
        assert message is not None, f"closed with {client.close_code}"
        count += 1
    return count


def test_a_broadcast_goes_uncompressed_and_what_is_sent_to_one_does_not() -> None:
    """``wsrelay.compression``; a shared frame is legal only uncompressed"""
    text = "compress me " * 100
    with relaying(compression="on") as bench, ExitStack() as stack:
        socks = [stack.enter_context(compressing(bench)) for _ in range(3)]
        pids = [bench.joined() for _ in socks]
        for pid in pids:
            bench.target.do(process.join, GROUP, pid)

        broadcast(bench, text)
        bench.target.do(process.send, pids[-1], "ws.send", text)

        # The first receiver cannot know yet that it is one of many.
        plain = b"\x81\x7e" + len(text).to_bytes(2) + text.encode()
        for sock in socks[1:]:
            assert read(sock, len(plain)) == plain
        assert read(socks[-1], 1) == b"\xc1"


@contextmanager
def compressing(bench: Bench) -> Iterator[Any]:
    host, _, port = bench.address.rpartition(":")
    fields = {**UPGRADE, "Host": bench.address, "Sec-WebSocket-Extensions": "permessage-deflate"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    with socket.create_connection((host, int(port)), timeout=30) as sock:
        sock.sendall(f"GET /ws HTTP/1.1\r\n{lines}\r\n".encode())
        # Nothing follows it before the test sends something.
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(4096)
        assert b"permessage-deflate" in head
        yield sock


def read(sock: Any, count: int) -> bytes:
    found = b""
    while len(found) < count:
        found += sock.recv(count - len(found))
    return found
