"""What a broadcast does with a member that refuses what it is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

import pytest

import greenrelay as gr
from greenrelay.core.message import Message
from greenrelay.runtime.process import Process
from tests.probe import Probe, assert_nothing, assert_receive, wait_for
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


@pytest.mark.parametrize(
    "function",
    [
        partial(gr.join, "room"),
        partial(gr.members, "room"),
        gr.groups,
        partial(gr.watch, "room"),
        partial(gr.broadcast, "room", "news"),
    ],
)
def test_a_scope_that_is_none_is_refused(probe: Probe, function: Callable[..., object]) -> None:
    with pytest.raises(ValueError, match="scope is 'node'; it must be 'local' or 'cluster'"):
        probe.do(function, scope="node")

    assert probe.do(gr.groups) == ()


@pytest.mark.parametrize("scope", ["local", "cluster"])
def test_without_a_cluster_both_scopes_are_this_node(probe: Probe, scope: str) -> None:
    probe.do(gr.join, "room", scope=scope)
    found, _ = probe.do(gr.watch, "room", scope=scope)

    assert found == probe.do(gr.members, "room", scope=scope) == (probe.pid,)
    assert probe.do(gr.groups, scope=scope) == ("room",)
    assert probe.do(gr.broadcast, "room", "news", scope=scope) == 1
    assert_receive(probe, topic="news")


def test_each_member_counts_as_sent_to(node: gr.Node, probe: Probe) -> None:
    others = [node.spawn(gr.receive) for _ in range(3)]
    for pid in others:
        probe.do(gr.join, "room", pid)
    before = node.processes[probe.pid].sent

    probe.do(gr.broadcast, "room", "news")

    assert node.processes[probe.pid].sent == before + 3


def test_a_strict_node_refuses_before_anybody_has_got_it() -> None:
    with gr.Node("strict", strict_payloads=True) as node:
        probe = Probe(node)
        probe.do(gr.join, "room")

        with pytest.raises(gr.UnsendablePayload):
            probe.do(gr.broadcast, "room", "news", object())

        assert_nothing(probe)
