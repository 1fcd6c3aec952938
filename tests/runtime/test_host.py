"""Limits of a host. Source: Processes, "Hosts, inboxes, back-pressure"."""

from __future__ import annotations

from typing import Any

import pytest

import greenrelay as gr
from greenrelay.runtime.host import Host
from tests.probe import Probe, assert_receive, settle, wait_for


def asleep() -> None:
    """Read nothing until it is woken; then tell who each message names what was read."""
    gr.receive("wake")
    for message in gr.inbox():
        gr.send(message.payload, "read", message.topic)  # type: ignore[arg-type]


def fill(node: gr.Node, overflow: str, **options: Any) -> tuple[Host, gr.Pid]:
    host = node.add_host(Host("small", inbox_limit=2, overflow=overflow, **options))
    pid = node.spawn(asleep, host="small")
    settle(node)
    return host, pid


def wake(node: gr.Node, pid: gr.Pid) -> None:
    process = node.processes[pid]
    assert process.deliver_surely(gr.Message("wake"))


def read_by(node: gr.Node, probe: Probe, pid: gr.Pid) -> list[object]:
    """Wake the process up, let it read what it has, end it and return the topics it read."""
    wake(node, pid)
    settle(node)
    node.cancel(pid, sender=None, deadline=10, reason=None)
    wait_for(lambda: pid not in node.processes)
    return [assert_receive(probe).payload for _ in range(len(probe.items))]


def test_the_defaults_are_those_of_the_page() -> None:
    """`max_processes` (100000), `inbox.limit` (10000 messages), `inbox.overflow`: `refuse`."""
    host = Host("h")

    assert (host.max_processes, host.inbox_limit, host.overflow) == (100_000, 10_000, "refuse")


def test_refuse_raises_in_the_sender(node: gr.Node, probe: Probe) -> None:
    """`refuse` (default, `InboxFull` in the sender)."""
    host, pid = fill(node, "refuse")
    assert probe.do(gr.send, pid, "1", probe.pid)
    assert probe.do(gr.send, pid, "2", probe.pid)

    with pytest.raises(gr.InboxFull) as caught:
        probe.do(gr.send, pid, "3", probe.pid)

    assert (caught.value.pid, caught.value.limit) == (pid, 2)
    assert read_by(node, probe, pid) == ["1", "2"]
    assert host.dropped == 0


def test_drop_oldest_keeps_the_newest(node: gr.Node, probe: Probe) -> None:
    """`drop_oldest`; drops are counted."""
    host, pid = fill(node, "drop_oldest")

    assert all(probe.do(gr.send, pid, topic, probe.pid) for topic in "12345")

    assert node.processes[pid].depth() == 2
    assert host.dropped == 3
    assert read_by(node, probe, pid) == ["4", "5"]


def test_drop_newest_keeps_the_oldest(node: gr.Node, probe: Probe) -> None:
    """`drop_newest`; drops are counted."""
    host, pid = fill(node, "drop_newest")

    assert all(probe.do(gr.send, pid, topic, probe.pid) for topic in "12345")

    assert host.dropped == 3
    assert read_by(node, probe, pid) == ["1", "2"]


def test_block_waits_until_there_is_room(node: gr.Node, probe: Probe) -> None:
    """`block` (with `inbox.block_timeout`)."""
    _, pid = fill(node, "block")

    def sender() -> None:
        for topic in "12345":
            assert gr.send(pid, topic, probe.pid)
        gr.send(probe.pid, "sent all")

    node.spawn(sender)
    settle(node)
    assert probe.items == []
    wake(node, pid)

    assert_receive(probe, topic="sent all")
    assert [assert_receive(probe, topic="read").payload for _ in "12345"] == list("12345")
    node.terminate(pid)


def test_many_blocked_senders_never_pass_the_limit(node: gr.Node, probe: Probe) -> None:
    _, pid = fill(node, "block")

    def sender(name: str) -> None:
        for number in range(5):
            assert gr.send(pid, f"{name}{number}", probe.pid)

    for name in "abcd":
        node.spawn(sender, name)
    settle(node)
    wake(node, pid)

    topics = [assert_receive(probe, topic="read").payload for _ in range(20)]
    for name in "abcd":
        assert [each for each in topics if each[0] == name] == [f"{name}{n}" for n in range(5)]
    # One above the limit is the message that woke it.
    assert node.processes[pid].high_water() == 3
    node.terminate(pid)


def test_block_gives_up_after_its_timeout_and_leaves_nothing(node: gr.Node, probe: Probe) -> None:
    _, pid = fill(node, "block", block_timeout=0.001)
    probe.do(gr.send, pid, "1")
    probe.do(gr.send, pid, "2")

    for _ in range(3):
        with pytest.raises(gr.InboxFull):
            probe.do(gr.send, pid, "3")

    target: Any = node.processes[pid]
    assert not target.mailbox.room_waiters
    node.terminate(pid)


def test_a_blocked_sender_can_be_ended(node: gr.Node, probe: Probe) -> None:
    _, pid = fill(node, "block", block_timeout=60)
    sender = node.spawn(lambda: [gr.send(pid, "topic") for _ in range(3)])
    settle(node)

    node.terminate(sender)
    wait_for(lambda: sender not in node.processes)

    target: Any = node.processes[pid]
    assert not target.mailbox.room_waiters
    node.terminate(pid)


def test_a_blocked_sender_goes_on_when_the_target_ends(node: gr.Node, probe: Probe) -> None:
    _, pid = fill(node, "block", block_timeout=60)
    sent: list[bool] = []
    sender = node.spawn(lambda: sent.extend(gr.send(pid, "topic") for _ in range(3)))
    settle(node)

    node.terminate(pid)
    wait_for(lambda: sender not in node.processes)

    assert sent == [True, True, False]


def test_nobody_outside_a_process_and_not_the_process_itself_can_block(node: gr.Node) -> None:
    _, pid = fill(node, "block")
    gr.send(pid, "1")
    gr.send(pid, "2")

    with pytest.raises(gr.InboxFull):
        gr.send(pid, "3")
    with pytest.raises(gr.InboxFull):
        node.run(flood_oneself)

    node.terminate(pid)


def flood_oneself() -> None:
    def flood() -> None:
        for _ in range(3):
            gr.send(gr.pid(), "me")

    gr.exec(flood, host="small")


def test_two_inboxes_never_wait_for_each_other_for_ever(node: gr.Node) -> None:
    """it cannot make two inboxes wait for each other."""
    node.add_host(Host("small", inbox_limit=1, overflow="block", block_timeout=0.001))
    full: list[str] = []

    def flood(other_name: str) -> None:
        try:
            for _ in range(3):
                gr.send(other_name, "flood")
        except gr.InboxFull:
            full.append(other_name)

    node.spawn(flood, "two", host="small", name="one")
    node.spawn(flood, "one", host="small", name="two")
    wait_for(lambda: not node.processes)

    assert full


def test_events_and_relay_messages_pass_a_full_inbox(node: gr.Node, probe: Probe) -> None:
    _, pid = fill(node, "refuse")
    gr.send(pid, "1", probe.pid)
    gr.send(pid, "2", probe.pid)

    assert node.route_surely(pid, "ws.leave", probe.pid, probe.pid) is True

    assert read_by(node, probe, pid) == ["1", "2", "ws.leave"]
    assert node.route_surely(pid, "ws.leave", None, probe.pid) is False


def test_a_room_callback_that_raises_hurts_nobody(
    node: gr.Node, caplog: pytest.LogCaptureFixture
) -> None:
    _, pid = fill(node, "refuse")
    process = node.processes[pid]
    for topic in ("one", "two"):
        node.send(pid, topic)

    def bad() -> None:
        raise ValueError("bad callback")

    process.when_room(bad)
    node.terminate(pid)
    settle(node)

    assert "bad callback" in caplog.text
    assert pid not in node.processes
