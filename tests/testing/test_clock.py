"""The virtual clock: what moves with it, and in which order."""

from __future__ import annotations

import pytest

import greenrelay as gr
from greenrelay.testing import (
    Probe,
    VirtualClock,
    assert_event,
    assert_not_received,
    assert_receive,
    settle,
)


def test_a_message_comes_when_its_time_has_come_and_not_before(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    node.send_after("1h", process_probe.pid, "late")

    virtual_clock.advance("59m59s")
    assert_not_received(process_probe)
    virtual_clock.advance(1)

    assert_receive(process_probe, topic="late", timeout=0.1)


def test_timers_fire_in_order_of_time_and_processes_run_between_them(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    def answer() -> None:
        for message in gr.inbox():
            gr.send(process_probe.pid, "at", (message.payload, virtual_clock.elapsed))

    server = node.spawn(answer)
    late, *_ = [node.send_after(delay, server, "tick", delay) for delay in (30, 10, 20)]

    virtual_clock.advance(25)

    assert assert_receive(process_probe).payload == (10, pytest.approx(10))
    assert assert_receive(process_probe).payload == (20, pytest.approx(20))
    assert_not_received(process_probe)
    assert late.cancel()
    node.terminate(server)


def test_a_timer_that_sets_the_next_one_fires_as_often_as_there_is_time(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    def beat() -> None:
        while True:
            gr.send_after(10, gr.pid(), "beat")
            gr.receive("beat")
            gr.send(process_probe.pid, "beat", round(virtual_clock.elapsed, 3))

    pid = node.spawn(beat)

    virtual_clock.advance("1m5s")

    assert [assert_receive(process_probe).payload for _ in range(6)] == [10, 20, 30, 40, 50, 60]
    assert_not_received(process_probe)
    node.terminate(pid)
    virtual_clock.advance("1m")


def test_sums_of_delays_meet_the_deadline_they_add_up_to(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    node.send_after(1, process_probe.pid, "one")

    for _ in range(10):
        assert_not_received(process_probe)
        virtual_clock.advance(0.1)

    assert_receive(process_probe, topic="one", timeout=0.1)


def test_a_delay_of_0_needs_no_advance(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    node.send_after(0, process_probe.pid, "now")

    assert_receive(process_probe, topic="now")
    assert virtual_clock.elapsed == 0


def test_a_process_that_does_not_heed_cancel_is_killed_at_the_deadline(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    stubborn = process_probe.do(gr.spawn_monitored, gr.receive, *("topic",))
    process_probe.do(gr.cancel, stubborn, deadline="30s")

    virtual_clock.advance(29)
    assert_not_received(process_probe)
    assert node.processes.keys() == {process_probe.pid, stubborn}
    virtual_clock.advance(1)

    assert_event(process_probe, kind="EXIT", pid=stubborn, reason="killed", timeout=0.1)


def test_timers_of_0_s_that_follow_each_other_for_ever_are_reported(
    node: gr.Node, virtual_clock: VirtualClock
) -> None:
    def again() -> None:
        node.timers.call_after(0, again)

    again()

    with pytest.raises(AssertionError, match="time stands still at 0s: more than 1000 timers"):
        virtual_clock.advance(1)


def test_the_time_of_another_node_is_its_own(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    with gr.Node("other") as other, Probe(other) as there:
        other.send_after(0.001, there.pid, "real")
        node.send_after(0.001, process_probe.pid, "virtual")

        assert_receive(there, topic="real")
        assert_not_received(process_probe)


def test_time_runs_on_when_the_clock_is_closed(node: gr.Node, process_probe: Probe) -> None:
    with VirtualClock(node) as clock:
        clock.advance("1h")
        node.send_after(0.001, process_probe.pid, "soon")
        before = clock.now()

    assert_receive(process_probe, topic="soon")
    assert before <= node.timers.now() < before + 3600


def test_the_clock_of_a_node_that_was_shut_down_can_be_closed() -> None:
    node = gr.Node()
    with VirtualClock(node) as clock:
        clock.advance(1)
        node.shutdown()

    assert node.is_stopped


def test_an_advance_of_nothing_lets_processes_run(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    node.spawn(lambda: gr.send(process_probe.pid, "ran"))

    virtual_clock.advance(0)

    assert [item.topic for item in process_probe.items if isinstance(item, gr.Message)] == ["ran"]
    process_probe.items.clear()


def test_a_clock_shows_how_far_it_has_come(node: gr.Node, virtual_clock: VirtualClock) -> None:
    virtual_clock.advance("1m30s")

    assert repr(virtual_clock) == f"<VirtualClock of {node.id} at 1m30s>"
    settle(node)
