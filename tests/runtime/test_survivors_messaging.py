"""What tests of messaging let pass when the code was changed on purpose: a test for each change.

Source: Processes, "Functions" and "Hosts, inboxes, back-pressure".
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

import pytest
from gevent.event import Event

import greenrelay as gr
from greenrelay.runtime.host import Host
from greenrelay.runtime.timers import Timers
from tests.probe import Probe, assert_receive, end, settle, wait, wait_for


def info_of(pid: gr.Pid) -> gr.ProcessInfo:
    info = gr.info(pid)
    assert info is not None
    return info


class TestCounts:
    def test_nothing_is_counted_of_one_that_got_nothing(self, node: gr.Node) -> None:
        pid = node.spawn(wait)

        info = info_of(pid)

        assert (info.depth, info.high_water, info.messages_in, info.dropped) == (0, 0, 0, 0)
        end(node, pid)

    def test_each_message_counts_once_whichever_way_it_was_sent(self, node: gr.Node) -> None:
        class Room(gr.Server):
            def handle_call(self, message: gr.Message) -> str:
                return "reply"

        room = node.spawn(Room)

        def main() -> int:
            gr.send(room, "topic")
            gr.call(room, "topic")
            gr.send_after(0, room, "topic")
            return info_of(gr.pid()).messages_out

        assert node.run(main) == 3
        wait_for(lambda: info_of(room).messages_in >= 3)
        settle(node)
        assert info_of(room).messages_in == 3
        end(node, room)

    def test_what_comes_back_from_a_channel_counts_for_the_high_water_mark(
        self, node: gr.Node
    ) -> None:
        def main() -> int:
            gr.listen("a")
            for topic in "aabb":
                gr.send(gr.pid(), topic)
            gr.unlisten("a")
            return info_of(gr.pid()).high_water

        assert node.run(main) == 4

    def test_the_node_expects_none_to_end_that_has_ended(self, node: gr.Node) -> None:
        pid = node.spawn(wait)
        settle(node)

        end(node, pid)

        assert len(node.reaper) == 0


@pytest.mark.parametrize("topic", ["", "@exit", None])
def test_no_message_from_outside_has_a_reserved_topic(
    node: gr.Node, probe: Probe, topic: str
) -> None:
    for dest in (probe.pid, str.__str__(probe.pid)):
        with pytest.raises(gr.ReservedTopic):
            node.send(dest, topic)

    assert probe.items == []


class TestBlockedSender:
    """One that waits for room in a full inbox, or in a full channel."""

    @pytest.fixture
    def start(self, node: gr.Node) -> Callable[[Callable[[], object]], list[object]]:
        node.add_host(Host("full", inbox_limit=1, overflow="block", block_timeout=3600.0))
        found: list[object] = []

        def sender(to: gr.Pid) -> None:
            for number in range(2):
                try:
                    found.append(gr.send(to, "a", number))
                except gr.InboxFull:
                    found.append("full")

        def start(reader: Callable[[], object]) -> list[object]:
            to = node.spawn(reader, host="full")
            settle(node)
            node.spawn(sender, to)
            settle(node)
            node.send(to, "go")
            return found

        return start

    def test_it_goes_on_when_a_message_is_taken_by_topic(
        self, start: Callable[[Callable[[], object]], list[object]], probe: Probe
    ) -> None:
        def reader() -> None:
            gr.listen("go").receive()
            for _ in range(2):
                gr.send(probe.pid, "read", gr.receive("a").payload)

        found = start(reader)

        assert [assert_receive(probe, topic="read").payload for _ in range(2)] == [0, 1]
        assert found == [True, True]

    def test_it_goes_on_when_who_had_a_full_channel_ends(
        self, start: Callable[[Callable[[], object]], list[object]], node: gr.Node
    ) -> None:
        def reader() -> None:
            gr.listen("a")
            gr.receive("go")

        found = start(reader)

        wait_for(lambda: len(node.processes) == 0)
        assert found[0] is True
        assert len(found) == 2


class TestHub:
    def test_processes_that_start_each_other_leave_time_for_timers(self, node: gr.Node) -> None:
        is_over: list[bool] = []
        node.timers.call_after(0.01, lambda: is_over.append(True))

        def again() -> None:
            if not is_over:
                gr.spawn(again)

        node.spawn(again)

        wait_for(lambda: is_over and not node.processes)

    def test_processes_that_answer_each_other_leave_time_for_timers(self, node: gr.Node) -> None:
        is_over: list[bool] = []
        node.timers.call_after(0.01, lambda: is_over.append(True))

        def player(other: gr.Pid | None) -> None:
            if other is not None:
                gr.send(other, "ball", gr.pid())
            while not is_over:
                gr.send(str(gr.receive("ball").payload), "ball", gr.pid())

        one = node.spawn(player, None)
        other = node.spawn(player, one)

        wait_for(lambda: is_over)
        end(node, one, other)

    def test_waiting_for_a_timer_takes_no_time_of_the_processor(self) -> None:
        timers = Timers()
        looks: list[float] = []
        fired: list[bool] = []

        def now() -> float:
            looks.append(monotonic())
            return looks[-1]

        timers.run_on(now)
        timers.call_after(0.03, lambda: fired.append(True))
        wait_for(lambda: fired)

        assert len(looks) < 20
        timers.close()


def test_a_kill_interrupts_the_cleanup_it_has_started_no_second_time(node: gr.Node) -> None:
    go, release = Event(), Event()
    seen: list[str] = []

    def victim() -> None:
        try:
            go.wait()
            gr.receive()
        finally:
            seen.append("cleanup")
            release.wait()
            seen.append("clean")

    def killer() -> None:
        go.set()
        gr.terminate(pid)
        # Longer than the processes have before the hub looks at what gevent has for it.
        until = monotonic() + 0.005
        while monotonic() < until:
            pass

    pid = node.spawn(victim)
    settle(node)
    node.spawn(killer)
    settle(node)
    assert seen == ["cleanup"]
    release.set()

    wait_for(lambda: pid not in node.processes)
    assert seen == ["cleanup", "clean"]


def test_who_has_its_answer_is_part_of_no_circle_of_calls(node: gr.Node, probe: Probe) -> None:
    class Room(gr.Server):
        def handle_call(self, message: gr.Message) -> object:
            return "reply"

        def handle_message(self, message: gr.Message) -> None:
            try:
                gr.call(str(message.payload), "topic", timeout=0.01)
            except gr.Timeout as error:
                gr.send(probe.pid, "timeout", str(error))

    room = node.spawn(Room)

    def main() -> None:
        gr.call(room, "topic")
        gr.send(room, "call back", gr.pid())
        gr.receive("never")

    pid = node.spawn(main)

    text = assert_receive(probe, topic="timeout").payload
    assert "waits for" not in text
    assert "(" not in text
    end(node, pid, room)


def test_a_call_of_one_that_is_ending_is_answered_at_once(node: gr.Node) -> None:
    release = Event()

    def ending() -> None:
        try:
            gr.receive()
        finally:
            release.wait()

    pid = node.spawn(ending)
    settle(node)

    def main() -> str:
        gr.terminate(pid)
        with pytest.raises(gr.ProcessDown) as caught:
            gr.call(pid, "topic", timeout=60.0)
        return caught.value.reason

    assert node.run(main) == "noproc"
    assert pid in node.processes
    release.set()
    wait_for(lambda: pid not in node.processes)
