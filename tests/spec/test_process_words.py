"""More rules of the page "Processes", each quoted by the test that holds it."""

from __future__ import annotations

import logging
from typing import Any

import pytest

import greenrelay as gr
from tests.probe import Probe, assert_receive, settle, wait, wait_for


class TestAfterAnExit:
    def test_what_was_put_off_by_who_has_ended_has_no_sender(self, node: gr.Node) -> None:
        """no message after EXIT from the same pair."""

        def child(boss: gr.Pid) -> None:
            gr.send_after(0, boss, "soon")
            gr.receive("go on")
            gr.send_after("10ms", boss, "late", "still comes")

        def main() -> list[Any]:
            pid = gr.spawn_monitored(child, gr.pid())
            soon = gr.receive()
            gr.send(pid, "go on")
            return [pid, soon, gr.receive(), gr.receive()]

        pid, soon, exit_event, late = node.run(main)

        assert soon == gr.Message("soon", sender=pid)
        assert exit_event.pid == pid
        assert late == gr.Message("late", "still comes", sender=None)

    def test_unlisten_leaves_an_exit_before_what_came_after_it(self, node: gr.Node) -> None:
        """the next of inbox and events in arrival order."""

        def main() -> list[object]:
            gr.listen("hello")
            gr.send(gr.pid(), "hello", "before")
            gr.spawn_monitored(len, ())
            settle(node)
            gr.send(gr.pid(), "hello", "after")
            gr.unlisten("hello")
            items = [gr.receive(timeout=0) for _ in range(3)]
            return [item.payload if isinstance(item, gr.Message) else item.kind for item in items]

        assert node.run(main) == ["before", "EXIT", "after"]


class TestUnmonitor:
    def test_a_name_stands_for_who_had_it(self, node: gr.Node) -> None:
        """All take a PID, its text, or a registered name wherever `dest` stands."""

        def main() -> None:
            gone = gr.spawn(wait, name="worker")
            other = gr.spawn(wait, name="other")
            for name in ("worker", "worker", "other"):
                gr.monitor(name)
            gr.terminate(gone)
            gr.terminate(other)
            settle(node)
            new = gr.spawn(wait, name="worker")

            assert gr.unmonitor("worker") is False

            assert [event.pid for event in (gr.receive(timeout=0),)] == [other]  # type: ignore[union-attr]
            with pytest.raises(gr.Timeout):
                gr.receive(timeout=0)
            gr.terminate(new)

        node.run(main)

    def test_the_exit_of_a_name_nobody_had_goes_too(self, node: gr.Node) -> None:
        def main() -> None:
            gr.monitor("worker")
            pid = gr.spawn(wait, name="worker")
            gr.unmonitor("worker")
            with pytest.raises(gr.Timeout):
                gr.receive(timeout=0)
            gr.terminate(pid)

        node.run(main)

    def test_of_a_process_that_lives_no_event_is_looked_for(self, node: gr.Node) -> None:
        def main() -> bool:
            gr.spawn_monitored(len, ())
            pid = gr.spawn_monitored(wait)
            settle(node)
            process: Any = node.processes[gr.pid()]
            unread = process.mailbox.events
            assert gr.unmonitor(pid) is True
            gr.terminate(pid)
            # Looking for one makes them all anew.
            return process.mailbox.events is unread

        assert node.run(main) is True

    def test_the_exits_of_others_stay(self, node: gr.Node) -> None:
        def main() -> list[object]:
            one, other = (gr.spawn_monitored(len, ()) for _ in range(2))
            settle(node)
            gr.unmonitor(one)
            return [gr.receive(timeout=0).pid == other, len(gr.events())]  # type: ignore[union-attr]

        assert node.run(main) == [True, 0]


class TestContext:
    def test_the_context_a_node_is_given_stays_the_callers(self, node: gr.Node) -> None:
        """values (request id, actor, trace) that children inherit and messages carry."""
        values: dict[str, object] = {"user": 1}

        def tell() -> None:
            gr.send("probe", "started", dict(gr.context()))
            gr.send("probe", "got", dict(gr.receive().context))  # type: ignore[union-attr]
            with pytest.raises(TypeError):
                gr.context()["user"] = 2  # type: ignore[index]

        with Probe(node) as probe:
            probe.do(gr.register, "probe")
            pid = node.spawn(tell, context=values)
            node.send(pid, "topic", context=values)
            node.send_after(0, pid, "topic", context=values)
            values["user"] = 3

            assert assert_receive(probe, topic="started").payload == {"user": 1}
            assert assert_receive(probe, topic="got").payload == {"user": 1}
            wait_for(lambda: pid not in node.processes)

    def test_a_message_that_carries_values_is_heard_like_any_other(self, node: gr.Node) -> None:
        heard: list[tuple[str, str, object]] = []

        def main() -> None:
            me = gr.pid()
            node.processes[me].outlet = lambda *message: heard.append(message)
            gr.send(me, "plain", 1)
            gr.with_context(user=1).send(me, "with values", 2)

        node.run(main)

        assert [message[1:] for message in heard] == [("plain", 1), ("with values", 2)]


class TestLink:
    def test_the_pid_of_a_link_down_is_a_pid(self, node: gr.Node) -> None:
        """`LinkDown(pid, result)`; linking a dead PID delivers LINK_DOWN `noproc`."""

        def main() -> list[object]:
            gr.set_options(trap_links=True)
            pid = gr.spawn_monitored(len, ())
            gr.receive()
            for dest in (pid, str.__str__(pid), "nobody"):
                gr.link(dest)
            return [gr.receive(timeout=0).pid for _ in range(3)] + [pid]  # type: ignore[union-attr]

        *found, pid = node.run(main)

        assert found == [pid, pid, "nobody"]
        assert [type(each) for each in found] == [gr.Pid, gr.Pid, str]


class TestStrictPayloads:
    """a payload that cannot be encoded raises `UnsendablePayload` in the sender."""

    def test_a_reply_is_refused_in_who_replies(self) -> None:
        def server() -> None:
            message = gr.receive("question")
            with pytest.raises(gr.UnsendablePayload, match="reply"):
                gr.reply(message, object())
            gr.reply(message, "answer")

        with gr.Node("strict", strict_payloads=True) as node:
            answer = node.run(lambda: gr.call(gr.spawn(server), "question"))

        assert answer == "answer"

    def test_a_server_that_returns_such_a_reply_crashes(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Room(gr.Server):
            def handle_call(self, message: gr.Message) -> object:
                return message.topic if message.topic == "fine" else object()

        def main() -> str:
            room = gr.spawn(Room)
            assert gr.call(room, "fine") == "fine"
            with pytest.raises(gr.ProcessDown) as caught:
                gr.call(room, "bad")
            return str(caught.value.reason)

        with gr.Node("strict", strict_payloads=True) as node, caplog.at_level(logging.ERROR):
            reason = node.run(main)

        assert reason.startswith("UnsendablePayload")

    def test_what_is_sent_later_is_refused_at_once(self) -> None:
        with gr.Node("strict", strict_payloads=True) as node, Probe(node) as probe:
            with pytest.raises(gr.UnsendablePayload):
                probe.do(gr.send_after, 0, probe.pid, "topic", object())
            with pytest.raises(gr.UnsendablePayload):
                node.send_after(0, probe.pid, "topic", object())
            node.send_after(0, probe.pid, "topic", "fine")

            assert assert_receive(probe, topic="topic").payload == "fine"


class TestTheSupervisorGreenlet:
    def test_what_is_thrown_away_there_can_send(self, node: gr.Node, probe: Probe) -> None:
        """nothing a process does stops the supervisor greenlet."""

        class Chatty:
            def __del__(self) -> None:
                gr.send(probe.pid, "gone")

        # Nobody but that greenlet has the value in the end.
        pid = probe.do(gr.spawn_linked, Chatty)

        assert assert_receive(probe, topic="gone").sender is None
        assert pid not in node.processes


class TestDebug:
    def test_payloads_are_looked_at_after_unlisten_too(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        """payloads that were changed after they were sent."""

        def main() -> None:
            me = gr.pid()
            gr.listen("a")
            payloads: list[dict[str, int]] = [{}, {}, {}]
            gr.send(me, "b", payloads[0])
            gr.send(me, "a", payloads[1])
            gr.unlisten("a")
            gr.send(me, "c", payloads[2])
            for payload in payloads[1:]:
                payload["changed"] = 1
            for _ in payloads:
                gr.inbox().receive()

        with gr.Node("debug", debug=True) as node, caplog.at_level(logging.ERROR):
            node.run(main)

        changed = [record.getMessage() for record in caplog.records]
        assert len(changed) == 2
        assert "got message 'a'" in changed[0]
        assert "got message 'c'" in changed[1]
