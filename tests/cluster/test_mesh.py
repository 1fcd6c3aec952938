from __future__ import annotations

import random

import pytest

import greenrelay as gr
from greenrelay.cluster.engine import Member
from greenrelay.cluster.mesh import CUT_OFF
from greenrelay.cluster.wire import VERSION, Kind, encode
from greenrelay.proving.clock import VirtualClock
from tests.cluster.joined import Joined, Wire, counts, mesh_of, wire_of
from tests.probe import Probe, assert_event, assert_nothing, assert_receive, wait, wait_for


def noconnections(probe: Probe, number: int) -> list[object]:
    """Return that many events, and see that no more come."""
    wait_for(lambda: len(probe.items) >= number)
    events, probe.items[:] = list(probe.items), []
    assert_nothing(probe)
    assert all(
        isinstance(event, (gr.Exit, gr.LinkDown)) and event.result.reason == "noconnection"
        for event in events
    ), events
    return list(events)


# nodes


def test_the_other_nodes_are_listed(one: gr.Node, two: gr.Node, here: Probe) -> None:
    assert here.do(gr.nodes) == (two.id,)


def test_a_node_without_a_cluster_has_no_others() -> None:
    with gr.Node() as node, Probe(node) as probe:
        assert probe.do(gr.nodes) == ()
        with pytest.raises(ValueError, match="in no cluster"):
            probe.do(gr.node_events)


def test_a_process_hears_of_nodes_that_come_and_go(joined: Joined, one: gr.Node) -> None:
    seen: list[object] = []

    def look() -> None:
        seen.extend(event for _, event in zip(range(2), gr.node_events(), strict=False))

    pid = one.spawn(look)
    joined.settle()
    two = joined.add("two")
    joined.crash(two)

    wait_for(lambda: pid not in one.processes)
    assert seen == [gr.NodeUp(two.id), gr.NodeDown(two.id, "disconnected")]


def test_a_closed_channel_of_nodes_gets_nothing(joined: Joined, one: gr.Node) -> None:
    def look() -> int:
        with gr.node_events() as events:
            assert len(mesh_of(one)._watchers) == 1
        return len(events)

    assert one.run(look) == 0
    assert mesh_of(one)._watchers == []


def test_a_channel_of_a_process_that_has_ended_is_forgotten(joined: Joined, one: gr.Node) -> None:
    one.run(gr.node_events)

    joined.add("two")

    assert mesh_of(one)._watchers == []


# failure


def test_a_node_that_is_gone_fires_each_monitor_and_link_once(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    """exactly one EXIT noconnection per monitor, LINK_DOWN per link"""
    refs = {here.do(gr.monitor, there.pid), here.do(gr.monitor, there.pid)}
    here.do(gr.link, there.pid)
    joined.settle()

    joined.crash(two)

    events = noconnections(here, 3)
    assert {event.ref for event in events if isinstance(event, gr.Exit)} == refs
    assert [type(event) for event in events].count(gr.LinkDown) == 1


def test_ten_thousand_monitors_fire_once_each(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    def watch() -> None:
        for _ in range(10_000):
            gr.monitor(there.pid)

    here.do(watch)
    joined.settle()

    joined.crash(two)

    events = noconnections(here, 10_000)
    assert len({event.ref for event in events if isinstance(event, gr.Exit)}) == 10_000


def test_a_call_ends_when_the_node_is_gone(
    joined: Joined, one: gr.Node, two: gr.Node, there: Probe
) -> None:
    reasons: list[str] = []

    def ask() -> None:
        try:
            gr.call(there.pid, "ask")
        except gr.ProcessDown as error:
            reasons.append(error.reason)

    pid = one.spawn(ask)
    assert_receive(there, topic="ask")

    joined.crash(two)

    wait_for(lambda: pid not in one.processes)
    assert reasons == ["noconnection"]


def test_a_caller_on_a_node_that_is_gone_is_forgotten(
    joined: Joined, one: gr.Node, two: gr.Node, there: Probe
) -> None:
    def ask() -> None:
        gr.call(there.pid, "ask")

    one.spawn(ask)
    message = assert_receive(there, topic="ask")

    joined.crash(one)
    wait_for(lambda: not mesh_of(two).links)

    assert two.processes[there.pid].waiters == {}
    assert not there.do(gr.reply, message, "late")
    one.shutdown(0.1)
    joined.nodes.remove(one)


def test_nothing_is_left_of_a_node_that_is_gone(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    here.do(gr.monitor, there.pid)
    there.do(gr.monitor, here.pid)
    there.do(gr.link, here.pid)
    wait_for(lambda: one.topology.links(here.pid))

    joined.crash(two)
    wait_for(lambda: not len(one.topology))

    assert mesh_of(one).links == {}
    assert mesh_of(one)._remotes == {}


def test_nobody_is_reached_on_a_node_that_is_gone(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    joined.crash(two)
    wait_for(lambda: not mesh_of(one).links)

    assert not here.do(gr.send, there.pid, "hello")
    ref = here.do(gr.monitor, there.pid)
    assert assert_event(here, kind="EXIT").ref == ref
    here.do(gr.link, there.pid)
    assert assert_event(here, kind="LINK_DOWN").result.reason == "noconnection"
    with pytest.raises(gr.ProcessDown, match="noconnection"):
        here.do(gr.call, there.pid, "ask")


def test_mail_for_an_old_incarnation_is_answered_noproc(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """Mail for an old incarnation is answered noproc."""
    joined.crash(two)
    joined.nodes.remove(two)
    joined.add("two")

    here.do(gr.monitor, there.pid)

    assert assert_event(here, kind="EXIT").result.reason == "noproc"
    two.shutdown(0.1)
    there.node.processes.clear()


def test_of_a_silent_node_that_shares_its_name_nobody_can_tell(
    joined: Joined, one: gr.Node, here: Probe
) -> None:
    """noconnection says that nobody can tell; as with the workers of one machine"""
    first, second = joined.add("worker"), joined.add("worker")
    probes = [joined.probe(node) for node in (first, second)]

    joined.bus.cut(first.id)
    wait_for(lambda: first.id not in mesh_of(one).links)
    here.do(gr.monitor, probes[0].pid)
    assert assert_event(here, kind="EXIT").result.reason == "noconnection"
    joined.bus.cut(second.id)
    wait_for(lambda: second.id not in mesh_of(one).links)
    joined.bus.mend(first.id)
    wait_for(lambda: first.id in mesh_of(one).links)

    # The one that is back, and the one that is not: neither has been started again.
    here.do(gr.monitor, gr.Pid.parse(str(probes[1].pid)))
    assert assert_event(here, kind="EXIT").result.reason == "noconnection"
    assert here.do(gr.send, probes[0].pid, "hello")
    joined.bus.mend(second.id)
    joined.see_each_other()


def test_a_silent_node_that_has_its_name_alone_may_be_started_again(
    joined: Joined, one: gr.Node, here: Probe, there: Probe
) -> None:
    """Mail for an old incarnation is answered noproc."""
    joined.bus.cut(there.node.id)
    wait_for(lambda: not mesh_of(one).links)
    again = joined.alone("two", cluster=Wire(joined.bus))
    wait_for(lambda: again.id in mesh_of(one).links)

    here.do(gr.monitor, there.pid)

    assert assert_event(here, kind="EXIT").result.reason == "noproc"


def test_a_node_that_was_cut_off_comes_back_and_both_sides_heard_once(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    here.do(gr.monitor, there.pid)
    there.do(gr.monitor, here.pid)
    joined.settle()

    joined.bus.cut(two.id)
    noconnections(here, 1)
    noconnections(there, 1)
    joined.bus.mend(two.id)
    joined.see_each_other()

    here.do(gr.send, there.pid, "again")
    assert_receive(there, topic="again")
    assert_nothing(here)


def test_another_incarnation_of_a_node_is_another_node_to_relations(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """comes back with a new incarnation"""
    here.do(gr.monitor, there.pid)
    there.do(gr.monitor, here.pid)
    joined.settle()

    mesh_of(one).on_node_up(Member(two.id, "another"))

    noconnections(here, 1)
    noconnections(there, 1)
    joined.see_each_other()
    here.do(gr.send, there.pid, "again")
    assert_receive(there, topic="again")


def test_a_node_that_is_cut_off_keeps_working(joined: Joined, two: gr.Node, there: Probe) -> None:
    """keeps working locally"""
    joined.bus.cut(two.id)

    two.send(there.pid, "local")

    assert_receive(there, topic="local")


def test_without_the_engine_the_others_count_as_gone_after_three_seconds(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """A node that cannot reach the engine for 3 s counts all others as noconnection."""
    here.do(gr.monitor, there.pid)
    joined.settle()
    with VirtualClock(one) as clock:
        mesh_of(one).on_engine(False)
        clock.advance(CUT_OFF - 0.1)
        assert_nothing(here)

        clock.advance(0.1)

        noconnections(here, 1)
        assert mesh_of(one).links == {}
        mesh_of(one).on_engine(True)
    joined.see_each_other()
    here.do(gr.send, there.pid, "again")
    assert_receive(there, topic="again")


def test_an_engine_that_is_back_in_time_costs_nothing(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """an engine restart or fail-over loses nothing while both nodes live and the ring holds"""
    here.do(gr.monitor, there.pid)
    joined.settle()
    for node in (one, two):
        mesh_of(node).on_engine(False)
        wire_of(node).lose(50)

    for number in range(20):
        here.do(gr.send, there.pid, "number", number)
    for node in (one, two):
        mesh_of(node).on_engine(True)
        wire_of(node).copies = lambda frame: 1

    assert [assert_receive(there, topic="number").payload for _ in range(20)] == list(range(20))
    assert_nothing(here)


# what the wire does


def test_an_exit_on_its_way_is_dropped_when_the_monitor_is_taken_back(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    """exactly one EXIT per monitor, and none for one that was taken back"""
    ref = here.do(gr.monitor, there.pid)
    joined.settle()
    wire_of(two).hold()
    there.close()

    here.do(gr.unmonitor, ref)
    wire_of(two).let_go()
    joined.settle()

    assert_nothing(here)


def test_a_link_down_on_its_way_is_dropped_when_the_link_is_undone(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    """no LINK_DOWN from it arrives afterwards"""
    here.do(gr.link, there.pid)
    joined.settle()
    wire_of(two).hold()
    two.terminate(there.pid)
    joined.settle()

    here.do(gr.unlink, there.pid)
    wire_of(two).let_go()
    joined.settle()

    assert_nothing(here)


def test_a_link_made_before_a_hole_is_no_link_after_it(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """a hole always shows as noconnection on that pair's links and monitors"""
    joined.settle()
    wire_of(one).hold()
    here.do(gr.link, there.pid)

    mesh_of(two).links[one.id].session.reset()
    noconnections(here, 1)
    wire_of(one).let_go()
    joined.settle()

    assert two.topology.links(there.pid) == ()


def test_frames_that_are_lost_arrive_all_the_same(one: gr.Node, here: Probe, there: Probe) -> None:
    here.do(gr.send, there.pid, "number", 0)
    assert_receive(there)

    wire_of(one).lose(3)
    for number in range(1, 6):
        here.do(gr.send, there.pid, "number", number)

    assert [assert_receive(there).payload for _ in range(5)] == [1, 2, 3, 4, 5]


def test_a_hole_that_cannot_be_filled_shows_on_both_sides(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """a hole always shows as noconnection on that pair's links and monitors"""
    here.do(gr.monitor, there.pid)
    there.do(gr.link, here.pid)
    joined.settle()

    mesh_of(one).links[two.id].session.reset()
    joined.settle()

    noconnections(here, 2)
    noconnections(there, 1)
    here.do(gr.send, there.pid, "after")
    assert_receive(there, topic="after")
    assert here.do(gr.nodes) == (two.id,)


def test_a_hole_is_logged_once_by_each_side(
    joined: Joined, one: gr.Node, two: gr.Node, caplog: pytest.LogCaptureFixture
) -> None:
    mesh_of(one).links[two.id].session.reset()
    joined.settle()

    said = [each.getMessage() for each in caplog.records if "frames were lost" in each.getMessage()]
    ends = "frames were lost, so what they have of each other ends with noconnection"
    assert sorted(said) == sorted(
        [f"{one.id} and {two.id}: {ends}", f"{two.id} and {one.id}: {ends}"]
    )


def test_a_hole_between_two_nodes_is_none_for_a_third(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    third = joined.add("three")
    other = joined.probe(third)
    here.do(gr.monitor, other.pid)
    joined.settle()

    mesh_of(one).links[two.id].session.reset()
    joined.settle()

    assert_nothing(here)


@pytest.mark.parametrize("seed", range(10))
def test_on_a_bad_wire_each_message_arrives_once_and_in_order(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe, seed: int
) -> None:
    """at most once; A to B in send order"""
    chance = random.Random(seed)
    for node in (one, two):
        wire_of(node).copies = lambda frame: chance.choice([0, 1, 1, 2])

    for number in range(100):
        here.do(gr.send, there.pid, "number", number)
        if number % 20 == 0:
            wire_of(one).hold()
        if number % 20 == 5:
            wire_of(one).let_go(backwards=True)

    got = [assert_receive(there, topic="number", timeout=30).payload for _ in range(100)]
    assert got == list(range(100))
    assert_nothing(there)


def test_what_the_engine_does_not_take_at_once_goes_later(
    one: gr.Node, here: Probe, there: Probe
) -> None:
    wire_of(one).is_full = True
    here.do(gr.send, there.pid, "number", 1)
    wire_of(one).is_full = False

    assert assert_receive(there).payload == 1


def test_what_is_sent_in_one_turn_goes_out_as_few_frames(
    one: gr.Node, here: Probe, there: Probe
) -> None:
    def send() -> int:
        before = wire_of(one).sent
        for number in range(1000):
            gr.send(there.pid, "n", number)
        return before

    before = one.run(send)
    wait_for(lambda: len(there.items) == 1000)

    assert [message.payload for message in there.items if isinstance(message, gr.Message)] == list(
        range(1000)
    )
    assert wire_of(one).sent - before < 20


def test_a_node_of_a_release_without_bundles_gets_single_frames(
    one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """unknown versions and kinds are counted and dropped, so releases can be mixed"""
    mesh_of(one).links[two.id].session.reads_bundles = False

    def send() -> int:
        before = wire_of(one).sent
        for number in range(10):
            gr.send(there.pid, "n", number)
        return wire_of(one).sent - before

    assert one.run(send) == 10
    wait_for(lambda: len(there.items) == 10)


def test_a_node_that_shuts_down_sends_what_it_has_bundled(
    joined: Joined, two: gr.Node, there: Probe
) -> None:
    three = joined.add("three")

    def send() -> None:
        for number in range(100):
            gr.send(there.pid, "n", number)

    three.run(send)
    three.shutdown(1.0)

    wait_for(lambda: len(there.items) == 100)


def test_frames_that_say_nothing_are_counted_and_raise_nothing(
    one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """unknown versions and kinds are counted and dropped"""
    sink = mesh_of(one)

    sink.on_frame(two.id, b"\xc1", None)
    sink.on_frame(two.id, encode((VERSION + 1, "anything", {})), None)
    sink.on_frame(two.id, encode((VERSION, 999, 0, 0)), None)
    sink.on_frame("nobody", encode((VERSION, Kind.HELLO, 1, 0)), None)

    found = counts(one)
    assert found["malformed"] == 1
    assert found["unknown_version"] == 1
    assert found["unknown_kind"] == 1
    assert found["unknown_node"] == 1


@pytest.mark.parametrize("topic", ["", "@name.lost"])
def test_a_topic_that_is_not_for_processes_is_dropped(
    one: gr.Node, two: gr.Node, there: Probe, topic: str
) -> None:
    mesh_of(one).links[two.id].post(Kind.MESSAGE, str(there.pid), topic=topic)

    wait_for(lambda: counts(two).get("bad_frame") == 1)
    assert_nothing(there)


def test_a_frame_in_the_name_of_a_third_node_is_dropped(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    link = mesh_of(two).links[one.id]

    link.post(Kind.MESSAGE, str(here.pid), "{third.1@processes|1}", "forged")
    wait_for(lambda: counts(one).get("bad_frame"))

    assert_nothing(here)


def test_a_shut_down_node_tells_real_endings(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe
) -> None:
    pid = two.spawn(wait)
    here.do(gr.monitor, pid)
    joined.settle()

    two.shutdown(1.0)
    joined.nodes.remove(two)

    event = assert_event(here, kind="EXIT", pid=pid)
    assert event.result.reason == "normal"
    assert_nothing(here)
    wait_for(lambda: not mesh_of(one).links)


def test_a_forked_child_is_in_no_cluster(one: gr.Node) -> None:
    """Connect after the fork, never in the master."""
    cluster = one.cluster
    one._incarnate()

    assert one.cluster is None
    assert cluster is not None
    cluster.stop()
