"""The page "Processes", section "Promises (each is a named test)".

That memory after a million spawns is flat is in ``tests/runtime/test_scale.py``.
"""

from __future__ import annotations

import gc
from collections import Counter, defaultdict
from collections.abc import Callable
from random import Random

import gevent
import pytest
from gevent.event import Event as Flag
from greenlet import greenlet

import greenrelay as gr
from greenrelay.runtime.host import Host
from tests.probe import Probe, assert_receive, settle, wait, wait_for


def test_messages_of_one_sender_to_one_receiver_arrive_in_order_and_at_most_once(
    node: gr.Node,
) -> None:
    """Per sender-receiver order; at most once."""
    senders, receivers, count = 10, 10, 500
    got: dict[tuple[object, gr.Pid], list[object]] = defaultdict(list)

    def receive_all() -> None:
        for message in gr.inbox():
            got[message.sender, gr.pid()].append(message.payload)

    def send_all(targets: list[gr.Pid], seed: int) -> None:
        chance = Random(seed)
        for number in range(count):
            for target in targets:
                gr.send(target, "topic", number)
            if not chance.randrange(20):
                gevent.sleep(0)

    targets = [node.spawn(receive_all) for _ in range(receivers)]
    for seed in range(senders):
        node.spawn(send_all, targets, seed)
    wait_for(lambda: len(node.processes) == receivers)
    settle(node)

    assert len(got) == senders * receivers
    assert all(numbers == list(range(count)) for numbers in got.values())
    for target in targets:
        node.terminate(target)


def test_a_message_to_who_ends_meanwhile_arrives_once_or_never(node: gr.Node) -> None:
    """at most once."""
    got: Counter[object] = Counter()
    taken: set[int] = set()

    def receive_one() -> None:
        got[gr.inbox().receive().payload] += 1

    def send_all() -> None:
        for number in range(1_000):
            target = gr.spawn(receive_one)
            if number % 3 == 0:
                gr.terminate(target)
            if gr.send(target, "topic", number):
                taken.add(number)
            if number % 3 == 1:
                gr.terminate(target)

    node.run(send_all)
    wait_for(lambda: not node.processes)

    assert set(got) <= taken
    assert set(got.values()) == {1}
    # Nobody was told that a dead process took something.
    assert not [number for number in taken if number % 3 == 0]


@pytest.mark.parametrize("seed", range(5))
def test_exit_comes_exactly_once_for_each_monitor(node: gr.Node, probe: Probe, seed: int) -> None:
    """EXIT exactly once."""
    chance = Random(seed)
    refs: list[gr.MonitorRef] = []

    def main() -> None:
        pids = [gr.spawn(wait) for _ in range(50)]
        for one in pids:
            gr.link(one)
        gr.set_options(trap_links=True)
        for _ in range(500):
            pid = chance.choice(pids)
            step = chance.randrange(4)
            if step == 0:
                gr.terminate(pid, chance.choice(["boom", "killed", "normal"]))
            elif step == 1:
                gr.send(pid, "end")
            elif step == 2:
                gevent.sleep(0)
            refs.append(gr.monitor(pid))
        for pid in pids:
            gr.terminate(pid)
        exits: Counter[gr.MonitorRef | None] = Counter()
        while len(exits) < len(refs):
            event = gr.receive()
            if isinstance(event, gr.Exit):
                exits[event.ref] += 1
        while len(gr.events()):
            event = gr.events().get_nowait()
            assert not isinstance(event, gr.Exit)
        assert exits == Counter(refs)

    node.run(main)


@pytest.mark.parametrize("how", ["returns", "crashes", "is killed", "refuses"])
def test_no_message_comes_after_the_exit_of_its_sender(
    node: gr.Node, probe: Probe, how: str
) -> None:
    """no message after EXIT from the same pair."""
    node.grace = 0.001
    release = Flag()

    def chatter() -> None:
        number = 0
        try:
            while how == "is killed" or number < 100:
                gr.send(probe.pid, "chat", number)
                number += 1
                gevent.sleep(0)
            if how == "crashes":
                raise ValueError("boom")
            if how == "refuses":
                gr.receive()
        finally:
            if how == "refuses":
                release.wait()
            gr.send(probe.pid, "late")

    pid = probe.do(gr.spawn_monitored, chatter)
    if how in ("is killed", "refuses"):
        wait_for(lambda: len(probe.items) >= 100)
        node.terminate(pid)
    wait_for(lambda: pid not in node.processes)
    release.set()
    settle(node)

    kinds = [getattr(item, "topic", None) or item.kind for item in probe.items]  # type: ignore[union-attr]
    assert kinds[-1] == "EXIT"
    assert kinds.count("EXIT") == 1
    assert ("late" in kinds) is (how in ("returns", "crashes"))
    probe.items.clear()


def raise_error() -> None:
    raise ValueError("boom")


def recurse() -> None:
    recurse()


class Failing(gr.Server):
    """Fails at its first message."""

    def handle_message(self, message: gr.Message) -> None:
        raise ValueError("boom")


@pytest.mark.parametrize("entry", [raise_error, recurse, Failing, lambda: gr.exit("boom")])
def test_a_crash_reaches_only_whom_it_is_linked_to(
    node: gr.Node,
    probe: Probe,
    capfd: pytest.CaptureFixture[str],
    entry: Callable[[], None],
) -> None:
    """a crash never reaches the hub or another process except through links."""

    def parent() -> None:
        pid = gr.spawn(entry)
        gr.send(pid, "topic")
        gr.receive()

    linked = node.spawn(wait)
    bystander = node.spawn(wait)
    spawner = node.spawn(parent)
    crashing = node.spawn(entry)
    node.link(node.processes[crashing], node.processes[linked])
    node.monitor(node.processes[probe.pid], crashing)
    node.send(crashing, "topic")

    assert not assert_receive(probe, kind="EXIT").result.is_normal
    settle(node)

    assert set(node.processes) == {probe.pid, bystander, spawner}
    # What reaches the hub is printed by it.
    assert capfd.readouterr().err == ""
    for pid in (bystander, spawner):
        node.terminate(pid)


def bad_topic() -> None:
    gr.send(gr.pid(), "@reserved")


def huge_inbox() -> None:
    for number in range(10_000):
        gr.send(gr.pid(), "topic", number)
    gr.send(gr.pid(), "one too many")


def swallows() -> None:
    for _ in range(10):
        try:
            gr.receive()
        except BaseException:
            continue


def blocks_in_finally() -> None:
    try:
        gr.receive()
    finally:
        # Longer than the grace of the node, and not so long that it counts as a leak.
        gevent.sleep(0.01)


def links_and_names_without_end() -> None:
    for number in range(1_000):
        gr.register(f"name{number}")
        gr.join(f"group{number}")
        gr.monitor(gr.spawn(wait, link=True))
    gr.receive("never")


MISDEEDS = [bad_topic, huge_inbox, swallows, blocks_in_finally, links_and_names_without_end]


@pytest.mark.parametrize("misdeed", MISDEEDS)
def test_nothing_a_process_does_stops_the_supervisor_greenlet(
    node: gr.Node, probe: Probe, misdeed: Callable[[], None]
) -> None:
    """nothing a process does (bad topic, huge inbox, swallowing exceptions, blocking in
    `finally`) stops the supervisor greenlet."""
    node.grace = 0.001
    bad = probe.do(gr.spawn_monitored, misdeed)
    settle(node)
    node.terminate(bad, "boom")

    # Its ending is told, and so are those of others that end after it.
    assert assert_receive(probe, kind="EXIT").pid == bad
    other = probe.do(gr.spawn_monitored, wait, name="name0")
    node.terminate(other)
    assert assert_receive(probe, kind="EXIT").pid == other
    wait_for(lambda: list(node.processes) == [probe.pid])
    settle(node)
    assert len(node.names) == len(node.groups) == len(node.topology) == 0


@pytest.mark.parametrize("how", ["end", "boom", "killed", "crash"])
def test_no_greenlet_monitor_link_name_or_group_entry_outlives_its_process(
    node: gr.Node, how: str
) -> None:
    """no greenlet, monitor, link, name or group entry outlives its process."""
    anchor = node.spawn(lambda: list(gr.inbox()))

    def work(number: int) -> None:
        gr.register(f"name{number}")
        gr.join("group")
        gr.watch("group")
        gr.monitor(anchor)
        gr.monitor("nobody")
        gr.link(node_of_links)
        if gr.receive("go").payload == "crash":
            raise ValueError("boom")

    def hub_of_links() -> None:
        gr.set_options(trap_links=True)
        list(gr.inbox())

    node_of_links = node.spawn(hub_of_links)
    pids = [node.spawn(work, number) for number in range(100)]
    settle(node)
    assert len(gr.members("group")) == 100
    for pid in pids:
        if how in ("boom", "killed"):
            node.terminate(pid, how)
        else:
            node.send(pid, "go", how)
    wait_for(lambda: len(node.processes) == 2)
    settle(node)
    gc.collect()

    assert len(node.names) == len(node.topology) == len(node.groups) == len(node.reaper) == 0
    waiting = [
        each
        for each in gc.get_objects()
        if issubclass(type(each), greenlet) and getattr(each, "greenrelay_process", None)
    ]
    assert len(waiting) == 2
    for pid in (anchor, node_of_links):
        gr.cancel(pid)


def test_a_pid_is_never_reused_within_a_node_nor_after_a_restart() -> None:
    """`node` names one running OS process and never comes back after a restart (it carries an
    incarnation), so a PID is never reused."""
    seen: set[gr.Pid] = set()
    for _ in range(3):
        with gr.Node("same") as node:
            seen |= {node.run(gr.pid) for _ in range(100)}
            assert not any(node.send(pid, "topic") for pid in seen)

    assert len(seen) == 300
    assert len({pid.node for pid in seen}) == 3
    assert all(pid.node.startswith("same") for pid in seen)


def test_hosts_of_one_node_give_no_pid_twice(node: gr.Node) -> None:
    """a PID is never reused."""
    node.add_host(Host("other"))

    pids = [node.spawn(gr.pid, host=host) for host in ("processes", "other") * 50]
    wait_for(lambda: not node.processes)

    assert len(set(pids)) == 100
