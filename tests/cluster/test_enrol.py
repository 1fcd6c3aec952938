"""Groups and names of processes of another node. Source: Cluster: "Every function of process.md
works on a remote PID".
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

import greenrelay as gr
from greenrelay.cluster.wire import Kind, dump
from tests.cluster.joined import Joined, counts, mesh_of, wire_of
from tests.probe import Probe, assert_event, assert_nothing, assert_receive, wait_for

ROOM = "room 1"


def test_a_process_of_another_node_joins_a_group(joined: Joined, here: Probe, there: Probe) -> None:
    here.do(gr.join, ROOM, there.pid)

    assert here.do(gr.members, ROOM) == (there.pid,)
    assert there.do(gr.members, ROOM) == (there.pid,)
    assert here.do(gr.broadcast, ROOM, "hello") == 1
    assert assert_receive(there, topic="hello").sender == here.pid
    there.close()
    joined.settle()
    assert here.do(gr.members, ROOM) == ()


def test_who_has_joined_by_another_can_leave(joined: Joined, here: Probe, there: Probe) -> None:
    """join twice, leave twice"""
    here.do(gr.join, ROOM, there.pid)
    there.do(gr.join, ROOM)

    there.do(gr.leave, ROOM)
    joined.settle()
    assert here.do(gr.members, ROOM) == (there.pid,)

    there.do(gr.leave, ROOM)
    joined.settle()
    assert here.do(gr.members, ROOM) == ()


def test_what_is_broadcast_right_after_arrives(here: Probe, there: Probe) -> None:
    def join_and_tell() -> None:
        for number in range(50):
            gr.join(f"group {number}", there.pid)
            assert gr.broadcast(f"group {number}", "number", number) == 1

    here.do(join_and_tell)

    assert [assert_receive(there, topic="number").payload for _ in range(50)] == list(range(50))


def test_a_process_of_another_node_is_given_a_name_of_the_cluster(
    joined: Joined, here: Probe, there: Probe
) -> None:
    here.do(gr.register, "leader", there.pid, scope="cluster")

    assert there.do(gr.whereis, "leader") == there.pid
    wait_for(lambda: here.do(gr.whereis, "leader") == there.pid)
    here.do(gr.send, "leader", "hello")
    assert_receive(there, topic="hello")
    seen = here.do(gr.info, there.pid)
    assert seen is not None
    assert seen.names == ("leader",)
    there.do(gr.unregister, "leader")
    joined.settle()
    assert here.do(gr.whereis, "leader") is None


def test_a_name_that_is_taken_is_refused_with_its_owner(here: Probe, there: Probe) -> None:
    here.do(gr.register, "leader", scope="cluster")

    with pytest.raises(gr.NameTaken) as caught:
        here.do(gr.register, "leader", there.pid, scope="cluster")

    assert caught.value.owner == here.pid


@pytest.mark.parametrize("call", [gr.join, gr.register])
def test_what_is_of_one_node_only_is_refused(
    here: Probe, there: Probe, call: Callable[..., None]
) -> None:
    with pytest.raises(ValueError, match=r"is of another node, .*: use scope=.cluster."):
        here.do(call, "x", there.pid, scope="local")

    assert there.do(gr.members, "x") == ()
    assert there.do(gr.whereis, "x") is None


@pytest.mark.parametrize("name", ["", "\ud800"])
def test_a_name_that_is_none_is_refused_before_anything_is_sent(
    here: Probe, there: Probe, name: str
) -> None:
    sent = wire_of(here.node).sent

    with pytest.raises(ValueError, match="it must be text"):
        here.do(gr.join, name, there.pid)

    assert wire_of(here.node).sent == sent


@pytest.mark.parametrize("call", [gr.join, gr.register])
def test_one_that_has_ended_is_down(
    joined: Joined, here: Probe, there: Probe, call: Callable[..., None]
) -> None:
    other = joined.probe(there.node)
    other.close()

    with pytest.raises(gr.ProcessDown, match="noproc"):
        here.do(call, "x", other.pid, scope="cluster")


@pytest.mark.parametrize("call", [gr.join, gr.register])
def test_one_whose_node_is_lost_is_down(
    joined: Joined, here: Probe, there: Probe, call: Callable[..., None]
) -> None:
    here.do(gr.monitor, there.pid)
    joined.crash(there.node)
    assert_event(here, kind="EXIT", pid=there.pid)

    with pytest.raises(gr.ProcessDown, match="noconnection"):
        here.do(call, "x", there.pid, scope="cluster")


def test_without_a_cluster_it_is_nobody(node: gr.Node, probe: Probe) -> None:
    with pytest.raises(gr.ProcessDown, match="noproc"):
        probe.do(gr.join, ROOM, gr.Pid.parse("{elsewhere@processes|1}"))


def test_a_node_that_asks_for_what_is_none_is_answered_so(
    joined: Joined, here: Probe, there: Probe
) -> None:
    """unknown versions and kinds are counted and dropped"""
    link = mesh_of(here.node).links[there.node.id]

    link.post(Kind.ENROL, to=str(there.pid), topic=ROOM, ref=10**6, payload=dump("dance"))
    link.post(Kind.ENROL, to="nobody", topic=ROOM, ref=10**6, payload=dump("join"))
    link.post(Kind.ENROL, to=str(there.pid), topic="", ref=10**6, payload=dump("join"))
    joined.settle()

    assert there.do(gr.groups) == ()
    assert_nothing(here)
    assert counts(there.node) == {"bad_frame": 1}
