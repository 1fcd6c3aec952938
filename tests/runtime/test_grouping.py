"""What a broadcast does with a member that refuses what it is sent."""

from __future__ import annotations

import logging
from functools import partial

import pytest

import greenrelay as gr
from greenrelay.core.message import Message
from greenrelay.runtime.process import Process
from tests.probe import Probe, assert_receive, wait_for
from tests.threads import NativeThread


class Picky(Process):
    """A process that takes nothing, as a connection does with what it cannot send."""

    __slots__ = ()

    def deliver(self, message: Message) -> bool:
        raise TypeError(f"{message.topic} is no topic of mine")

    def deliver_event(self, event: gr.Event) -> None:
        pass


@pytest.fixture
def picky(node: gr.Node) -> Picky:
    host = node.take_place(None)
    return Picky(node, host, node.new_pid(host), "picky")


def test_the_others_get_it_and_the_sender_hears_why(
    node: gr.Node, probe: Probe, picky: Picky
) -> None:
    node.admit(picky)
    node.groups.join("room", picky)
    probe.do(gr.join, "room")

    with pytest.raises(TypeError, match="no topic of mine"):
        probe.do(gr.broadcast, "room", "news")

    assert_receive(probe, topic="news")
    picky.finish(gr.Result())


def test_from_another_thread_it_is_logged(
    node: gr.Node, picky: Picky, caplog: pytest.LogCaptureFixture
) -> None:
    node.admit(picky)
    node.groups.join("room", picky)
    node.run(lambda: None)
    thread = NativeThread(partial(gr.broadcast, "room", "news"))

    with caplog.at_level(logging.WARNING):
        thread.start()
        wait_for(lambda: "was lost for some" in caplog.text)

    thread.join()
    picky.finish(gr.Result())
