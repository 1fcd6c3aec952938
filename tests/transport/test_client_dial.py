"""Source: RFC 8305; WebSocket client, "open_timeout"."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest
from gevent import socket as gevent_socket
from gevent.event import Event as Flag

from greenrelay.client import connect
from greenrelay.errors import ConnectionRefused, Timeout
from greenrelay.transport import client_dial
from greenrelay.transport.client_dial import Found, in_turns
from tests.addresses import not_answering, two_addresses
from tests.client.upstream import echo, running

V4, V6 = gevent_socket.AF_INET, gevent_socket.AF_INET6


def found(family: object, host: str) -> Found:
    return (family, gevent_socket.SOCK_STREAM, 6, "", (host, 1))


def refusing() -> tuple[str, int]:
    """Return an address at which nobody listens."""
    with gevent_socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        where: tuple[str, int] = sock.getsockname()
        return where


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port
    return port


def test_families_take_turns() -> None:
    """RFC 8305, section 4: the first address families alternate"""
    six, seven = found(V6, "six"), found(V6, "seven")
    four, five, three = found(V4, "four"), found(V4, "five"), found(V4, "three")

    assert in_turns([six, seven, four, five, three]) == [six, four, seven, five, three]
    assert in_turns([four, five]) == [four, five]
    assert in_turns([four, six, seven]) == [four, six, seven]


@pytest.mark.parametrize("dead", [1, 3])
def test_addresses_where_nobody_answers_do_not_take_all_the_time(
    monkeypatch: pytest.MonkeyPatch, dead: int
) -> None:
    """``open_timeout`` is for all of it"""
    with running(echo) as server, ExitStack() as stack:
        gone = [stack.enter_context(not_answering()) for _ in range(dead)]
        port = port_of(server.url)
        name = stack.enter_context(two_addresses(monkeypatch, *gone, ("127.0.0.1", port)))

        with connect(f"ws://{name}:{port}/", open_timeout="60s") as client:
            client.send("hello")

            assert client.receive().data == "hello"


def test_an_address_that_refuses_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    with running(echo) as server:
        port = port_of(server.url)
        where = ("127.0.0.1", port)
        monkeypatch.setattr(client_dial, "HEAD_START", 3600)
        with (
            two_addresses(monkeypatch, refusing(), where) as name,
            connect(f"ws://{name}:{port}/") as client,
        ):
            client.send("hello")

            assert client.receive().data == "hello"


def test_a_name_all_of_whose_addresses_refuse_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        two_addresses(monkeypatch, refusing(), refusing()) as name,
        pytest.raises(ConnectionRefused, match=f"no connection to {name} port 80: .*refused"),
    ):
        connect(f"ws://{name}/")


def test_the_deadline_ends_all_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """open_timeout"""
    with (
        not_answering() as one,
        not_answering() as two,
        two_addresses(monkeypatch, one, two) as name,
        pytest.raises(Timeout, match=f"connecting to ws://{name}/: nothing came within 0.6 s"),
    ):
        connect(f"ws://{name}/", open_timeout="600ms")


def test_of_two_that_connect_at_once_one_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets: list[socket.socket] = []

    tries: list[Found] = []
    are_both_there = Flag()

    def connect_both(address: Found) -> socket.socket:
        tries.append(address)
        if len(tries) == 1:
            are_both_there.wait()
        are_both_there.set()
        # Nothing else runs meanwhile, so that both are there before one can be taken.
        sockets.append(socket.create_connection(address[-1]))
        return sockets[-1]

    monkeypatch.setattr(client_dial, "_connected", connect_both)
    monkeypatch.setattr(client_dial, "HEAD_START", 0)
    with running(echo) as server:
        port = port_of(server.url)
        where = ("127.0.0.1", port)
        with two_addresses(monkeypatch, where, where) as name, client_dial.dial(name, port) as sock:
            assert len(sockets) == 2
            assert [each for each in sockets if each.fileno() != -1] == [sock]
