"""What tests of the smaller modules of runtime let pass when the code was changed on purpose.

Source: Processes.
"""

from __future__ import annotations

import pytest
from gevent.event import Event as Flag

import greenrelay as gr
from greenrelay.testing import VirtualClock
from tests.probe import Probe, assert_event, assert_receive, settle


def refuse(release: Flag) -> None:
    """Go on, however often one is told to end."""
    while not release.is_set():
        try:
            release.wait()
        except BaseException:
            continue


class TestReaper:
    def test_each_has_its_own_grace(
        self, node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
    ) -> None:
        node.grace = 10.0
        release = Flag()
        first, second = (
            process_probe.do(gr.spawn_monitored, refuse, release) for _ in ("first", "second")
        )
        settle(node)
        node.terminate(first)
        virtual_clock.advance(6)
        node.terminate(second)

        virtual_clock.advance(3.9)
        assert {first, second} <= set(node.processes)
        virtual_clock.advance(0.2)
        assert_event(process_probe, kind="EXIT", pid=first)
        assert second in node.processes
        virtual_clock.advance(5.8)
        assert second in node.processes
        virtual_clock.advance(0.2)
        assert_event(process_probe, kind="EXIT", pid=second)
        release.set()
        settle(node)

    def test_whoever_is_told_later_is_given_up_as_well(
        self, node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
    ) -> None:
        node.grace = 1.0
        release = Flag()
        for _ in range(2):
            pid = process_probe.do(gr.spawn_monitored, refuse, release)
            settle(node)
            node.terminate(pid)
            virtual_clock.advance(1.1)

            assert_event(process_probe, kind="EXIT", pid=pid)
        release.set()
        settle(node)


class TestUpgrade:
    def test_arguments_by_name_belong_to_the_old_code(self, node: gr.Node) -> None:
        def old(*, factor: int) -> None:
            gr.upgrade(new, factor)

        def new(*state: int, **options: int) -> object:
            return state, options

        assert node.run(old, factor=3) == ((3,), {})

    def test_nothing_of_the_old_code_runs_after_it(self, node: gr.Node) -> None:
        went_on: list[bool] = []

        def old() -> None:
            gr.upgrade(lambda: "new")
            went_on.append(True)

        assert node.run(old) == "new"
        assert went_on == []


class TestContext:
    def test_what_is_sent_with_a_context_counts(self, node: gr.Node, probe: Probe) -> None:
        before = node.processes[probe.pid].sent

        probe.do(gr.with_context(user="ada").send, probe.pid, "topic")

        assert_receive(probe, topic="topic")
        assert node.processes[probe.pid].sent == before + 1


class TestEntries:
    @pytest.mark.parametrize("entry", ["worker", "tests.runtime.test_survivors_rest:NOTHING"])
    def test_what_cannot_be_called_is_named(self, node: gr.Node, entry: str) -> None:
        node.entries.declare("worker", "tests.runtime.test_survivors_rest:NOTHING")

        with pytest.raises(gr.UnknownEntry, match=entry) as caught:
            node.spawn(entry)

        assert "NOTHING is not callable" in str(caught.value)


class TestGroups:
    def test_what_was_not_read_goes_with_a_closed_watch(self, node: gr.Node, probe: Probe) -> None:
        def watch() -> int:
            _, changes = gr.watch("room")
            gr.join("room")
            changes.close()
            return len(changes)

        assert node.run(watch) == 0

    def test_a_timeout_of_what_is_not_there_is_of_no_time(self, probe: Probe) -> None:
        with pytest.raises(gr.Timeout) as caught:
            probe.do(lambda: gr.inbox().get_nowait())

        assert "within 0" in str(caught.value)


NOTHING = 7
