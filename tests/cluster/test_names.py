from __future__ import annotations

import pytest

import greenrelay as gr
from tests.cluster.joined import Joined, counts, mesh_of, wire_of
from tests.probe import Probe, assert_event, assert_receive, wait_for


def register(probe: Probe, name: str = "leader") -> None:
    probe.do(gr.register, name, scope="cluster")


def test_a_name_of_the_cluster_serves_on_every_node(here: Probe, there: Probe) -> None:
    """register(name, scope="cluster")"""
    register(there)

    assert here.do(gr.lookup, "leader") == there.pid
    here.do(gr.send, "leader", "hello")
    assert_receive(there, topic="hello")


def test_a_name_has_one_owner(here: Probe, there: Probe) -> None:
    """at most one live owner"""
    register(there)

    with pytest.raises(gr.NameTaken) as raised:
        register(here)
    assert raised.value.owner == there.pid
    # As on one node: who owns it can be asked by its attributes.
    assert isinstance(raised.value.owner, gr.Pid)


def test_registering_again_changes_nothing(here: Probe) -> None:
    register(here)

    register(here)

    assert here.do(gr.whereis, "leader") == here.pid


def test_another_process_of_the_node_can_be_named(joined: Joined, here: Probe) -> None:
    other = joined.probe(here.node)

    here.do(gr.register, "leader", other.pid, scope="cluster")

    assert here.do(gr.whereis, "leader") == other.pid


def test_a_name_goes_with_its_process(here: Probe, there: Probe) -> None:
    """a name goes with its process"""
    register(there)
    here.do(gr.monitor, there.pid)

    there.close()

    assert_event(here, kind="EXIT", pid=there.pid)
    wait_for(lambda: here.do(gr.whereis, "leader") is None)
    register(here)


def test_on_its_node_a_name_is_free_at_once(joined: Joined, there: Probe) -> None:
    """a watcher that got EXIT finds the name free"""
    register(there)
    next_one = joined.probe(there.node)
    next_one.do(gr.monitor, there.pid)

    there.close()
    assert_event(next_one, kind="EXIT", pid=there.pid)

    register(next_one)
    assert next_one.do(gr.whereis, "leader") == next_one.pid


def test_a_name_on_its_way_back_is_waited_for(joined: Joined, two: gr.Node, there: Probe) -> None:
    """a watcher that got EXIT finds the name free"""
    register(there)
    gate = wire_of(two).may_release
    gate.clear()
    there.close()

    def take() -> gr.Pid | None:
        gr.register("leader", scope="cluster")
        return gr.whereis("leader")

    pid = two.spawn(take)
    joined.settle()
    is_waiting = pid in two.processes
    next_one = joined.probe(two)
    next_one.do(gr.monitor, pid)
    gate.set()

    assert is_waiting
    assert assert_event(next_one, kind="EXIT", pid=pid).result.value == pid


def test_only_its_owner_gives_a_name_back(here: Probe, there: Probe) -> None:
    """only its owner releases it"""
    register(there)

    with pytest.raises(gr.NotOwner):
        here.do(gr.unregister, "leader")
    there.do(gr.unregister, "leader")

    assert here.do(gr.whereis, "leader") is None
    with pytest.raises(gr.UnknownName):
        there.do(gr.unregister, "leader")


def test_a_local_name_is_found_first(here: Probe, there: Probe) -> None:
    register(there, "both")

    here.do(gr.register, "both")

    assert here.do(gr.whereis, "both") == here.pid
    assert there.do(gr.whereis, "both") == there.pid


def test_a_local_name_is_not_seen_elsewhere(here: Probe, there: Probe) -> None:
    there.do(gr.register, "mine")

    assert here.do(gr.whereis, "mine") is None


def test_info_shows_the_names_of_the_cluster(here: Probe) -> None:
    register(here)
    here.do(gr.register, "mine")

    info = here.do(gr.info, here.pid)

    assert info is not None
    assert info.names == ("mine", "leader")


def test_a_scope_that_is_none_is_refused(here: Probe) -> None:
    with pytest.raises(ValueError, match="must be 'local' or 'cluster'"):
        here.do(gr.register, "leader", scope="world")


@pytest.mark.parametrize("name", ["", "{a@b|1}", "@x", 7])
def test_what_is_no_name_is_refused(here: Probe, name: str) -> None:
    with pytest.raises(ValueError, match="must be text"):
        register(here, name)


def test_without_a_cluster_there_are_no_such_names() -> None:
    with gr.Node() as node, Probe(node) as probe, pytest.raises(ValueError, match="no cluster"):
        register(probe)


def test_names_of_a_node_that_is_gone_are_free(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    register(there)

    joined.crash(two)
    wait_for(lambda: here.do(gr.whereis, "leader") is None)

    register(here)


def test_an_owner_that_loses_its_name_is_told(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    """an owner that loses its lease is told, and lets go before the lease ends"""
    register(there)

    joined.bus.cut(two.id)
    message = assert_receive(there, topic="@name.lost")

    assert message.payload == {"name": "leader"}
    assert two.owner("leader") is None
    assert counts(two)["name_lost"] == 1
    wait_for(lambda: here.do(gr.whereis, "leader") is None)
    register(here)


def test_news_of_a_former_owner_takes_no_name_away(
    joined: Joined, two: gr.Node, there: Probe
) -> None:
    register(there)

    mesh_of(two).names.on_owner("leader", None)
    joined.settle()

    assert there.do(gr.whereis, "leader") == there.pid
    assert "name_lost" not in counts(two)


def test_who_is_where_is_not_asked_of_an_engine_that_is_away(
    joined: Joined, one: gr.Node, here: Probe, there: Probe
) -> None:
    register(there)
    wait_for(lambda: here.do(gr.whereis, "leader") == there.pid)
    mesh_of(one).on_engine(False)
    # An engine that is away would let who asks wait.
    wire_of(one).stop()

    assert here.do(gr.whereis, "leader") == there.pid
    assert here.do(gr.whereis, "nobody") is None
    assert wire_of(one).looked_up == []


def test_names_are_given_back_when_the_node_shuts_down(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    register(there)
    there.close()

    two.shutdown(1.0)
    joined.nodes.remove(two)

    assert wire_of(here.node).lookup("leader") is None


def test_nothing_is_left_of_a_name(two: gr.Node, there: Probe) -> None:
    register(there)

    there.close()

    wait_for(lambda: not len(mesh_of(two).names) and not mesh_of(two).names._leaving)
