"""What processes keep and show: locals, records, drops, states of services."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

import greenrelay as gr
from greenrelay.core.strategy import Child
from greenrelay.runtime.host import Host
from greenrelay.runtime.service import services, start_services
from tests.probe import settle, wait_for, wait_for_ever


class Big:
    """Something that is worth being freed."""


@pytest.fixture
def no_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def exits() -> None:
    gr.exit("boom")


def crashes() -> None:
    raise ValueError("boom")


@pytest.mark.parametrize("finish", [exits, crashes, gr.receive, wait_for_ever])
def test_a_process_that_ended_in_any_way_frees_its_locals_at_once(
    node: gr.Node, no_collection: None, finish: Callable[[], object]
) -> None:
    """a live traceback pins every frame's locals."""
    kept: list[weakref.ref[Big]] = []

    def main() -> None:
        big = Big()
        kept.append(weakref.ref(big))
        finish()

    pid = node.spawn(main)
    settle(node)
    node.terminate(pid)
    wait_for(lambda: pid not in node.processes)
    settle(node)

    assert kept[0]() is None


def test_a_server_that_crashed_or_was_ended_frees_its_locals_at_once(
    node: gr.Node, no_collection: None
) -> None:
    kept: list[weakref.ref[Big]] = []

    class Room(gr.Server):
        def handle_message(self, message: gr.Message) -> None:
            big = Big()
            kept.append(weakref.ref(big))
            (gr.receive if message.topic == "wait" else crashes)()

    for topic in ("wait", "crash"):
        pid = node.spawn(Room)
        node.send(pid, topic)
        settle(node)
        node.terminate(pid)
        wait_for(lambda pid=pid: pid not in node.processes)  # type: ignore[misc]
    settle(node)

    assert [each() for each in kept] == [None, None]


def test_a_waiting_process_keeps_nothing_of_whom_it_made_way_for(
    node: gr.Node, no_collection: None
) -> None:
    """It waits inside the call that switched to another one, which may have ended long since."""
    kept: list[weakref.ref[Big]] = []

    def main() -> None:
        for _ in range(3):
            big = Big()
            kept.append(weakref.ref(big))
            gr.spawn(lambda big=big: None)
        del big
        gr.receive()

    node.run(lambda: None)
    pid = node.spawn(main)
    wait_for(lambda: list(node.processes) == [pid])
    settle(node)

    assert [each() for each in kept] == [None] * 3
    node.terminate(pid)


def test_what_a_full_inbox_drops_is_counted_for_its_process(node: gr.Node) -> None:
    """Drops are counted per process and as a metric."""
    node.add_host(Host("small", inbox_limit=2, overflow="drop_newest"))
    pids = [node.spawn(wait_for_ever, host="small") for _ in range(2)]
    settle(node)
    for number in range(5):
        node.send(pids[0], "topic", number)

    infos = [gr.info(pid) for pid in pids]

    assert [info.dropped for info in infos if info is not None] == [3, 0]
    for pid in pids:
        node.terminate(pid)


def test_the_states_of_services_are_visible_in_info(node: gr.Node) -> None:
    """States: starting, running, stopping, stopped, exited, failed, visible in `info()`."""
    supervisor = start_services(
        node, [Child("up", gr.receive), Child("over", len, args=("",), restart="transient")]
    )
    wait_for(lambda: [each.state for each in services(node)] == ["running", "exited"])
    running = services(node)[0]
    assert running.pid is not None

    whole, one = gr.info(supervisor), gr.info(running.pid)

    assert whole is not None
    assert one is not None
    assert whole.children == services(node)
    assert one.child == running
    gr.cancel(supervisor)
    wait_for(lambda: not node.processes)


def test_a_node_has_a_watchdog_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    """A watchdog names the process, entry and stack that kept the hub busy (configurable)."""

    def spin() -> gr.Pid:
        end = monotonic() + 10
        while not caplog.records and monotonic() < end:
            pass
        return gr.pid()

    with gr.Node("watched", watchdog="20ms") as node:
        pid = node.run(spin)
        watchdog = node.watchdog
        assert watchdog is not None
        assert watchdog.is_running

    assert f"{pid} ({__name__}:" in caplog.text
    assert not watchdog.is_running


def test_what_a_process_returned_is_freed_once_its_ending_was_told(node: gr.Node) -> None:
    kept: list[weakref.ref[Big]] = []
    watcher = node.spawn(gr.receive)

    def main() -> Big:
        big = Big()
        kept.append(weakref.ref(big))
        gr.link(watcher)
        return big

    node.spawn(main)
    settle(node)
    gc.collect()

    assert kept[0]() is None
    node.terminate(watcher)
