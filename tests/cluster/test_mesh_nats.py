"""The same over a real server: what the engine does not do is tested over the bus."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

import greenrelay as gr
from greenrelay.cluster.server import DevelopmentServer
from tests.cluster.joined import mesh_of
from tests.probe import Probe, assert_event, assert_receive, wait_for

Start = Callable[[str, int], gr.Node]
PROGRAM = """
import sys
import gevent
import greenrelay as gr

def answer():
    for message in gr.inbox():
        gr.reply(message, message.payload)

node = gr.Node("far", cluster=sys.argv[1], app=sys.argv[2])
print(node.spawn(answer), flush=True)
gevent.sleep(60)
"""


@pytest.fixture
def start(nats_server: DevelopmentServer, app: str) -> Iterator[Start]:
    """Start a node in the application of this test, which sees a number of others then."""
    nodes: list[gr.Node] = []

    def start(name: str, others: int) -> gr.Node:
        node = gr.Node(name, cluster=nats_server.url, app=app)
        nodes.append(node)
        wait_for(lambda: are_open(node, others))
        return node

    yield start
    for node in nodes:
        node.shutdown(1.0)


def are_open(node: gr.Node, number: int) -> bool:
    links = mesh_of(node).links.values()
    return len(links) == number and all(link.session.is_open for link in links)


@pytest.fixture
def far(start: Start, nats_server: DevelopmentServer, app: str) -> Iterator[tuple[gr.Pid, int]]:
    """A process of another OS process, and the number of that."""
    arguments = [sys.executable, "-c", PROGRAM, nats_server.url, app]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        yield gr.Pid.parse(program.stdout.readline().strip()), program.pid
        program.kill()


def test_processes_of_two_nodes_talk(start: Start) -> None:
    one, two = start("one", 0), start("two", 1)
    with Probe(one) as here, Probe(two) as there:
        here.do(gr.monitor, there.pid)
        here.do(gr.send, there.pid, "hello", {"n": 1})

        assert assert_receive(there, topic="hello").payload == {"n": 1}
        there.close()
        assert assert_event(here, kind="EXIT", pid=there.pid).result.reason == "normal"


def test_names_and_groups_are_those_of_all_nodes(start: Start) -> None:
    one, two = start("one", 0), start("two", 1)
    with Probe(one) as here, Probe(two) as there:
        there.do(gr.register, "leader", scope="cluster")
        there.do(gr.join, "room")

        with pytest.raises(gr.NameTaken):
            here.do(gr.register, "leader", scope="cluster")
        assert here.do(gr.lookup, "leader") == there.pid
        wait_for(lambda: here.do(gr.members, "room") == (there.pid,))
        assert here.do(gr.broadcast, "room", "hello") == 1
        assert_receive(there, topic="hello")

        there.close()
        wait_for(lambda: here.do(gr.whereis, "leader") is None)


def test_a_killed_program_ends_each_relation_once(start: Start, far: tuple[gr.Pid, int]) -> None:
    """a killed node … exactly one EXIT noconnection per monitor, LINK_DOWN per link"""
    pid, number = far
    one = start("one", 1)
    with Probe(one) as here:
        assert here.do(gr.call, pid, "ask", [1, 2]) == [1, 2]
        refs = {here.do(gr.monitor, pid) for _ in range(100)}
        here.do(gr.link, pid)
        here.do(gr.call, pid, "ask")

        os.kill(number, signal.SIGKILL)

        wait_for(lambda: len(here.items) == 101)
        events = list(here.items)
        assert {event.ref for event in events if isinstance(event, gr.Exit)} == refs
        assert all(
            isinstance(event, (gr.Exit, gr.LinkDown)) and event.result.reason == "noconnection"
            for event in events
        )
        here.items.clear()
        here.do(gr.monitor, pid)
        assert assert_event(here, kind="EXIT").result.reason == "noconnection"


def test_a_node_that_cannot_connect_says_so() -> None:
    with pytest.raises(gr.EngineError):
        gr.Node("alone", cluster="nats://127.0.0.1:1", app="x")
