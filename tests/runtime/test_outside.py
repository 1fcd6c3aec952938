"""What is done to a process from outside it. Source: Processes, "Functions"."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import gevent
import pytest

import greenrelay as gr
from greenrelay.testing import VirtualClock
from tests.probe import Probe, assert_receive, settle, wait, wait_for, wait_for_ever


def test_the_timer_of_a_cancel_goes_with_its_process(node: gr.Node) -> None:
    """no greenlet, monitor, link, name or group entry outlives its process."""
    pids = [node.spawn(wait) for _ in range(3)]
    settle(node)

    for pid in pids:
        gr.cancel(pid, deadline="24h")
        gr.cancel(pid, deadline="23h")
    wait_for(lambda: not node.processes)

    assert node.timers.pending() == ()
    assert node.kills == {}


def test_a_cancel_of_who_has_just_ended_leaves_no_timer(node: gr.Node) -> None:
    pid = node.spawn(wait)
    process = node.find(pid)
    node.terminate(pid)
    settle(node)

    # As it goes in another thread, whose order to cancel comes after the ending.
    options = {"sender": None, "deadline": 3600.0, "reason": None}
    from_elsewhere = threading.Thread(target=node.cancel, args=(pid,), kwargs=options)
    assert process is not None
    node.processes[pid] = process
    from_elsewhere.start()
    from_elsewhere.join()
    del node.processes[pid]
    settle(node)

    assert node.timers.pending() == ()


def test_the_timer_of_a_cancel_says_what_it_is(node: gr.Node) -> None:
    pid = node.spawn(wait_for_ever)
    settle(node)

    gr.cancel(pid, deadline="24h")

    assert node.timers.pending() == (f"deadline of cancel of {pid}",)
    node.terminate(pid)


def test_each_deadline_of_a_process_that_stays_is_kept(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    pid = process_probe.do(gr.spawn_monitored, wait_for_ever)
    gr.cancel(pid, deadline=20)
    gr.cancel(pid, deadline=10)

    virtual_clock.advance(10)

    assert assert_receive(process_probe, kind="EXIT").result.reason == "killed"
    assert node.timers.pending() == ()


def test_a_node_is_shut_down_in_its_own_thread_only() -> None:
    """everything else belongs to the thread of the node; elsewhere it raises NotInProcess."""
    node = gr.Node("elsewhere")
    node.spawn(wait)
    complaints: list[str] = []

    def stop() -> None:
        try:
            node.shutdown()
        except gr.NotInProcess as error:
            complaints.append(str(error))

    thread = threading.Thread(target=stop)
    thread.start()
    thread.join()

    assert "Node.shutdown() was called outside" in complaints[0]
    assert (
        "this thread is not its node's: call it in the thread that runs the node" in complaints[0]
    )
    assert not node.is_stopped
    node.shutdown()
    assert not node.processes


def test_a_node_that_was_shut_down_may_be_again_in_any_thread() -> None:
    node = gr.Node("done")
    node.run(len, ())
    node.shutdown()

    thread = threading.Thread(target=node.shutdown)
    thread.start()
    thread.join()

    assert node.is_stopped


def test_the_times_of_a_node_are_durations() -> None:
    """Durations are seconds or "250ms", "30s", "1m30s", "2h"."""
    node = gr.Node("timed", grace="1m30s")

    assert node.grace == 90.0
    assert node.run(len, (), timeout="5s") == 0
    with pytest.raises(gr.Timeout):
        node.run(wait, timeout="1ms")
    with pytest.raises(gr.InvalidDuration):
        node.shutdown("soon")
    assert not node.is_stopped
    node.shutdown("5s")
    assert node.is_stopped


def test_a_reason_that_is_no_text_is_refused_by_who_asks(
    node: gr.Node, process_probe: Probe
) -> None:
    """it has to travel and to be shown"""
    for dest in (process_probe.pid, "{node.1@processes|99}"):
        with pytest.raises(TypeError, match="reason is 5; it must be text"):
            gr.cancel(dest, reason=5)  # type: ignore[arg-type]
    settle(node)

    assert process_probe.items == []
    assert node.timers.pending() == ()
    assert gr.cancel(process_probe.pid, reason="enough")
    assert assert_receive(process_probe, kind="CANCEL").reason == "enough"


@pytest.mark.parametrize("dest", [5, None, b"name", object()], ids=repr)
def test_a_message_for_later_to_what_is_no_address_is_refused_at_once(
    node: gr.Node, dest: Any
) -> None:
    with pytest.raises(gr.InvalidPid, match=f"it is {type(dest).__name__}, not text"):
        gr.send_after(0, dest, "later")

    assert node.timers.pending() == ()


@pytest.mark.parametrize("node_options", [{"strict_payloads": True}])
def test_what_is_not_plain_is_refused_in_the_thread_that_sends_it(
    node: gr.Node, process_probe: Probe
) -> None:
    """on a single node too when strict_payloads is on"""
    process_probe.do(gr.join, "room")

    for function, dest in ((gr.send, process_probe.pid), (gr.broadcast, "room")):
        with pytest.raises(gr.UnsendablePayload):
            in_thread(function, dest, "odd", {1, 2})
        in_thread(function, dest, "plain", [1, 2])
        assert assert_receive(process_probe).topic == "plain"
    settle(node)

    assert process_probe.items == []


def in_thread(function: Callable[..., object], *args: object) -> object:
    """Return what a call in a thread of its own returns, or raise what it raises."""
    return gevent.get_hub().threadpool.apply(function, args)
