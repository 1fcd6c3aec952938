"""What a node does while it connects, and what becomes of it when that fails."""

from __future__ import annotations

from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event as Flag

import greenrelay as gr
from greenrelay.cluster.engine import Member, Sink
from greenrelay.cluster.local import Bus
from greenrelay.cluster.mesh import Mesh
from greenrelay.errors import EngineError
from greenrelay.runtime.node import open_nodes
from tests.cluster.joined import Joined, Wire, mesh_of
from tests.probe import Probe, assert_event, wait_for


class Slow(Wire):
    """An engine that the others see before it has started, as with servers that elect a leader."""

    def __init__(self, bus: Bus) -> None:
        super().__init__(bus)
        self.may_begin, self.may_end = Flag(), Flag()
        self.why = ""

    def start(self, me: Member, sink: Sink) -> None:
        self.may_begin.wait()
        super().start(me, sink)
        self.may_end.wait()
        if self.why:
            super().stop()
            raise EngineError("slow", self.why)


class Starting:
    """A node that connects for as long as a test likes."""

    def __init__(self, joined: Joined) -> None:
        self.node = joined.alone("starting")
        self.probe = joined.probe(self.node)
        self.engine = Slow(joined.bus)
        self.errors: list[EngineError] = []
        self.greenlet = gevent.spawn(self._join)
        wait_for(lambda: self.node.cluster is not None)

    def _join(self) -> None:
        try:
            self.node.join_cluster(self.engine)
        except EngineError as error:
            self.errors.append(error)

    def begin(self, other: gr.Node) -> None:
        """Be seen by another node."""
        self.engine.may_begin.set()
        wait_for(lambda: self.node.id in mesh_of(other).links)
        wait_for(lambda: mesh_of(other).links[self.node.id].session.is_open)

    def end(self, why: str = "") -> None:
        """Be connected, or not."""
        self.engine.why = why
        self.engine.may_begin.set()
        self.engine.may_end.set()
        self.greenlet.join()


@pytest.fixture
def starting(joined: Joined, one: gr.Node) -> Iterator[Starting]:
    starting = Starting(joined)
    yield starting
    starting.end()


@pytest.fixture
def here(joined: Joined, one: gr.Node) -> Probe:
    """A process of a node that is connected."""
    return joined.probe(one)


def test_what_ends_while_its_node_connects_is_told(
    here: Probe, one: gr.Node, starting: Starting
) -> None:
    """exactly one EXIT … per monitor, LINK_DOWN per link"""
    starting.begin(one)
    pid = starting.node.spawn(lambda: gr.receive("end"))
    here.do(gr.monitor, pid)
    here.do(gr.link, pid)
    wait_for(lambda: starting.node.topology.concerns(pid))

    starting.node.terminate(pid, "boom")

    assert assert_event(here, kind="EXIT", pid=pid).result.reason == "boom"
    assert assert_event(here, kind="LINK_DOWN", pid=pid).result.reason == "boom"


def test_a_node_that_connects_can_be_asked_everything(one: gr.Node, starting: Starting) -> None:
    probe = starting.probe

    with pytest.raises(EngineError):
        probe.do(gr.register, "leader", scope="cluster")
    with pytest.raises(gr.ProcessDown, match="noconnection"):
        probe.do(gr.spawn, "app:entry", node=one.id)
    probe.do(gr.join, "room")

    assert starting.node.names.owner("leader") is None
    assert probe.do(gr.whereis, "leader") is None
    assert probe.do(gr.nodes) == ()
    assert probe.do(gr.members, "room") == (probe.pid,)
    assert probe.do(gr.broadcast, "room", "hello") == 1


def test_what_was_refused_while_a_node_connects_is_there_afterwards(
    here: Probe, one: gr.Node, starting: Starting
) -> None:
    starting.probe.do(gr.join, "room")
    starting.end()

    starting.probe.do(gr.register, "leader", scope="cluster")

    wait_for(lambda: here.do(gr.whereis, "leader") == starting.probe.pid)
    wait_for(lambda: here.do(gr.members, "room") == (starting.probe.pid,))


def test_a_start_that_fails_leaves_the_node_as_it_was(
    joined: Joined, here: Probe, one: gr.Node, starting: Starting
) -> None:
    starting.begin(one)
    probe = starting.probe
    wait_for(lambda: probe.do(gr.nodes) == (one.id,))
    mesh = mesh_of(starting.node)
    probe.do(gr.monitor, here.pid)

    starting.end("there is no leader")

    assert [error.why for error in starting.errors] == ["there is no leader"]
    assert starting.node.cluster is None
    assert starting.node.topology.observer is None
    assert starting.node.groups.observer is None
    assert mesh.links == {}
    assert assert_event(probe, kind="EXIT", pid=here.pid).result.reason == "noconnection"
    wait_for(lambda: not mesh.is_armed)
    assert probe.do(gr.nodes) == ()
    starting.node.join_cluster(Wire(joined.bus))
    joined.see_each_other()
    probe.do(gr.register, "leader", scope="cluster")


def test_a_node_that_is_shut_down_as_it_connects_stays_out(
    joined: Joined, one: gr.Node, starting: Starting
) -> None:
    joined.probes.remove(starting.probe)
    starting.probe.close()
    starting.node.shutdown(1.0)

    starting.end()

    assert [error.why for error in starting.errors] == [
        f"node {starting.node.id} was shut down as it connected"
    ]
    assert joined.bus.engines.keys() == {one.id}


class Refusing(Wire):
    """An engine that cannot be reached; it keeps the node that has tried."""

    def start(self, me: Member, sink: Sink) -> None:
        assert isinstance(sink, Mesh)
        self.node = sink.node
        raise EngineError("refusing", "there is nobody")


def test_a_node_that_cannot_be_in_its_cluster_is_none(joined: Joined) -> None:
    engine = Refusing(joined.bus)

    with pytest.raises(EngineError, match="there is nobody"):
        gr.Node("gone", cluster=engine)

    assert engine.node not in open_nodes
    assert engine.node.cluster is None
    # Whoever means the only node there is does not mean that one.
    with pytest.raises(gr.NotInProcess, match="there is no node yet"):
        gr.nodes()
    only = joined.alone("only")
    assert joined.probe(only).do(gr.pid).node == only.id
    assert gr.nodes() == ()


def test_a_node_of_an_address_that_is_none_is_none() -> None:
    with pytest.raises(EngineError):
        gr.Node("gone", cluster="nothing://nowhere")

    assert not open_nodes
