"""What a call is answered with. Source: Processes, "Functions", row call."""

from __future__ import annotations

import traceback
from typing import Any

import pytest

import greenrelay as gr
from greenrelay.runtime.host import Host
from greenrelay.testing import VirtualClock
from tests.probe import Probe, assert_receive, settle, wait_for, wait_for_ever


def asleep() -> None:
    """Read nothing until told to; then answer what was called."""
    gr.receive("wake")
    for message in gr.inbox():
        if message.reply_to is not None:
            gr.reply(message, message.topic)


def depth_of(error: BaseException) -> int:
    return len(list(traceback.walk_tb(error.__traceback__)))


@pytest.mark.parametrize("bad", [None, "text", ValueError, SystemExit(3), gr.ProcessExit("x")])
def test_only_an_exception_can_be_the_error_of_a_reply(node: gr.Node, bad: Any) -> None:
    def main() -> None:
        message = gr.receive("call")
        with pytest.raises(
            TypeError, match=r"reply_error\(\) was given .*; it must be an instance"
        ):
            gr.reply_error(message, bad)
        gr.reply(message, "still waits")

    def caller() -> object:
        return gr.call(gr.spawn(main), "call")

    assert node.run(caller) == "still waits"


def test_an_error_that_is_kept_and_replied_often_does_not_grow(node: gr.Node) -> None:
    kept = KeyError("cached")

    def server() -> None:
        for message in gr.inbox():
            gr.reply_error(message, kept)

    def main() -> list[int]:
        pid = gr.spawn_linked(server)
        gr.set_options(trap_links=True)
        depths = []
        for _ in range(20):
            with pytest.raises(KeyError) as caught:
                gr.call(pid, "get")
            assert caught.value is kept
            depths.append(depth_of(kept))
        gr.terminate(pid)
        return depths

    depths = node.run(main)

    assert set(depths) == {depths[0]}


def test_an_error_comes_with_the_traceback_it_got_on_the_other_side(node: gr.Node) -> None:
    def look_up_what_is_not_there() -> None:
        raise KeyError("cached")

    def inner() -> None:
        for message in gr.inbox():
            try:
                look_up_what_is_not_there()
            except KeyError as error:
                gr.reply_error(message, error)

    def outer() -> None:
        pid = gr.spawn_linked(inner)
        for message in gr.inbox():
            try:
                ask_the_inner(pid)
            except KeyError as error:
                gr.reply_error(message, error)

    def ask_the_inner(pid: gr.Pid) -> None:
        gr.call(pid, "get")

    def main() -> str:
        gr.set_options(trap_links=True)
        pid = gr.spawn_linked(outer)
        with pytest.raises(KeyError) as caught:
            gr.call(pid, "get")
        gr.terminate(pid)
        return "".join(traceback.format_exception(caught.value))

    shown = node.run(main)

    assert "in look_up_what_is_not_there" in shown
    assert "in ask_the_inner" in shown


@pytest.mark.parametrize("overflow", ["drop_newest", "drop_oldest"])
def test_a_call_whose_request_is_dropped_fails_at_once(
    node: gr.Node, probe: Probe, overflow: str
) -> None:
    """`drop_oldest`, `drop_newest`; request and reply, safe."""
    host = node.add_host(Host("small", inbox_limit=2, overflow=overflow))
    target = node.spawn(asleep, host="small")
    settle(node)
    node.send(target, "one")

    def caller() -> None:
        try:
            gr.call(target, "question", timeout=None)
        except gr.InboxFull as error:
            gr.send(probe.pid, "refused", error.pid)

    if overflow == "drop_newest":
        node.send(target, "two")
    node.spawn(caller)
    settle(node)
    node.send(target, "three")
    node.send(target, "four")

    assert assert_receive(probe, topic="refused").payload == target
    assert host.dropped == (3 if overflow == "drop_newest" else 2)
    node.terminate(target)


@pytest.mark.parametrize(("block_timeout", "timeout"), [(60.0, 2), (2.0, 60)])
def test_a_call_waits_for_room_no_longer_than_for_its_answer(
    node: gr.Node,
    process_probe: Probe,
    virtual_clock: VirtualClock,
    block_timeout: float,
    timeout: float,
) -> None:
    """`block` (with `inbox.block_timeout`): the smaller of the two counts."""
    node.add_host(Host("small", inbox_limit=1, overflow="block", block_timeout=block_timeout))
    target = node.spawn(wait_for_ever, host="small")
    node.send(target, "fills it")

    def caller() -> None:
        with pytest.raises(gr.InboxFull):
            gr.call(target, "question", timeout=timeout)
        gr.send(process_probe.pid, "refused")

    node.spawn(caller)
    virtual_clock.advance(1.9)
    assert process_probe.items == []
    virtual_clock.advance(0.1)

    assert_receive(process_probe, topic="refused")
    node.terminate(target)


def test_a_call_without_a_timeout_waits_for_room_as_long_as_a_send(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    node.add_host(Host("small", inbox_limit=1, overflow="block", block_timeout=60))
    target = node.spawn(wait_for_ever, host="small")
    node.send(target, "fills it")
    caller = process_probe.do(gr.spawn_monitored, gr.call, target, "question", timeout=None)

    virtual_clock.advance(59.9)
    assert caller in node.processes
    virtual_clock.advance(0.1)

    assert "InboxFull" in assert_receive(process_probe, kind="EXIT").result.reason
    node.terminate(target)
    wait_for(lambda: target not in node.processes)
