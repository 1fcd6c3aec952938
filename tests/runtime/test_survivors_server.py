"""What tests of servers let pass when the code was changed on purpose: a test for each such change.

Source: Processes, "Servers".
"""

from __future__ import annotations

from gevent.event import Event as Flag

import greenrelay as gr
from greenrelay.core.events import Exit
from tests.probe import Probe, assert_event, assert_receive, settle


class TestServer:
    def test_a_handler_that_reads_the_inbox_goes_on_when_the_server_is_cancelled(
        self, probe: Probe
    ) -> None:
        class Room(gr.Server):
            def handle_message(self, message: gr.Message) -> None:
                gr.cancel(gr.pid())
                gr.send(gr.pid(), "more")
                gr.send(probe.pid, next(iter(gr.inbox())).topic)

        pid = probe.do(gr.spawn_monitored, Room)
        gr.send(pid, "topic")

        assert_receive(probe, topic="more")
        assert_event(probe, kind="EXIT", pid=pid)

    def test_one_that_has_something_to_do_cleans_up_once(self, probe: Probe) -> None:
        reasons: list[str] = []
        release = Flag()

        class Room(gr.Server):
            def terminate(self, reason: str) -> None:
                reasons.append(reason)
                release.wait()

        pid = probe.do(gr.spawn_monitored, Room)
        settle(probe.node)

        def main() -> None:
            gr.send(pid, "topic")
            gr.terminate(pid, "boom")

        probe.do(main)
        settle(probe.node)
        release.set()

        assert assert_event(probe, kind="EXIT", pid=pid).result.reason == "boom"
        assert reasons == ["boom"]

    def test_init_gets_what_was_given_by_name(self, node: gr.Node) -> None:
        class Room(gr.Server):
            def init(self, name: str, *, size: int) -> None:
                self.state = (name, size)

            def handle_call(self, message: gr.Message) -> object:
                return gr.stop(reply=self.state)

        pid = node.spawn(Room, "tea", size=3)

        assert node.run(gr.call, pid, "state") == ("tea", 3)

    def test_init_may_end_it(self, probe: Probe) -> None:
        handled: list[str] = []

        class Room(gr.Server):
            def init(self) -> object:
                return gr.stop("full")

            def handle_message(self, message: gr.Message) -> None:
                handled.append(message.topic)

        def main() -> gr.Pid:
            pid = gr.spawn_monitored(Room)
            gr.send(pid, "topic")
            return pid

        pid = probe.do(main)

        assert assert_event(probe, kind="EXIT", pid=pid).result.reason == "full"
        assert handled == []

    def test_an_idle_one_cleans_up_when_a_process_that_waits_ends_it(self, node: gr.Node) -> None:
        reasons: list[str] = []

        class Room(gr.Server):
            def handle_message(self, message: gr.Message) -> None:
                gr.send(str(message.payload), "idle")

            def terminate(self, reason: str) -> None:
                reasons.append(reason)

        def main() -> str:
            pid = gr.spawn_monitored(Room)
            gr.send(pid, "topic", gr.pid())
            gr.receive("idle")
            gr.terminate(pid, "boom")
            event = gr.events().receive(timeout=1)
            assert isinstance(event, Exit)
            return event.result.reason

        assert node.run(main) == "boom"
        assert reasons == ["boom"]

    def test_one_that_was_ended_in_a_handler_handles_nothing_more(
        self, node: gr.Node, probe: Probe
    ) -> None:
        handled: list[str] = []

        class Room(gr.Server):
            def handle_message(self, message: gr.Message) -> None:
                handled.append(message.topic)
                node.terminate(pid)

        pid = probe.do(gr.spawn_monitored, Room)
        for topic in ("first", "second"):
            node.send(pid, topic)

        assert assert_event(probe, kind="EXIT", pid=pid).result.reason == "killed"
        assert handled == ["first"]

    def test_an_idle_one_that_was_ended_is_expected_to_end_no_more(self, node: gr.Node) -> None:
        pid = node.spawn(gr.Server)
        settle(node)

        node.terminate(pid)

        assert pid not in node.processes
        assert len(node.reaper) == 0
