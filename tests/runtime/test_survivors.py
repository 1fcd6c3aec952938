"""What tests of runtime let pass when the code was changed on purpose: a test for each such change.

Source: Processes.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from functools import partial
from inspect import signature
from sys import getrefcount
from time import monotonic

import gevent
import pytest

import greenrelay as gr
from greenrelay.core.events import RESULT_KILLED, Cancel
from greenrelay.core.message import Message
from greenrelay.errors import ProcessExit
from greenrelay.runtime.channel import GroupEvents
from greenrelay.runtime.host import Host
from greenrelay.runtime.inbox import Mailbox
from greenrelay.runtime.listening import Channels, TopicBox
from greenrelay.runtime.task import DEAD
from greenrelay.runtime.timers import Timers
from tests.probe import Probe, assert_event, settle, wait, wait_for


class TestProcess:
    def test_who_raises_process_exit_ends_with_its_reason(self, probe: Probe) -> None:
        def main() -> None:
            raise ProcessExit("boom")

        pid = probe.do(gr.spawn_monitored, main)

        assert assert_event(probe, kind="EXIT", pid=pid).result.reason == "boom"

    @pytest.mark.parametrize("function", [gr.link, gr.unlink, gr.terminate])
    def test_a_function_that_ends_its_caller_does_not_return(
        self, node: gr.Node, probe: Probe, function: Callable[[gr.Pid], object]
    ) -> None:
        """A process that has been told to end gets ProcessExit from every one of them."""
        gone = node.spawn(len, "")
        settle(node)
        went_on: list[bool] = []

        def main() -> None:
            function(gone if function is gr.link else gr.pid())
            went_on.append(True)

        pid = probe.do(gr.spawn_monitored, main)
        reason = assert_event(probe, kind="EXIT", pid=pid).result.reason

        expected = {gr.link: "noproc", gr.unlink: "normal", gr.terminate: "killed"}
        assert reason == expected[function]
        assert went_on == ([True] if function is gr.unlink else [])

    @pytest.mark.parametrize("timeout", [0, 0.0, "0s"])
    def test_an_exec_and_a_call_that_may_not_take_time_say_so(
        self, node: gr.Node, timeout: float | str
    ) -> None:
        def main() -> list[float]:
            seconds = []
            child = gr.spawn(wait)
            for asked in (partial(gr.exec, wait), partial(gr.call, child, "topic")):
                with pytest.raises(gr.Timeout) as caught:
                    asked(timeout=timeout)
                seconds.append(caught.value.seconds)
            gr.terminate(child)
            return seconds

        assert node.run(main) == [0.0, 0.0]

    def test_a_process_whose_crash_cannot_be_logged_is_reported(self, probe: Probe) -> None:
        class Broken(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                raise OSError("disk full")

        def main() -> None:
            raise ValueError("boom")

        handler = Broken()
        logging.getLogger("greenrelay").addHandler(handler)
        try:
            pid = probe.do(gr.spawn_monitored, main)

            assert assert_event(probe, kind="EXIT", pid=pid).result.reason == "ValueError"
        finally:
            logging.getLogger("greenrelay").removeHandler(handler)

    def test_an_ending_leaves_nothing_on_stderr(
        self, node: gr.Node, capfd: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(3):
            node.spawn(len, "")
        settle(node)

        assert capfd.readouterr().err == ""

    def test_a_run_that_takes_too_long_is_killed(self, node: gr.Node) -> None:
        with pytest.raises(gr.Timeout) as caught:
            node.run(wait, timeout=0)

        assert caught.value.seconds == 0.0
        wait_for(lambda: not node.processes)

    def test_who_monitors_the_text_of_a_pid_that_is_gone_hears_of_a_pid(
        self, node: gr.Node, probe: Probe
    ) -> None:
        gone = node.spawn(len, "")
        settle(node)

        ref = probe.do(gr.monitor, str.__str__(gone))

        event = assert_event(probe, kind="EXIT", pid=gone)
        assert (event.pid.node, event.ref) == (node.id, ref)
        assert ref.target == gone

    def test_one_that_has_ended_cannot_be_ended_once_more(self, node: gr.Node) -> None:
        pid = node.spawn(len, "")
        process = node.processes[pid]
        settle(node)

        process.end(RESULT_KILLED)

        assert process.state == DEAD
        assert len(node.reaper) == 0

    def test_a_host_carries_only_what_asks_for_it_unless_it_is_the_default(
        self, node: gr.Node
    ) -> None:
        other = Host("other")

        assert node.add_host(other) is other

        pid = node.spawn(wait)
        assert pid.host == "processes"
        node.terminate(pid)
        wait_for(lambda: not node.processes)

    def test_who_watched_a_group_leaves_nothing_behind(self, node: gr.Node) -> None:
        def main() -> None:
            gr.watch("group")

        pid = node.spawn(main)
        wait_for(lambda: pid not in node.processes)
        gc.collect()

        assert not [each for each in gc.get_objects() if isinstance(each, GroupEvents)]

    def test_who_watches_a_group_no_more_leaves_nothing_behind(self, node: gr.Node) -> None:
        def main() -> int:
            own = gr.pid()
            before = getrefcount(own)
            for number in range(100):
                gr.watch(f"group {number}")[1].close()
            return getrefcount(own) - before

        assert node.run(main) < 10

    def test_the_time_a_call_and_an_ending_may_take_is_that_of_the_page(self) -> None:
        """`call(dest, topic, payload=None, timeout=5.0)`."""
        node = gr.Node("name")

        assert signature(gr.call).parameters["timeout"].default == 5.0
        assert signature(gr.Node.shutdown).parameters["timeout"].default == 10.0
        assert (node.grace, node.debug) == (5.0, False)
        node.shutdown()


class TestChannels:
    @pytest.fixture
    def mailbox(self) -> Mailbox:
        mailbox = Mailbox(1000)
        mailbox.channels = Channels()
        mailbox.channels["a"] = TopicBox(mailbox, mailbox.channels)
        return mailbox

    def test_what_a_full_channel_dropped_leaves_the_rest_in_order(self, node: gr.Node) -> None:
        """`drop_oldest`."""
        node.add_host(Host("small", inbox_limit=2, overflow="drop_oldest"))
        found: list[object] = []

        def main() -> None:
            gr.listen("a")
            for number, topic in enumerate("aabab"):
                gr.send(gr.pid(), topic, number)
            gr.unlisten("a")
            found.extend(gr.receive("a", "b", timeout=0).payload for _ in range(4))

        pid = node.spawn(main, host="small")
        wait_for(lambda: pid not in node.processes)

        assert found == [1, 2, 3, 4]

    def test_a_cancel_that_was_read_ends_no_channel_later(self, mailbox: Mailbox) -> None:
        assert mailbox.channels is not None
        box = mailbox.channels["a"]
        mailbox.put_event(Cancel(None, "first", 10.0))
        mailbox.take_event()
        box.put(Message("a", 1))

        mailbox.put_event(Cancel(None, "second", 10.0))

        assert not box.is_cancelled()
        box.take_message()
        assert box.is_cancelled()


class TestTimers:
    def test_a_clock_that_was_moved_fires_nothing_by_itself(self) -> None:
        timers = Timers()
        times = [0.0]
        fired: list[str] = []
        timers.drive(lambda: times[-1])
        timers.call_after(0.001, lambda: fired.append("timer"))

        times.append(1.0)
        # A timer of the hub would fire within this time, and nothing else would tell of it.
        gevent.sleep(0.01)

        assert fired == []
        timers.fire_due()
        assert fired == ["timer"]
        timers.close()

    def test_each_of_many_is_waited_for_in_its_turn(self) -> None:
        timers = Timers()
        start = timers.now()
        fired: list[str] = []
        timers.run_on(lambda: monotonic() - start)
        for _ in range(50):
            timers.call_after(0.01, lambda: None)
        timers.call_after(0.02, lambda: fired.append("last"))

        wait_for(lambda: fired)

        assert len(timers) == 0
        timers.close()

    def test_a_later_call_does_not_put_off_an_earlier_one(self) -> None:
        timers = Timers()
        fired: list[str] = []
        timers.call_after(0.01, lambda: fired.append("soon"))
        timers.call_after(3600.0, lambda: fired.append("late"))

        wait_for(lambda: fired)

        assert fired == ["soon"]
        timers.close()

    def test_what_is_due_at_once_fires_before_what_is_due_later_by_a_clock_that_stands_still(
        self,
    ) -> None:
        timers = Timers()
        fired: list[str] = []
        timers.call_after(0.0, lambda: fired.append("now"))
        timers.call_after(3600.0, lambda: fired.append("later"))
        start = timers.now()

        timers.drive(lambda: start + 1.0)
        wait_for(lambda: fired)

        assert fired == ["now"]
        timers.close()
