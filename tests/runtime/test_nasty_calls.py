"""Nasty scenarios of calls, by number, each with its expected end."""

from __future__ import annotations

import pytest

import greenrelay as gr
from tests.probe import Probe, assert_nothing, assert_receive, wait_for_ever


def test_31_a_late_reply_is_dropped_and_never_seen_by_a_later_call(
    node: gr.Node, probe: Probe
) -> None:
    """31 server dies after replying; late reply after the timeout."""

    def server() -> None:
        late = gr.inbox().receive()
        gr.receive("now")
        was_taken = gr.reply(late, "late")
        gr.reply(gr.receive("again"), ("again", was_taken))
        gr.exit("boom")

    def caller() -> None:
        target = gr.spawn_monitored(server)
        with pytest.raises(gr.Timeout):
            gr.call(target, "ask", timeout="1ms")
        gr.send(target, "now")

        assert gr.call(target, "again") == ("again", False)

        event = gr.receive()
        assert isinstance(event, gr.Exit)
        assert event.result.reason == "boom"
        assert len(gr.inbox()) == 0

    node.run(caller)


def test_32_two_that_call_each_other_are_told_so(node: gr.Node, probe: Probe) -> None:
    """32 A calls B calls A: timeout naming the cycle."""

    def ask_back(peer: gr.Pid) -> None:
        gr.call(peer, "and you?", timeout=60)

    def main() -> tuple[gr.Pid, gr.Pid, str]:
        peer = gr.spawn(ask_back, gr.pid())
        with pytest.raises(gr.Timeout) as caught:
            gr.call(peer, "well?", timeout="50ms")
        return gr.pid(), peer, str(caught.value)

    me, peer, text = node.run(main)

    assert f"{me} waits for {peer}, {peer} waits for {me}" in text


def test_32_a_circle_of_three_is_named_from_who_gave_up(node: gr.Node, probe: Probe) -> None:
    """32 A calls B calls A: timeout naming the cycle."""

    def ask_first(first: gr.Pid) -> None:
        gr.call(first, "and you?", timeout=60)

    def ask_last(first: gr.Pid) -> None:
        last = gr.spawn(ask_first, first)
        gr.send(probe.pid, "last", last)
        gr.call(last, "and you?", timeout=60)

    def main() -> tuple[gr.Pid, gr.Pid, str]:
        middle = gr.spawn(ask_last, gr.pid())
        with pytest.raises(gr.Timeout) as caught:
            gr.call(middle, "well?", timeout="50ms")
        return gr.pid(), middle, str(caught.value)

    me, middle, text = node.run(main)

    last = assert_receive(probe, topic="last").payload
    assert f"{me} waits for {middle}, {middle} waits for {last}, {last} waits for {me}" in text


def test_32_who_waits_for_its_child_that_calls_it_is_told_so(node: gr.Node) -> None:
    """32 A calls B calls A: timeout naming the cycle; exec waits like call."""

    def main() -> tuple[gr.Pid, str]:
        me = gr.pid()
        with pytest.raises(gr.Timeout) as caught:
            gr.exec(lambda: gr.call(me, "well?", timeout=60), timeout="50ms")
        return me, str(caught.value)

    me, text = node.run(main)

    assert text.count(f"{me} waits for ") == 1
    assert text.count(f" waits for {me}") == 1


class Asking(gr.Server):
    """A server that asks ``peer`` while it handles a call."""

    def init(self, peer: gr.Pid) -> None:
        self.peer = peer

    def handle_call(self, message: gr.Message) -> object:
        return gr.call(self.peer, "and you?", timeout=60)


def test_32_a_server_in_the_circle_is_named_too(node: gr.Node) -> None:
    """32 A calls B calls A: timeout naming the cycle."""

    def main() -> tuple[gr.Pid, gr.Pid, str]:
        server = gr.spawn_linked(Asking, gr.pid())
        with pytest.raises(gr.Timeout) as caught:
            gr.call(server, "well?", timeout="50ms")
        gr.terminate(server, "shutdown")
        return gr.pid(), server, str(caught.value)

    me, server, text = node.run(main)

    assert f"{me} waits for {server}, {server} waits for {me}" in text


def test_32_a_target_that_only_takes_its_time_is_no_circle(node: gr.Node) -> None:
    def main() -> str:
        last = gr.spawn(wait_for_ever)
        middle = gr.spawn_monitored(gr.call, last, "well?", timeout=60)
        with pytest.raises(gr.Timeout) as caught:
            gr.call(middle, "well?", timeout="10ms")
        gr.terminate(last)
        gr.receive()
        return str(caught.value)

    assert " waits for " not in node.run(main)


def test_32_a_circle_that_is_broken_in_time_answers(node: gr.Node, probe: Probe) -> None:
    """A process that calls may be asked meanwhile: whoever answers first breaks the circle."""

    def ask_back(peer: gr.Pid) -> None:
        request = gr.inbox().receive()
        with pytest.raises(gr.Timeout):
            gr.call(peer, "and you?", timeout="10ms")
        gr.reply(request, "fine")

    def main() -> object:
        return gr.call(gr.spawn(ask_back, gr.pid()), "well?")

    assert node.run(main) == "fine"
    assert_nothing(probe)
