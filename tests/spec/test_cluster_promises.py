"""The page "Cluster", sections "Promises" and "Rules", with nodes that are OS processes.

What becomes of them when one dies, freezes or is cut off, and when the engine does, is in
``tests/cluster/test_failures_*.py``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import warnings

import gevent
import gevent.os

import greenrelay as gr
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.runtime.host import Host
from tests.cluster.far import PATIENCE, Far
from tests.cluster.joined import counts, mesh_of
from tests.cluster.lab import Lab, far, here, is_registered, lab, meet, near
from tests.probe import Probe, assert_event, assert_receive, end, wait_for, wait_for_ever

__all__ = ["far", "here", "lab", "near"]

SOCKETS = 500


def test_messages_come_in_the_order_of_sending_broadcasts_among_them(
    near: gr.Node, far: Far, here: Probe
) -> None:
    """A to B in send order, local or remote"""
    far.do("collect", 2_000)
    there = gr.Pid.parse(far.told("collects"))
    far.do("join", "room", there)
    far.told("joined")
    wait_for(lambda: here.do(gr.members, "room") == (there,))

    def send() -> None:
        for number in range(0, 2_000, 2):
            gr.send(there, "number", number)
            gr.broadcast("room", "number", number + 1)

    here.do(send)

    assert far.told("collected") == "True"
    assert far.all_told("more") == []


def test_state_does_not_grow_with_sockets(near: gr.Node, far: Far, here: Probe) -> None:
    """Cluster state grows with nodes, names and groups, never with sockets: no cluster-wide row
    per socket.
    """
    mesh = mesh_of(near)
    assert isinstance(mesh.engine, NatsEngine)
    table = mesh.engine._names.keeper.table
    wait_for(lambda: len(table.leases) == 2)
    rows = dict(table._rows), set(table.leases)

    def be_a_socket() -> None:
        assert gr.call(far.pid, "ask", "hello", timeout=20) == "hello"
        gr.join("room")
        gr.receive("end")

    sockets = [near.spawn(be_a_socket) for _ in range(SOCKETS)]
    wait_for(lambda: len(near.groups.members("room")) == SOCKETS, PATIENCE)
    # What was told of the group comes before this.
    assert here.do(gr.call, far.pid, "ask", "told") == "told"
    far.do("tables")
    names, groups, remotes = (int(each) for each in far.told("tables").split())
    end(near, *sockets)

    assert (dict(table._rows), set(table.leases)) == rows
    # The group is one row there, whatever the number of its members.
    assert (names, groups, remotes) == (0, 1, 0)


def test_a_target_that_is_full_keeps_nothing_from_the_others(
    near: gr.Node, far: Far, here: Probe
) -> None:
    """The reader only decodes and appends; it never runs user code and never waits. Every queue is
    bounded; each drop or refusal is counted with its reason.
    """
    near.add_host(Host("slow", inbox_limit=1, overflow="block"))
    full = near.spawn(wait_for_ever, host="slow")
    got: list[object] = []
    collector = near.spawn(lambda: got.extend(gr.receive("number").payload for _ in range(100)))

    far.do("flood", full, 1_000_000, 50)
    far.do("flood", collector, 1_000_000, 100)

    wait_for(lambda: len(got) == 100, PATIENCE)
    assert got == list(range(100))
    wait_for(lambda: counts(near).get("inbox_full") == 49)
    end(near, full)


def test_a_node_that_stops_in_order_is_gone_at_once_with_its_names(
    lab: Lab, near: gr.Node, far: Far
) -> None:
    """exactly one EXIT noconnection per monitor"""
    leaving = lab.near("leaving")
    with Probe(leaving) as owner:
        wait_for(lambda: leaving.id in far.all_told("up"), PATIENCE)
        owner.do(gr.register, "leader", scope="cluster")
        far.do("watch", owner.pid)
        far.told("watches")
        # What comes afterwards shows that the monitor has come.
        far.do("flood", owner.pid, 1_000, 1)
        assert_receive(owner, topic="number", timeout=PATIENCE)
    leaving.shutdown(1.0)

    far.wait_for(f"down {leaving.id}")
    far.do("own", "leader")
    far.wait_for("owns leader")
    assert far.all_told("heard") == ["EXIT normal"]


def test_an_owner_that_was_taken_for_dead_is_told_and_others_get_the_name(
    lab: Lab, near: gr.Node, here: Probe
) -> None:
    """an owner that loses its lease is told, and lets go before the lease ends"""
    # With a lease that outlives this: the row of the name is still there when it is lost.
    url = lab.server.url
    far = lab.far("owner", url)
    meet(near, far.pid)
    far.do("own", "leader")
    far.wait_for("owns leader")
    wait_for(lambda: here.do(gr.whereis, "leader") is not None, PATIENCE)

    far.signal(signal.SIGSTOP)
    wait_for(lambda: far.pid.node not in mesh_of(near).links, PATIENCE)
    far.signal(signal.SIGCONT)

    far.wait_for("lost leader None")
    wait_for(lambda: is_registered(here, "leader"), PATIENCE)
    assert far.all_told("lost") == ["leader None"]


def test_a_forked_child_has_no_part_in_the_connection(near: gr.Node, far: Far, here: Probe) -> None:
    """Connect after the fork (post_worker_init), never in the master."""
    with warnings.catch_warnings():
        # Later Pythons warn that there are threads; this child does nothing that one could hold up.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        os._exit(0 if near.cluster is None else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    assert here.do(gr.call, far.pid, "ask", "there") == "there"
    ref = here.do(gr.monitor, far.pid)
    far.kill()
    assert assert_event(here, kind="EXIT", timeout=30).ref == ref


def test_a_forked_child_that_goes_on_takes_nothing_from_the_connection(
    near: gr.Node, far: Far, here: Probe
) -> None:
    """Connect after the fork (post_worker_init), never in the master."""
    reads, writes = os.pipe()
    os.set_blocking(reads, False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = gevent.os.fork()
    if not child:
        # Its hub runs, and with it whatever the parent had begun.
        gevent.sleep(1.0)
        os.write(writes, b"over")
        os._exit(0)

    def is_over() -> bool:
        assert here.do(gr.call, far.pid, "ask", "there") == "there"
        with contextlib.suppress(BlockingIOError):
            return os.read(reads, 4) == b"over"
        return False

    wait_for(is_over, PATIENCE)
    os.close(reads)
    os.close(writes)
    assert here.do(gr.nodes) == (far.pid.node,)
    # Nothing had to be sent once more.
    assert counts(near) == {}
