"""The rules of the page "Processes" on listen, each quoted by the test that holds it."""

from __future__ import annotations

from typing import Any

import pytest

import greenrelay as gr
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.host import Host
from tests.probe import settle


def put(*topics: str) -> None:
    for topic in topics:
        gr.send(gr.pid(), topic, topic)


def unread() -> list[str]:
    return [name_of(item) for item in iter(look, None)]


def name_of(item: object) -> str:
    return item.topic if isinstance(item, gr.Message) else str(getattr(item, "kind", ""))


def look() -> gr.Message | gr.Event | None:
    try:
        return gr.receive(timeout=0)
    except gr.Timeout:
        return None


class TestListen:
    def test_the_topic_goes_to_a_channel_of_its_own(self, node: gr.Node) -> None:
        """`listen(topic) -> Inbox`: that topic goes to a channel of its own from now on."""

        def main() -> None:
            put("a1", "b")
            channel = gr.listen("b")
            put("b", "a2", "b")

            assert [len(channel), len(gr.inbox())] == [2, 3]
            with pytest.raises(gr.Timeout):
                gr.receive("c", timeout=0)
            assert unread() == ["a1", "b", "a2"]
            assert channel.receive().topic == channel.get_nowait().topic == "b"
            with pytest.raises(gr.Timeout):
                channel.get_nowait()

        node.run(main)

    def test_a_waiting_reader_of_the_channel_is_woken(self, node: gr.Node) -> None:
        def reader() -> object:
            channel = gr.listen("b")
            first = channel.receive(timeout=1).payload
            return first, gr.receive(timeout=1)

        def main() -> None:
            child = gr.spawn_monitored(reader)
            settle(node)
            gr.send(child, "a", 1)
            gr.send(child, "b", 2)
            event = gr.events().receive()
            assert isinstance(event, gr.Exit)
            assert event.result.value == (2, gr.Message("a", 1, gr.pid()))

        node.run(main)

    def test_receive_waits_on_while_the_channel_fills(self, node: gr.Node) -> None:
        def main() -> None:
            gr.listen("b")
            gr.send_after(0.001, gr.pid(), "b")
            gr.send_after(0.002, gr.pid(), "b")
            with pytest.raises(gr.Timeout):
                gr.receive(timeout=0.01)
            assert len(gr.listen("b")) == 2

        node.run(main)

    def test_it_needs_a_process(self, node: gr.Node) -> None:
        """the rest raise `NotInProcess`."""
        for call in (gr.listen, gr.unlisten):
            with pytest.raises(gr.NotInProcess):
                call("b")

    def test_a_topic_cannot_be_reserved(self, node: gr.Node) -> None:
        with pytest.raises(gr.ReservedTopic):
            node.run(gr.listen, "@b")

    def test_iterating_the_channel_ends_with_cancel(self, node: gr.Node) -> None:
        """`for message in inbox()` ends when the process is cancelled."""

        def main() -> list[str]:
            channel = gr.listen("b")
            put("b", "b", "a")
            gr.cancel(gr.pid())
            put("b", "a")
            assert [message.topic for message in gr.listen("late")] == []
            return [message.topic for message in channel]

        assert node.run(main) == ["b", "b"]

    def test_after_cancel_is_read_the_channel_goes_on(self, node: gr.Node) -> None:
        def main() -> int:
            channel = gr.listen("b")
            gr.cancel(gr.pid())
            assert isinstance(gr.receive(), gr.Cancel)
            put("b")
            assert next(channel).topic == "b"
            gr.cancel(gr.pid())
            return len(list(channel))

        assert node.run(main) == 0

    @pytest.mark.parametrize(
        ("overflow", "left"), [("refuse", [0]), ("drop_newest", [0]), ("drop_oldest", [1])]
    )
    def test_the_limit_holds_for_each_channel(
        self, node: gr.Node, overflow: Any, left: list[int]
    ) -> None:
        node.add_host(Host("small", inbox_limit=1, overflow=overflow), default=True)

        def child() -> list[object]:
            channel = gr.listen("b")
            put("a")
            gr.send(gr.pid(), "b", 0)
            try:
                gr.send(gr.pid(), "b", 1)
            except gr.InboxFull:
                assert overflow == "refuse"
            assert gr.receive("a")
            return [channel.get_nowait().payload for _ in range(len(channel))]

        assert node.run(child) == left

    def test_a_blocked_sender_waits_for_the_channel(self, node: gr.Node) -> None:
        node.add_host(Host("small", inbox_limit=1, overflow="block", block_timeout=1))

        def reader() -> list[object]:
            channel = gr.listen("b")
            gr.receive("go")
            return [channel.receive(timeout=1).payload for _ in range(3)]

        def sender(to: gr.Pid) -> None:
            for number in range(3):
                gr.send(to, "b", number)

        def main() -> None:
            child = gr.spawn_monitored(reader)
            gr.spawn(sender, child)
            settle(node)
            gr.send(child, "go")
            event = gr.events().receive()
            assert isinstance(event, gr.Exit)
            assert event.result.value == [0, 1, 2]

        node.run(main)

    def test_when_room_waits_for_what_is_full(self, node: gr.Node) -> None:
        node.add_host(Host("small", inbox_limit=1), default=True)
        told: list[str] = []

        def main() -> None:
            channel = gr.listen("b")
            process = node.processes[gr.pid()]
            process.when_room(lambda: told.append("at once"))
            put("b", "a")
            process.when_room(lambda: told.append("once"))
            assert told == ["at once"]
            channel.receive()
            gr.receive()
            assert told == ["at once", "once"]

        node.run(main)

    def test_info_counts_the_channels(self, node: gr.Node) -> None:
        def main() -> None:
            gr.listen("b")
            put("a", "b", "b")
            seen = gr.info(gr.pid())
            assert seen is not None
            assert (seen.depth, seen.messages_in, seen.high_water) == (3, 3, 2)

        node.run(main)

    def test_a_message_that_may_not_be_refused_goes_to_the_channel(self, node: gr.Node) -> None:
        node.add_host(Host("small", inbox_limit=1), default=True)

        def main() -> int:
            channel = gr.listen("ws.leave")
            put("ws.leave")
            node.route_surely(gr.pid(), "ws.leave", None, gr.pid())
            return len(channel)

        assert node.run(main) == 2

    def test_an_ended_process_takes_nothing(self, node: gr.Node) -> None:
        kept: list[FunctionProcess] = []

        def main() -> None:
            gr.listen("b")
            process = node.processes[gr.pid()]
            assert isinstance(process, FunctionProcess)
            kept.append(process)

        node.run(main)

        assert not kept[0].deliver(gr.Message("b"))
        assert not kept[0].deliver_surely(gr.Message("b"))
        settle(node)


class TestUnlisten:
    def test_what_is_unread_goes_back_where_it_had_arrived(self, node: gr.Node) -> None:
        def main() -> None:
            plain = type(node.processes[gr.pid()])
            gr.listen("b")
            gr.listen("c")
            put("b", "a1", "c", "b", "a2", "c", "b", "a3")
            assert gr.receive("a1")
            gr.unlisten("c")
            gr.unlisten("b")
            gr.unlisten("b")
            gr.unlisten("never")
            assert type(node.processes[gr.pid()]) is plain
            put("b")
            assert unread() == ["b", "c", "b", "a2", "c", "b", "a3", "b"]

        node.run(main)

    def test_messages_taken_out_of_turn_change_no_order(self, node: gr.Node) -> None:
        def main() -> None:
            gr.listen("b")
            put("a1", "b", "a2", "a3")
            gr.receive("a3")
            gr.unlisten("b")
            assert unread() == ["a1", "b", "a2"]

        node.run(main)

    def test_an_event_stays_behind_what_arrived_before_it(self, node: gr.Node) -> None:
        """A message sent before an ending … is received before that ending (per-pair order)."""

        def child(to: gr.Pid) -> None:
            gr.send(to, "b")
            gr.send(to, "a")
            gr.send(to, "b")

        def main() -> list[str]:
            gr.listen("b")
            gr.spawn_monitored(child, gr.pid())
            settle(node)
            put("a")
            gr.unlisten("b")
            return [name_of(each) for each in iter(look, None)]

        assert node.run(main) == ["b", "a", "b", "EXIT", "a"]

    def test_the_limit_may_be_passed(self, node: gr.Node) -> None:
        node.add_host(Host("small", inbox_limit=1), default=True)

        def main() -> None:
            gr.listen("b")
            put("a", "b")
            gr.unlisten("b")
            with pytest.raises(gr.InboxFull):
                put("a")
            assert unread() == ["a", "b"]

        node.run(main)


def test_what_iteration_has_left_goes_back_to_where_it_had_arrived(node: gr.Node) -> None:
    def main() -> list[object]:
        channel = gr.listen("a")
        for topic, number in (("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5)):
            gr.send(gr.pid(), topic, number)
        first = next(channel).payload
        gr.unlisten("a")
        inbox = gr.inbox()
        return [first, *(inbox.get_nowait().payload for _ in range(4))]

    assert node.run(main) == [1, 2, 3, 4, 5]
