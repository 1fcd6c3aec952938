"""Links that are made before both sides of a session know each other."""

from __future__ import annotations

import pytest

import greenrelay as gr
from greenrelay.cluster.session import NOT_KNOWN
from tests.cluster.joined import Joined, Wire, mesh_of, wire_of
from tests.probe import Probe, assert_event, wait_for, wait_for_ever

ENTRY = "app:child"


class Held:
    """A node that the others see, and of which nothing has arrived yet."""

    def __init__(self, joined: Joined) -> None:
        self.node = joined.alone("two")
        self.node.entries.declare(ENTRY, f"{__name__}:child")
        self.probe = joined.probe(self.node)
        self.wire = Wire(joined.bus)
        self.wire.hold()
        self.node.join_cluster(self.wire)


@pytest.fixture
def here(joined: Joined, one: gr.Node) -> Probe:
    """A process of the first node."""
    return joined.probe(one)


@pytest.fixture
def held(joined: Joined, one: gr.Node, here: Probe) -> Held:
    """The second node, whose HELLO is on its way to the first."""
    held = Held(joined)
    wait_for(lambda: held.node.id in mesh_of(one).links)
    assert mesh_of(one).links[held.node.id].their_epoch == NOT_KNOWN
    return held


def child() -> None:
    """Wait, whatever comes."""
    wait_for_ever()


def test_a_link_made_as_soon_as_a_node_is_there_holds_on_both_sides(
    joined: Joined, here: Probe, held: Held
) -> None:
    there = held.probe.pid
    here.do(gr.link, there)

    held.wire.let_go()
    wait_for(lambda: held.node.topology.links(there) == (here.pid,))
    held.node.terminate(there, "boom")

    assert assert_event(here, kind="LINK_DOWN", pid=there).result.reason == "boom"


def test_a_child_spawned_as_soon_as_a_node_is_there_is_linked_on_both_sides(
    joined: Joined, one: gr.Node, here: Probe, held: Held
) -> None:
    spawned: list[gr.Pid] = []

    def be_parent() -> None:
        spawned.append(gr.spawn(ENTRY, node=held.node.id, link=True))
        gr.receive("never")

    parent = one.spawn(be_parent)
    wait_for(lambda: mesh_of(one).links[held.node.id].calls)

    held.wire.let_go()
    wait_for(lambda: spawned)

    assert held.node.topology.links(spawned[0]) == (parent,)
    held.node.terminate(spawned[0], "boom")
    wait_for(lambda: parent not in one.processes)


def test_a_link_to_a_side_that_has_begun_anew_since_is_undone(
    joined: Joined, one: gr.Node, here: Probe, held: Held
) -> None:
    """a hole always shows as noconnection on that pair's links and monitors"""
    there = held.probe.pid
    here.do(gr.link, there)
    # What it has said so far is lost, and what it kept for the first node was too much.
    held.wire.hold()
    mesh_of(held.node).links[one.id].session.reset()

    held.wire.let_go()

    assert assert_event(here, kind="LINK_DOWN", pid=there).result.reason == "noconnection"
    joined.settle()
    assert held.node.topology.links(there) == ()
    assert one.topology.links(here.pid) == ()


def test_a_link_from_a_side_that_had_forgotten_the_other_holds_on_both_sides(
    joined: Joined, one: gr.Node, here: Probe
) -> None:
    two = joined.add("two")
    there = joined.probe(two)
    mesh, member = mesh_of(one), mesh_of(one).links[two.id].member
    wire_of(two).hold()

    mesh.on_node_down(member, "silent")
    mesh.on_node_up(member)
    assert mesh.links[two.id].their_epoch == NOT_KNOWN
    here.do(gr.link, there.pid)
    wire_of(two).let_go()

    wait_for(lambda: two.topology.links(there.pid) == (here.pid,))
    assert one.topology.links(here.pid) == (there.pid,)
