"""Many processes: a million that come and go, a hundred thousand at once, ten thousand linked.

Sizes are in bytes for each process; nothing here looks at a clock.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable

import pytest

import greenrelay as gr
from greenrelay.runtime.host import Host
from greenrelay.runtime.task import WAITING
from tests.probe import Probe, assert_receive, settle, wait, wait_for

MILLION = 1_000_000
MANY = 100_000
LINKED = 10_000
WARM_UP = 20_000
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> int:
    """Return how much memory this OS process has, in bytes."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * PAGE


def nothing() -> None:
    pass


class Idle(gr.Server):
    """Does nothing."""


@pytest.fixture
def wide(node: gr.Node) -> gr.Node:
    """A node whose default host takes all that these tests spawn."""
    node.add_host(Host("wide", max_processes=3 * MANY, inbox_limit=3 * MANY), default=True)
    return node


def in_batches(total: int, batch: int, spawn_some: Callable[[int], object]) -> None:
    for _ in range(total // batch):
        spawn_some(batch)


def growth(node: gr.Node, total: int, batch: int, spawn_some: Callable[[int], object]) -> int:
    """Return the bytes the memory has grown by while ``total`` processes came and went.

    Others do before, so that what is made once (workers, arenas) is there.
    """
    node.run(in_batches, WARM_UP, batch, spawn_some)
    settle(node)
    gc.collect()
    before, objects = resident(), len(gc.get_objects())
    node.run(in_batches, total, batch, spawn_some)
    settle(node)
    gc.collect()
    assert len(gc.get_objects()) - objects < total // 100
    return resident() - before


def test_memory_after_a_million_spawns_is_flat(wide: gr.Node) -> None:
    """memory after a million spawns is flat."""

    def spawn_some(count: int) -> None:
        for _ in range(count - 1):
            gr.spawn(nothing)
        gr.exec(nothing)

    grown = growth(wide, MILLION, 1_000, spawn_some)

    # Two bytes for each would be a leak of something; a page here and there is none.
    assert grown < 2 * MILLION
    assert_empty(wide)


def test_memory_stays_flat_with_all_that_hangs_on_a_process(wide: gr.Node) -> None:
    """no greenlet, monitor, link, name or group entry outlives its process."""

    def work(name: str) -> None:
        gr.register(name)
        gr.join("group")
        gr.listen("topic")
        gr.receive()

    def spawn_some(count: int) -> None:
        gr.set_options(trap_links=True)
        for number in range(count):
            pid = gr.spawn_linked_monitored(work, f"name{number}")
            gr.send(pid, "topic", [number])
            gr.send_after(3600, pid, "never").cancel()
        pids = [each.pid for each in gr.processes() if each.pid != gr.pid()]
        for index, pid in enumerate(pids):
            gr.terminate(pid, "boom") if index % 2 else gr.send(pid, "end")
        ends = 0
        while ends < count:
            ends += gr.receive().kind == "EXIT"  # type: ignore[union-attr]

    grown = growth(wide, LINKED * 2, 100, spawn_some)

    assert grown < LINKED * 2 * 40
    assert_empty(wide)


def test_memory_stays_flat_when_servers_come_and_go(wide: gr.Node) -> None:
    """no greenlet, monitor, link, name or group entry outlives its process."""

    def spawn_some(count: int) -> None:
        pids = [gr.spawn_monitored(Idle) for _ in range(count)]
        for pid in pids:
            gr.terminate(pid)
        for _ in pids:
            assert gr.receive().kind == "EXIT"  # type: ignore[union-attr]

    grown = growth(wide, MANY, 1_000, spawn_some)

    assert grown < MANY * 20
    assert_empty(wide)


def assert_empty(node: gr.Node) -> None:
    assert not node.processes
    assert len(node.names) == len(node.topology) == len(node.groups) == len(node.reaper) == 0
    assert {host.count for host in node.hosts.values()} == {0}


def echo() -> None:
    for message in gr.inbox():
        assert message.sender is not None
        gr.send(message.sender, "echo", message.payload)


class Echo(gr.Server):
    """Sends back what it gets."""

    def handle_message(self, message: gr.Message) -> None:
        assert message.sender is not None
        gr.send(message.sender, "echo", message.payload)


@pytest.mark.parametrize(
    ("entry", "most_bytes"), [(echo, 20_000), (Echo, 4_000)], ids=["functions", "servers"]
)
def test_a_hundred_thousand_processes_live_at_once(
    wide: gr.Node, entry: object, most_bytes: int
) -> None:
    """100,000 processes live at once in one worker."""
    before = resident()
    pids = [wide.spawn(entry) for _ in range(MANY)]
    wait_for(lambda: not wide.scheduler.is_busy, timeout=60)

    assert len(wide.processes) == MANY
    assert {process.state for process in wide.processes.values()} == {WAITING}
    assert (resident() - before) / MANY < most_bytes

    def ask_all() -> int:
        for number, pid in enumerate(pids):
            gr.send(pid, "ask", number)
        return len({gr.receive("echo").payload for _ in pids})

    assert wide.run(ask_all) == MANY
    for pid in pids:
        wide.terminate(pid)
    wait_for(lambda: not wide.processes, timeout=60)


@pytest.mark.parametrize("entry", [wait, Idle], ids=["functions", "servers"])
@pytest.mark.parametrize("shape", ["star", "chain"])
def test_a_cascade_over_10_000_links_ends_once_each(
    wide: gr.Node, probe: Probe, entry: object, shape: str
) -> None:
    """a cascade over 10,000 links ends once each."""
    pids = [probe.do(gr.spawn_monitored, entry) for _ in range(LINKED)]
    processes = [wide.processes[pid] for pid in pids]
    for index, process in enumerate(processes[1:]):
        wide.link(processes[0 if shape == "star" else index], process)
    settle(wide)

    wide.terminate(pids[0], "boom")
    wait_for(lambda: len(probe.items) >= LINKED, timeout=60)
    settle(wide)

    assert Counter(event.pid for event in probe.items) == Counter(pids)  # type: ignore[union-attr]
    assert {event.result.reason for event in probe.items} == {"boom"}  # type: ignore[union-attr]
    assert list(wide.processes) == [probe.pid]
    probe.items.clear()


def test_15_a_hundred_thousand_watchers_of_one_process_hear_of_it_once(wide: gr.Node) -> None:
    """15 100,000 monitors on one process, and one process with 100,000: linear."""
    target = wide.spawn(wait)
    heard: list[gr.Pid] = []

    class Watcher(gr.Server):
        def init(self) -> None:
            gr.monitor(target)

        def handle_event(self, event: object) -> object:
            assert isinstance(event, gr.Exit)
            assert event.result.reason == "boom"
            heard.append(gr.pid())
            return None

    pids = [wide.spawn(Watcher) for _ in range(MANY)]
    wait_for(lambda: not wide.scheduler.is_busy, timeout=60)
    wide.terminate(target, "boom")
    wait_for(lambda: len(heard) >= MANY, timeout=60)
    settle(wide)

    assert Counter(heard) == Counter(pids)
    assert len(wide.topology) == 0
    for pid in pids:
        wide.terminate(pid)


def test_15_one_process_hears_of_a_hundred_thousand_that_end(wide: gr.Node, probe: Probe) -> None:
    """15 100,000 monitors on one process, and one process with 100,000: linear."""

    def main() -> None:
        pids = [gr.spawn_monitored(Idle) for _ in range(MANY)]
        for pid in pids:
            gr.terminate(pid, "boom")
        ended = Counter(gr.receive().pid for _ in pids)  # type: ignore[union-attr]
        assert ended == Counter(pids)
        gr.send(probe.pid, "heard of all")

    wide.spawn(main)

    assert assert_receive(probe, topic="heard of all", timeout=60)
    wait_for(lambda: len(wide.processes) == 1)
    assert len(wide.topology) == 0
