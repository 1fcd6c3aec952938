"""A client opened inside a process: who ends with whom, and who hears of it."""

from __future__ import annotations

from struct import unpack
from typing import Any

import pytest

from greenrelay import HostFull, Node, cancel, exit, info, link, process, receive, terminate
from greenrelay.client import Client, connect
from greenrelay.core.pid import Pid
from greenrelay.errors import ConnectionClosed, ConnectionRefused
from greenrelay.runtime.host import Host
from tests.client.upstream import CLOSE, Peer, echo, frame, running, silent, upstream
from tests.probe import Probe, assert_event, settle, wait_for


class Closings:
    """A script that echoes and records the close frames of its clients."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []

    def __call__(self, peer: Peer) -> None:
        peer.accept()
        for opcode, payload in peer.frames():
            if opcode == CLOSE:
                self.found.append((unpack("!H", payload[:2])[0], payload[2:].decode()))
            peer.write(frame(opcode, payload))
            if opcode == CLOSE:
                return


def opened_by(probe: Probe, url: str, **options: Any) -> tuple[Client, Pid]:
    client = probe.do(connect, url, **options)
    assert client.pid is not None
    return client, client.pid


def test_outside_a_process_a_client_is_none() -> None:
    with upstream(echo) as url, connect(url) as client:
        assert client.pid is None


def test_a_client_is_a_process_of_its_owners_node(probe: Probe) -> None:
    with upstream(echo) as url:
        client, pid = opened_by(probe, url)
        found = probe.do(info, pid)
        probe.do(client.close)

    assert found is not None
    assert found.entry == "websocket client"
    assert assert_event(probe, kind="EXIT", pid=pid).result.value == {
        "code": 1000,
        "reason": "",
        "clean": True,
    }


@pytest.mark.parametrize(
    "end",
    [lambda: None, lambda: exit("shutdown"), lambda: exit("broken"), lambda: 1 / 0],
    ids=["returns", "shuts down", "exits abnormally", "crashes"],
)
@pytest.mark.filterwarnings("ignore")
def test_a_client_closes_with_its_owner_however_that_ends(node: Node, end: Any) -> None:
    """Opened inside a process it is linked to it: it closes with its owner (1001)"""
    closings = Closings()

    def owner(url: str) -> None:
        connect(url)
        end()

    with upstream(closings) as url:
        node.spawn(owner, url)
        wait_for(lambda: closings.found)
        wait_for(lambda: not node.processes)

    assert closings.found == [(1001, "owner exited")]


def test_a_client_closes_with_an_owner_that_is_killed_while_it_receives(node: Node) -> None:
    closings = Closings()
    clients: list[Client] = []

    def owner(url: str) -> None:
        clients.append(connect(url))
        clients[0].receive()

    with upstream(closings) as url:
        pid = node.spawn(owner, url)
        wait_for(lambda: clients)
        node.terminate(pid)
        wait_for(lambda: closings.found)
        wait_for(lambda: not node.processes)

    assert closings.found == [(1001, "owner exited")]
    assert clients[0].code == 1001


def test_an_owner_that_is_killed_inside_with_does_not_wait(node: Node) -> None:
    clients: list[Client] = []

    def owner(url: str) -> None:
        with connect(url) as client:
            clients.append(client)
            client.receive()

    with running(silent) as server:
        pid = node.spawn(owner, server.url)
        wait_for(lambda: clients)
        node.terminate(pid)
        wait_for(lambda: pid not in node.processes)

        assert not clients[0].is_open
        server.stop()
        wait_for(lambda: not node.processes)


def test_an_owner_that_is_killed_while_it_connects_leaves_nothing(node: Node) -> None:
    with running(Peer.hang) as server:
        pid = node.spawn(connect, server.url)
        wait_for(lambda: server.count)
        node.terminate(pid)

        wait_for(lambda: not node.processes)


def test_the_owner_hears_of_a_lost_connection_and_lives(probe: Probe) -> None:
    """the owner gets an EXIT for it"""
    with running(silent) as server:
        client, pid = opened_by(probe, server.url)
        server.stop()

        event = assert_event(probe, kind="EXIT", pid=pid)

    assert event.result.error is not None
    assert event.result.error.type == "ConnectionClosed"
    assert event.result.reason == "connection closed by the server"
    with pytest.raises(ConnectionClosed):
        client.receive()


def test_a_linked_process_ends_with_a_lost_connection(node: Node, probe: Probe) -> None:
    def owner(url: str) -> None:
        link(str(connect(url).pid))
        while True:
            receive()

    with running(silent) as server:
        pid = probe.do(process.spawn_monitored, owner, server.url)
        wait_for(lambda: len(node.processes) == 3)
        server.stop()

        event = assert_event(probe, kind="EXIT", pid=pid)

    assert event.result.reason == "connection closed by the server"


def test_cancel_closes_with_1001(probe: Probe) -> None:
    closings = Closings()
    with upstream(closings) as url:
        _, pid = opened_by(probe, url)
        probe.do(cancel, pid, reason="enough")
        assert_event(probe, kind="EXIT", pid=pid)

    assert closings.found == [(1001, "enough")]


def test_terminate_cuts_tcp(probe: Probe) -> None:
    closings = Closings()
    with upstream(closings) as url:
        client, pid = opened_by(probe, url)
        probe.do(terminate, pid)
        event = assert_event(probe, kind="EXIT", pid=pid)

    assert event.result.reason == "killed"
    assert closings.found == []
    assert client.code == 1006


def test_a_client_takes_no_messages(probe: Probe) -> None:
    with upstream(echo) as url:
        client, pid = opened_by(probe, url)

        assert not probe.do(process.send, pid, "ws.send", "hello")
        probe.do(client.close)


def test_the_end_of_the_node_closes_its_clients() -> None:
    closings = Closings()
    with upstream(closings) as url:
        node = Node("client-test")
        clients = node.spawn(_hold, url)
        wait_for(lambda: len(node.processes) == 2 and clients)
        node.shutdown(1)

    assert closings.found[0][0] == 1001


def _hold(url: str) -> None:
    connect(url)
    receive()


def test_a_full_host_opens_no_client(node: Node) -> None:
    node.add_host(Host("small", max_processes=1), default=True)

    with upstream(echo) as url, pytest.raises(HostFull):
        node.run(connect, url)

    settle(node)
    assert not node.processes


def test_a_refused_connection_is_an_error_of_its_owner(node: Node) -> None:
    with pytest.raises(ConnectionRefused):
        node.run(connect, "ws://127.0.0.1:1/")
