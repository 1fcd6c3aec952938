"""Probes, and what is asserted of them: what they take and what they say when they fail."""

from __future__ import annotations

import pytest

import greenrelay as gr
from greenrelay.testing import (
    ANYTHING,
    Probe,
    assert_event,
    assert_not_received,
    assert_nothing,
    assert_receive,
    settle,
    wait_for,
)


def crash() -> None:
    raise ValueError("boom")


def test_a_probe_keeps_what_it_gets_in_order(node: gr.Node, process_probe: Probe) -> None:
    for number in range(3):
        node.send(process_probe.pid, "count", number)

    got = [assert_receive(process_probe).payload for _ in range(3)]

    assert got == [0, 1, 2]


def test_assert_receive_takes_the_first_with_that_topic_and_leaves_the_rest(
    node: gr.Node, process_probe: Probe
) -> None:
    node.send(process_probe.pid, "a", 1)
    node.send(process_probe.pid, "b", 2)

    message = assert_receive(process_probe, topic="b")

    assert message == gr.Message("b", 2)
    assert [item.payload for item in process_probe.items if isinstance(item, gr.Message)] == [1]


def test_assert_receive_takes_the_first_that_has_all_the_facts(
    node: gr.Node, process_probe: Probe
) -> None:
    with Probe(node) as other:
        other.do(gr.send, process_probe.pid, "a", 1)
        node.send(process_probe.pid, "a", 1)
        node.send(process_probe.pid, "a", None)

        assert assert_receive(process_probe, topic="a", payload=None).sender is None
        assert assert_receive(process_probe, payload=1, sender=None).topic == "a"
        assert assert_receive(process_probe, sender=other.pid).payload == 1


def test_assert_receive_waits_for_what_comes_later(node: gr.Node, process_probe: Probe) -> None:
    node.send_after(0.01, process_probe.pid, "late")

    assert assert_receive(process_probe, topic="late", timeout="5s") == gr.Message("late")


def test_a_message_that_does_not_come_is_told_with_what_came_instead(
    node: gr.Node, process_probe: Probe
) -> None:
    node.send(process_probe.pid, "progress", 3)

    with pytest.raises(AssertionError) as caught:
        assert_receive(process_probe, topic="done", payload=7, timeout=0.01)

    assert str(caught.value) == (
        f"{process_probe.pid} got no message with topic 'done' and payload 7 within 10ms.\n"
        "Its inbox held 1 item(s):\n"
        f"  {gr.Message('progress', 3)!r}"
    )


def test_a_failure_says_that_the_inbox_is_empty_and_the_process_has_ended(
    node: gr.Node, process_probe: Probe
) -> None:
    process_probe.close()

    with pytest.raises(AssertionError, match=r"empty\.\nIts process has ended"):
        assert_receive(process_probe, timeout=0)


def test_a_failure_shows_the_first_of_very_many(node: gr.Node, process_probe: Probe) -> None:
    for number in range(25):
        node.send(process_probe.pid, "count", number)

    with pytest.raises(AssertionError, match=r"held 25 item(?s:.)*payload=19,(?s:.)*and 5 more$"):
        assert_receive(process_probe, topic="done", timeout=0.05)


def test_assert_event_finds_by_kind_pid_and_reason(process_probe: Probe) -> None:
    one = process_probe.do(gr.spawn_linked_monitored, gr.receive)
    other = process_probe.do(gr.spawn_monitored, crash)
    process_probe.do(gr.terminate, one)

    assert assert_event(process_probe, pid=other).result.error.type == "ValueError"
    assert assert_event(process_probe, reason="killed", kind="LINK_DOWN").pid == one
    assert assert_event(process_probe, kind="EXIT", pid=one, reason="killed").pid == one


def test_an_event_that_does_not_come_is_told_with_what_came_instead(
    node: gr.Node, process_probe: Probe
) -> None:
    node.send(process_probe.pid, "EXIT")

    with pytest.raises(AssertionError, match=r"no event with kind 'EXIT' within 10ms\.\n.*held 1"):
        assert_event(process_probe, kind="EXIT", timeout="10ms")


def test_a_cancel_ends_the_probe_after_it_was_recorded(node: gr.Node) -> None:
    probe = Probe(node)

    node.cancel(probe.pid, sender=None, deadline=5, reason="enough")

    assert assert_event(probe, kind="CANCEL", reason="enough").deadline == 5
    wait_for(lambda: not probe.is_alive)


def test_assert_receive_with_a_kind_is_assert_event(process_probe: Probe) -> None:
    child = process_probe.do(gr.spawn_monitored, int)

    assert assert_receive(process_probe, kind="EXIT").pid == child


def test_assert_not_received_looks_when_all_processes_wait(
    node: gr.Node, process_probe: Probe
) -> None:
    def relay(left: int) -> None:
        if left:
            gr.spawn(relay, left - 1)
        else:
            gr.send(process_probe.pid, "end")

    node.spawn(relay, 50)

    assert_not_received(process_probe, topic="other")
    assert_not_received(process_probe, topic="end", payload=1)
    with pytest.raises(AssertionError, match="got a message with topic 'end'"):
        assert_not_received(process_probe, topic="end")
    assert_receive(process_probe, topic="end", timeout=0.05)
    assert_not_received(process_probe)


def test_assert_nothing_fails_for_a_message_and_for_an_event(
    node: gr.Node, process_probe: Probe
) -> None:
    assert_nothing(process_probe)
    process_probe.do(gr.monitor, gr.Pid("n", "h", 1))

    with pytest.raises(AssertionError, match=r"got something\.\nIts inbox held 1 item\(s\)"):
        assert_nothing(process_probe)


def test_do_returns_the_value_and_raises_the_error(process_probe: Probe) -> None:
    assert process_probe.do(gr.pid) == process_probe.pid
    with pytest.raises(ValueError, match="boom"):
        process_probe.do(crash)


def test_an_ended_probe_does_nothing_and_says_so(process_probe: Probe) -> None:
    process_probe.close()
    process_probe.close()

    with pytest.raises(AssertionError, match=r"has ended and cannot run .*pid"):
        process_probe.do(gr.pid)


def test_a_probe_that_does_not_trap_links_dies_with_its_peer(node: gr.Node) -> None:
    probe = Probe(node, name="mortal", trap_links=False)
    probe.do(gr.spawn_linked, crash)

    settle(node)

    assert not probe.is_alive
    assert node.names.owner("mortal") is None


def test_wait_for_says_what_did_not_become_true() -> None:
    with pytest.raises(AssertionError, match=r"still not true after 10ms: <function .*lambda"):
        wait_for(lambda: False, "10ms")


def test_anything_is_shown_by_its_name() -> None:
    assert repr(ANYTHING) == "ANYTHING"


def test_a_probe_runs_functions_on_a_node_with_strict_payloads_too() -> None:
    with gr.Node("strict", strict_payloads=True) as node, Probe(node) as probe:
        assert probe.do(gr.pid) == probe.pid

        with pytest.raises(gr.UnsendablePayload):
            probe.do(gr.send, probe.pid, "hello", object())
