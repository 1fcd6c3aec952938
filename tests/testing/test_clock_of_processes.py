"""What processes wait for with a timeout follows the virtual clock too."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from gevent.event import Event as Flag

import greenrelay as gr
from greenrelay.runtime.host import Host
from greenrelay.testing import (
    Probe,
    VirtualClock,
    assert_event,
    assert_not_received,
    assert_nothing,
    assert_receive,
    settle,
)


def refuse_to_end(release: Flag) -> None:
    try:
        gr.receive()
    finally:
        release.wait()


def test_a_receive_times_out_at_its_time(process_probe: Probe, virtual_clock: VirtualClock) -> None:
    def wait() -> str:
        try:
            gr.receive(timeout=30)
        except gr.Timeout:
            return "timed out"
        return "received"

    process_probe.do(gr.spawn_monitored, wait)

    virtual_clock.advance(29.9)
    assert_nothing(process_probe)
    virtual_clock.advance(0.1)

    assert assert_event(process_probe, kind="EXIT").result.value == "timed out"


def test_a_receive_that_got_its_message_in_time_does_not_time_out(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    waiting = process_probe.do(gr.spawn_monitored, lambda: gr.receive("go", timeout=30).payload)
    node.send_after(29, waiting, "other")
    node.send_after(30, waiting, "go", "in time")

    virtual_clock.advance(60)

    assert assert_event(process_probe, kind="EXIT").result.value == "in time"


def test_a_call_times_out_at_its_time(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    silent = node.spawn(gr.receive, "never")
    process_probe.do(gr.spawn_monitored, gr.call, silent, "question", timeout="5s")

    virtual_clock.advance(4.9)
    assert_nothing(process_probe)
    virtual_clock.advance(0.1)

    assert assert_event(process_probe, kind="EXIT").result.error.type == "Timeout"
    node.terminate(silent)


def test_an_exec_times_out_at_its_time(process_probe: Probe, virtual_clock: VirtualClock) -> None:
    process_probe.do(gr.spawn_monitored, gr.exec, gr.receive, timeout="2m")

    virtual_clock.advance("2m")

    assert assert_event(process_probe, kind="EXIT").result.error.type == "Timeout"


def test_a_sender_that_waits_for_room_gives_up_at_its_time(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    node.add_host(Host("narrow", inbox_limit=1, overflow="block", block_timeout=10))
    full = node.spawn(gr.receive, "never", host="narrow")
    node.send(full, "first")

    process_probe.do(gr.spawn_monitored, gr.send, full, "second")
    virtual_clock.advance(9.9)
    assert_nothing(process_probe)
    virtual_clock.advance(0.2)

    assert assert_event(process_probe, kind="EXIT").result.error.type == "InboxFull"
    node.terminate(full)


@pytest.mark.node_options(grace=5)
def test_a_process_that_refuses_to_end_is_given_up_after_the_grace_period(
    node: gr.Node,
    process_probe: Probe,
    virtual_clock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = Flag()
    stuck = process_probe.do(gr.spawn_monitored, refuse_to_end, release)
    process_probe.do(gr.terminate, stuck)
    caplog.set_level(logging.CRITICAL, "greenrelay.runtime")

    virtual_clock.advance(4.9)
    assert_nothing(process_probe)
    virtual_clock.advance(0.1)

    assert_event(process_probe, kind="EXIT", pid=stuck, reason="killed")
    release.set()
    settle(node)


def test_a_supervisor_restarts_its_child_after_the_delay(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    def child() -> None:
        gr.send(process_probe.pid, "started", virtual_clock.elapsed)
        gr.receive("crash")
        raise ValueError("boom")

    policy = gr.RestartPolicy(initial_delay=10, max_delay=60, backoff_factor=2, jitter=0)
    plan = gr.Supervisor(
        [gr.Child("child", child, restart=policy, name="child")], max_restarts=None
    )
    supervisor = process_probe.do(gr.spawn_monitored, plan)
    virtual_clock.advance(1)
    assert assert_receive(process_probe, topic="started").payload == 0

    times = []
    for wait in (10, 20):
        node.send("child", "crash")
        virtual_clock.advance(wait - 0.1)
        assert_not_received(process_probe, topic="started")
        virtual_clock.advance(0.1)
        times.append(assert_receive(process_probe, topic="started").payload)

    assert times == [pytest.approx(11), pytest.approx(31)]
    # The child waits for a topic and does not see that it is to stop.
    node.cancel(supervisor, sender=None, deadline=60, reason=None)
    virtual_clock.advance("10s")
    assert_event(process_probe, kind="EXIT", pid=supervisor)


def test_the_age_of_a_process_is_told_by_the_clock(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    pid = node.spawn(gr.receive)

    virtual_clock.advance("1h")

    seen: Any = process_probe.do(gr.info, pid)
    assert seen.age == pytest.approx(3600)
    node.terminate(pid)
