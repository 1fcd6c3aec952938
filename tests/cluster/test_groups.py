from __future__ import annotations

import pytest
from msgspec import Raw

import greenrelay as gr
from greenrelay.cluster.grouping import FORGOTTEN_AFTER
from greenrelay.cluster.wire import Kind, encode
from greenrelay.proving.clock import VirtualClock
from tests.cluster.joined import Joined, counts, mesh_of, wire_of
from tests.probe import Probe, assert_nothing, assert_receive, wait_for, wait_for_ever

ROOM = "room 1"


@pytest.fixture
def there(joined: Joined, two: gr.Node) -> Probe:
    """A process of the second node, member of the room."""
    probe = joined.probe(two)
    probe.do(gr.join, ROOM)
    joined.settle()
    return probe


def changes(probe: Probe, number: int, group: str = ROOM) -> tuple[list[gr.Pid], list[object]]:
    """Return the members a watch begins with, and a list that its changes go to."""
    seen: list[object] = []
    begins: list[gr.Pid] = []

    def look() -> None:
        members, channel = gr.watch(group)
        begins.extend(members)
        seen.append("began")
        for _, change in zip(range(number), channel, strict=False):
            seen.append(change)

    probe.node.spawn(look)
    wait_for(lambda: seen)
    seen.clear()
    return begins, seen


def test_members_of_all_nodes_are_listed(here: Probe, there: Probe) -> None:
    """groups and broadcast are cluster-wide"""
    here.do(gr.join, ROOM)

    assert here.do(gr.members, ROOM) == (here.pid, there.pid)
    assert there.do(gr.members, ROOM) == (there.pid, here.pid)
    assert here.do(gr.groups) == (ROOM,)


def test_members_come_and_go(joined: Joined, here: Probe, there: Probe) -> None:
    """local members at once, remote members within a beat"""
    assert here.do(gr.members, ROOM) == (there.pid,)
    second = joined.probe(there.node)

    second.do(gr.join, ROOM)
    wait_for(lambda: here.do(gr.members, ROOM) == (there.pid, second.pid))
    there.do(gr.leave, ROOM)
    wait_for(lambda: here.do(gr.members, ROOM) == (second.pid,))
    second.close()

    wait_for(lambda: here.do(gr.members, ROOM) == ())
    assert here.do(gr.groups) == ()


def test_members_outside_a_process(one: gr.Node, there: Probe) -> None:
    assert one.cluster is not None
    assert one.cluster.groups.members(ROOM) == (there.pid,)


def test_the_scope_local_leaves_other_nodes_out(here: Probe, there: Probe) -> None:
    """unless scope="local" """
    here.do(gr.join, ROOM)

    assert here.do(gr.members, ROOM, scope="local") == (here.pid,)
    assert there.do(gr.groups, scope="local") == (ROOM,)
    assert here.do(gr.broadcast, ROOM, "hello", scope="local") == 1
    assert_receive(here, topic="hello")
    assert_nothing(there)


def test_a_member_by_the_scope_local_is_seen_by_no_other_node(here: Probe, there: Probe) -> None:
    here.do(gr.join, ROOM, scope="local")

    assert here.do(gr.members, ROOM) == (here.pid, there.pid)
    assert there.do(gr.members, ROOM) == (there.pid,)
    assert there.do(gr.broadcast, ROOM, "hello") == 1
    assert_nothing(here)


def test_a_member_by_both_scopes_is_seen(here: Probe, there: Probe) -> None:
    here.do(gr.join, ROOM, scope="local")
    here.do(gr.join, ROOM)
    here.do(gr.leave, ROOM)

    assert set(there.do(gr.members, ROOM)) == {there.pid, here.pid}


def test_a_scope_that_is_none_is_refused(here: Probe) -> None:
    for call in (
        lambda: gr.join(ROOM, scope="x"),
        lambda: gr.members(ROOM, scope="x"),
        lambda: gr.watch(ROOM, scope="x"),
        lambda: gr.groups(scope="x"),
        lambda: gr.broadcast(ROOM, "t", scope="x"),
    ):
        with pytest.raises(ValueError, match="must be 'local' or"):
            here.do(call)


# broadcast


def test_a_broadcast_reaches_members_on_all_nodes(here: Probe, there: Probe) -> None:
    here.do(gr.join, ROOM)

    assert here.do(gr.broadcast, ROOM, "hello", {"n": 1}) == 2

    assert assert_receive(here, topic="hello").sender == here.pid
    message = assert_receive(there, topic="hello")
    assert (message.payload, message.sender) == ({"n": 1}, here.pid)


def test_a_broadcast_crosses_once_per_node_with_members(
    joined: Joined, here: Probe, there: Probe
) -> None:
    """a broadcast crosses once per interested node"""
    others = [joined.probe(there.node) for _ in range(3)]
    for each in others:
        each.do(gr.join, ROOM)
    joined.add("three")
    joined.settle()
    wait_for(lambda: not any(len(link.session) for link in mesh_of(here.node).links.values()))
    counted = mesh_of(here.node).groups._there[ROOM]
    wait_for(lambda: counted == {there.node.id: 4})
    before = wire_of(here.node).sent

    count = here.do(gr.broadcast, ROOM, "hello")

    assert wire_of(here.node).sent == before + 1
    assert count == 4
    for each in (there, *others):
        assert_receive(each, topic="hello")


def test_a_broadcast_keeps_the_order_with_what_is_sent(here: Probe, there: Probe) -> None:
    def say() -> None:
        for number in range(100):
            if number % 2:
                gr.send(there.pid, "number", number)
            else:
                gr.broadcast(ROOM, "number", number)

    here.do(say)

    assert [assert_receive(there).payload for _ in range(100)] == list(range(100))


def test_a_broadcast_that_cannot_travel_reaches_nobody(here: Probe, there: Probe) -> None:
    here.do(gr.join, ROOM)

    with pytest.raises(gr.UnsendablePayload):
        here.do(gr.broadcast, ROOM, "odd", object())

    assert_nothing(here)


def test_members_that_are_full_are_counted_on_their_node(
    joined: Joined, here: Probe, there: Probe
) -> None:
    two = there.node
    two.hosts["processes"].inbox_limit = 0
    pid = two.spawn(wait_for_ever)
    there.do(gr.join, ROOM, pid)
    joined.settle()

    here.do(gr.broadcast, ROOM, "hello")

    wait_for(lambda: counts(two).get("inbox_full") == 1)
    two.terminate(pid)


def test_a_broadcast_from_outside_goes_to_other_nodes_too(
    joined: Joined, here: Probe, there: Probe
) -> None:
    mesh = mesh_of(here.node)

    assert mesh.groups.broadcast(ROOM, "hello", None, None, {}) == 1

    assert assert_receive(there, topic="hello").sender is None


# watch


def test_a_watch_begins_with_all_members_and_hears_of_changes(
    joined: Joined, here: Probe, there: Probe
) -> None:
    begins, seen = changes(here, 2)
    second = joined.probe(there.node)

    second.do(gr.join, ROOM)
    there.do(gr.leave, ROOM)

    wait_for(lambda: len(seen) == 2)
    assert begins == [there.pid]
    assert seen == [gr.Joined(ROOM, second.pid), gr.Left(ROOM, there.pid)]


def test_a_watch_of_an_empty_group_hears_of_the_first_member(
    joined: Joined, here: Probe, there: Probe
) -> None:
    begins, seen = changes(here, 2, "empty")

    there.do(gr.join, "empty")
    there.do(gr.leave, "empty")

    wait_for(lambda: len(seen) == 2)
    assert begins == []
    assert seen == [gr.Joined("empty", there.pid), gr.Left("empty", there.pid)]


def test_a_local_watch_hears_of_local_members_only(
    joined: Joined, here: Probe, there: Probe
) -> None:
    seen: list[object] = []

    def look() -> None:
        members, channel = gr.watch(ROOM, scope="local")
        seen.extend([members, channel.receive()])

    here.node.spawn(look)
    joined.settle()
    there.do(gr.leave, ROOM)
    joined.settle()
    here.do(gr.join, ROOM)

    wait_for(lambda: seen)
    assert seen == [(), gr.Joined(ROOM, here.pid)]


def test_a_watch_hears_that_members_of_a_dead_node_left(
    joined: Joined, here: Probe, there: Probe
) -> None:
    _, seen = changes(here, 1)

    joined.crash(there.node)

    wait_for(lambda: seen)
    assert seen == [gr.Left(ROOM, there.pid)]
    assert here.do(gr.groups) == ()


def test_a_member_is_in_what_a_watch_begins_with_or_comes_later_and_never_both(
    joined: Joined, here: Probe, there: Probe
) -> None:
    """the members of the group and a channel of Joined and Left from this moment on"""
    begins: list[tuple[gr.Pid, ...]] = []
    seen: list[object] = []

    def look() -> None:
        members, channel = gr.watch(ROOM)
        begins.append(members)
        seen.append(channel.receive())

    wire_of(there.node).hold()
    pid = here.node.spawn(look)
    # The other node's answer was waited for in vain, and comes as soon as the watch is there.
    wait_for(lambda: here.node.groups.is_watched(ROOM))
    wire_of(there.node).let_go()

    wait_for(lambda: pid not in here.node.processes)
    assert (begins, seen) == ([()], [gr.Joined(ROOM, there.pid)])


# state


def test_members_who_joined_before_the_node_came_are_known(joined: Joined, here: Probe) -> None:
    here.do(gr.join, ROOM)

    three = joined.probe(joined.add("three"))

    wait_for(lambda: three.do(gr.members, ROOM) == (here.pid,))


def test_after_a_hole_the_groups_are_right_again(joined: Joined, here: Probe, there: Probe) -> None:
    here.do(gr.members, ROOM)
    wire_of(there.node).lose(1000)
    second = joined.probe(there.node)
    second.do(gr.join, ROOM)
    there.do(gr.leave, ROOM)

    wire_of(there.node).copies = lambda frame: 1
    mesh_of(there.node).links[here.node.id].session.reset()

    wait_for(lambda: here.do(gr.members, ROOM) == (second.pid,))


def test_groups_that_nobody_asks_for_are_followed_no_more(
    joined: Joined, here: Probe, there: Probe
) -> None:
    """Cluster state grows with nodes, names and groups, never with sockets"""
    there_groups = mesh_of(there.node).groups
    assert ROOM not in there_groups._followers
    here.do(gr.members, ROOM)
    joined.settle()
    assert ROOM in there_groups._followers

    with VirtualClock(here.node) as clock:
        clock.advance(FORGOTTEN_AFTER + 1)
    wait_for(lambda: ROOM not in there_groups._followers)

    assert here.do(gr.members, ROOM) == (there.pid,)


def test_nothing_is_kept_for_a_group_that_was_followed_and_has_no_members(
    joined: Joined, here: Probe, there: Probe
) -> None:
    """Cluster state grows with nodes, names and groups, never with sockets"""
    here.do(gr.members, ROOM)
    joined.settle()
    there.do(gr.leave, ROOM)
    joined.settle()

    with VirtualClock(here.node) as clock:
        clock.advance(FORGOTTEN_AFTER + 1)

    wait_for(lambda: not mesh_of(there.node).groups._followers)
    assert not mesh_of(here.node).groups._views


@pytest.mark.parametrize("name", ["room \ud800", "x" * 16_385], ids=["surrogate", "long"])
def test_a_group_that_cannot_be_told_is_refused_and_does_no_harm(
    joined: Joined, here: Probe, there: Probe, name: str
) -> None:
    for function in (gr.join, gr.watch):
        with pytest.raises(ValueError, match=r"surrogate|16384 at most"):
            there.do(function, name)
    assert there.do(gr.members, name) == ()
    assert there.do(gr.broadcast, name, "hello") == 0
    here.do(gr.monitor, there.pid)

    there.close()

    assert assert_receive(here, kind="EXIT").result.reason == "normal"
    assert "failed" not in counts(here.node)
    three = joined.probe(joined.add("three"))
    assert three.do(gr.groups) == ()


def test_groups_of_a_bad_name_are_taken_from_nobody(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """Bad frames are counted, never raised in the reader."""
    link = mesh_of(two).links[one.id]

    for told in ({5: 1}, {"": 1}, {"x" * 16_385: 1}, {"good": 1, b"bad": 1}, {"good": -1}):
        link.post(Kind.INTEREST, payload=Raw(encode(told)))
    link.post(Kind.FOLLOW, topic="x" * 16_385)

    wait_for(lambda: counts(one).get("bad_frame") == 6)
    assert here.do(gr.groups) == (ROOM,)
    assert not mesh_of(one).groups._followers
    assert here.do(gr.broadcast, ROOM, "hello") == 1
    assert_receive(there, topic="hello")


def test_many_groups_and_members_fit(joined: Joined, here: Probe) -> None:
    for number in range(5000):
        here.do(gr.join, f"group {number} {'x' * 40}")
    pids = [here.node.spawn(wait_for_ever) for _ in range(4500)]
    for pid in pids:
        here.do(gr.join, "big", pid)

    three = joined.probe(joined.add("three"))

    wait_for(lambda: len(three.do(gr.groups)) == 5001)
    assert len(three.do(gr.members, "big")) == 4500
    assert three.do(gr.broadcast, "big", "x") == 4500
    for pid in pids:
        here.node.terminate(pid)
