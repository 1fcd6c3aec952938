"""What a hole ends, and what it must not: relations of before, and those made right after it."""

from __future__ import annotations

import pytest

import greenrelay as gr
from greenrelay.cluster import grouping
from greenrelay.cluster.link import Link
from greenrelay.cluster.wire import VERSION, Frame, Kind, encode, read_frame
from tests.cluster.joined import Joined, counts, mesh_of, wire_of
from tests.probe import (
    Probe,
    assert_event,
    assert_nothing,
    assert_receive,
    end,
    wait_for,
    wait_for_ever,
)


@pytest.fixture
def link(one: gr.Node, two: gr.Node) -> Link:
    """What the second node knows of the first."""
    return mesh_of(two).links[one.id]


def begin_anew(link: Link) -> int:
    """Let a hole show on a link, as the other side would; return its new epoch."""
    epoch = int(link.session.remote) + 1
    link.on_frame(encode((VERSION, Kind.HELLO, epoch, 0, "", "", "", link.session.epoch, 1)))
    return epoch


def test_a_monitor_and_a_link_made_right_after_a_hole_outlive_it_on_a_busy_node(
    joined: Joined, here: Probe, there: Probe, link: Link
) -> None:
    """exactly one EXIT noconnection per monitor, LINK_DOWN per link"""
    here.do(gr.monitor, there.pid)
    here.do(gr.link, there.pid)
    joined.settle()
    to, sender = str(there.pid), str(here.pid)

    # All of it comes before the node's processes, or its supervisor, have their turn.
    epoch = begin_anew(link)
    link.on_frame(encode((VERSION, Kind.MONITOR, epoch, 1, to, sender, "", 77)))
    link.on_frame(encode((VERSION, Kind.LINK, epoch, 2, to, sender, "", link.session.epoch)))
    joined.settle()

    topology = there.node.topology
    assert topology.watchers(there.pid) == topology.links(there.pid) == (here.pid,)
    assert assert_event(there, kind="LINK_DOWN").result.reason == "noconnection"
    assert_nothing(there)


def test_a_hole_is_heard_of_before_what_comes_after_it(
    joined: Joined, here: Probe, there: Probe, link: Link
) -> None:
    """a hole always shows as noconnection on that pair's links and monitors"""
    there.do(gr.monitor, here.pid)
    joined.settle()

    epoch = begin_anew(link)
    link.on_frame(encode((VERSION, Kind.MESSAGE, epoch, 1, str(there.pid), str(here.pid), "after")))
    joined.settle()

    first, second = there.items
    assert isinstance(first, gr.Exit)
    assert first.result.reason == "noconnection"
    assert isinstance(second, gr.Message)
    there.items.clear()


def test_a_monitor_made_after_a_hole_fires_with_the_real_reason(
    joined: Joined, two: gr.Node, here: Probe, there: Probe, link: Link
) -> None:
    """exactly one EXIT noconnection per monitor"""
    watcher = two.processes[there.pid]
    before = two.monitor(watcher, here.pid)
    joined.settle()

    link.session.reset()
    after = two.monitor(watcher, here.pid)
    joined.settle()
    joined.see_each_other()
    here.node.terminate(here.pid, "over")

    told = [assert_event(there, kind="EXIT") for _ in range(2)]
    assert [(event.ref, event.result.reason) for event in told] == [
        (before, "noconnection"),
        (after, "over"),
    ]


def test_too_much_news_in_the_midst_of_an_ending_ends_the_session_afterwards(
    joined: Joined, one: gr.Node, two: gr.Node, there: Probe
) -> None:
    """every queue is bounded; a hole always shows as noconnection"""
    watcher = one.spawn(wait_for_ever)
    there.do(gr.monitor, watcher)
    joined.settle()
    process = one.processes[watcher]
    for _ in range(9):
        one.monitor(process, there.pid)
    joined.settle()
    link = mesh_of(one).links[two.id]
    wire_of(one).is_full = True
    link.session.max_frames = 2

    # It takes back nine monitors, and the session has no room for so many.
    end(one, watcher)
    wire_of(one).is_full = False

    assert assert_event(there, kind="EXIT", timeout=5).result.reason == "noconnection"
    assert counts(one)["ring_overflow"] == 1
    assert not one.topology.concerns(there.pid)
    link.session.max_frames = 100
    one.send(there.pid, "after")
    assert_receive(there, topic="after")


def test_a_group_is_followed_after_a_hole_though_its_first_member_is_on_the_way(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """groups: local members at once, remote members within a beat"""
    there.do(gr.join, "room")
    joined.settle()
    assert here.do(gr.members, "room") == (there.pid,)
    there.do(gr.leave, "room")
    joined.settle()

    wire_of(two).hold()
    there.do(gr.join, "room")
    mesh_of(one).groups.announce_to(mesh_of(one).links[two.id])
    mesh_of(one).groups.announce_to(mesh_of(one).links[two.id])
    joined.settle()
    wire_of(two).let_go()
    joined.settle()
    second = joined.probe(two)
    second.do(gr.join, "room")

    wait_for(lambda: set(here.do(gr.members, "room")) == {there.pid, second.pid})
    assert "bad_frame" not in counts(one)


def test_a_hole_in_what_goes_out_cuts_off_no_answer_that_is_coming_in(
    monkeypatch: pytest.MonkeyPatch, joined: Joined, one: gr.Node, two: gr.Node, there: Probe
) -> None:
    """The other direction goes on as it was."""
    monkeypatch.setattr(grouping, "CHUNK_PIDS", 1)
    for each in (there, joined.probe(two)):
        each.do(gr.join, "room")
    joined.settle()
    watched = begin_watch(one, "room")
    mesh_of(two).links[one.id].session.reads_bundles = False
    link, wire = mesh_of(one).links[two.id], wire_of(two)
    wire.hold()
    mesh_of(one).groups.announce_to(link)
    joined.settle()

    for node, frame in wire.take():
        wire.send(node, frame)
        joined.settle()
        found = read_frame(frame)
        if isinstance(found, Frame) and (found.kind, found.ref) == (Kind.MEMBERS, 0):
            link.session.reset()
    joined.settle()

    wait_for(lambda: link.session.is_open)
    joined.settle()
    assert len(watched) == 1
    assert mesh_of(one).groups.members("room") == watched[0]


def begin_watch(node: gr.Node, group: str) -> list[object]:
    """Let a process watch a group; return a list of the first members and all changes since."""
    watched: list[object] = []

    def watch() -> None:
        members, channel = gr.watch(group)
        watched.append(members)
        for change in channel:
            watched.append(change)

    node.spawn(watch)
    wait_for(lambda: watched)
    return watched
