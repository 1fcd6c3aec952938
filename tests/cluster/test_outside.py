"""What works in a foreign thread and in a signal handler, which cannot wait.

Source: Processes, "Functions", first paragraph, and Cluster, "What changes for a program".
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest

import greenrelay as gr
from greenrelay.runtime.current import _finders, add_node_finder
from tests.cluster.joined import Joined, wire_of
from tests.probe import Probe, assert_nothing, assert_receive, wait_for

ROOM = "room 1"


class Outcome:
    """What a call has returned or raised, where it was made."""

    def __init__(self, function: Callable[..., object], *args: object) -> None:
        self._function, self._args = function, args
        self.value: Any = None
        self.error: Exception | None = None
        self.is_there = False

    def make(self) -> None:
        """Make the call."""
        try:
            self.value = self._function(*self._args)
        except Exception as error:
            self.error = error
        self.is_there = True

    def get(self) -> Any:
        """Return what it has returned, or raise what it has raised."""
        wait_for(lambda: self.is_there)
        if self.error is not None:
            raise self.error
        return self.value


def in_thread(function: Callable[..., object], *args: object) -> Any:
    """Call a function in a thread of its own."""
    outcome = Outcome(function, *args)
    threading.Thread(target=outcome.make, daemon=True).start()
    return outcome.get()


def on_hub(function: Callable[..., object], *args: object) -> Any:
    """Call a function in the hub, where a signal handler runs while all processes wait."""
    outcome = Outcome(function, *args)
    gevent.get_hub().loop.run_callback(outcome.make)
    return outcome.get()


@pytest.fixture(autouse=True)
def _meant(one: gr.Node, two: gr.Node) -> Iterator[None]:
    """Code outside processes means the first node, as that of an application does."""

    def meant() -> gr.Node:
        return one

    add_node_finder(meant)
    yield
    _finders.remove(meant)


def test_what_cannot_leave_is_refused_in_the_thread_that_sends_it(
    one: gr.Node, there: Probe
) -> None:
    """anything else is UnsendablePayload at the sender"""
    for send in (gr.send, one.send):
        with pytest.raises(gr.UnsendablePayload) as raised:
            in_thread(send, there.pid, "odd", {"a": object()})

        assert raised.value.text == "payload['a']"
        assert in_thread(send, there.pid, "plain", {"a": 1})
        assert assert_receive(there).topic == "plain"


def test_what_cannot_leave_is_refused_under_a_name_of_the_cluster_too(there: Probe) -> None:
    """anything else is UnsendablePayload at the sender"""
    there.do(gr.register, "leader", scope="cluster")
    wait_for(lambda: gr.whereis("leader"))

    with pytest.raises(gr.UnsendablePayload):
        in_thread(gr.send, "leader", "odd", object())


def test_a_broadcast_in_a_thread_that_cannot_leave_reaches_nobody(
    joined: Joined, here: Probe, there: Probe
) -> None:
    """UnsendablePayload before anybody has got it where there are other nodes"""
    for probe in (here, there):
        probe.do(gr.join, ROOM)
    joined.settle()

    with pytest.raises(gr.UnsendablePayload):
        in_thread(gr.broadcast, ROOM, "odd", object())
    joined.settle()

    assert_nothing(here)
    assert_nothing(there)
    assert in_thread(gr.broadcast, ROOM, "plain", 1) == 1
    assert_receive(there, topic="plain")


def test_a_thread_may_broadcast_anything_where_all_members_are_of_its_node(
    joined: Joined, here: Probe, there: Probe
) -> None:
    odd = object()
    here.do(gr.join, ROOM)

    assert in_thread(gr.broadcast, ROOM, "first", odd) == 1
    there.do(gr.join, ROOM)
    joined.settle()
    assert in_thread(gr.broadcast, ROOM, "second", odd, "local") == 1

    assert [assert_receive(here, topic=each).payload for each in ("first", "second")] == [odd] * 2


def test_a_thread_may_send_anything_to_who_is_of_its_node(one: gr.Node, here: Probe) -> None:
    odd = object()

    assert in_thread(one.send, here.pid, "odd", odd)

    assert assert_receive(here, topic="odd").payload is odd


@pytest.mark.parametrize("function", [gr.whereis, gr.lookup])
def test_a_name_nobody_has_heard_of_is_asked_for_in_the_thread_of_the_node_only(
    one: gr.Node, here: Probe, function: Callable[[str], object]
) -> None:
    """everything else belongs to the thread of the node; elsewhere it raises NotInProcess."""
    here.do(gr.register, "mine")

    with pytest.raises(gr.NotInProcess, match=f"{function.__name__}.* this thread is not its node"):
        in_thread(function, "nobody")

    assert wire_of(one).looked_up == []
    assert in_thread(function, "mine") == here.pid


def test_a_thread_cannot_ask_another_node_for_info(here: Probe, there: Probe) -> None:
    """everything else belongs to the thread of the node; elsewhere it raises NotInProcess."""
    with pytest.raises(gr.NotInProcess, match=r"info\(\) .* this thread is not its node's"):
        in_thread(gr.info, there.pid)

    assert here.do(gr.info, there.pid) is not None


def test_a_signal_handler_knows_the_names_that_its_node_has_heard_of(
    one: gr.Node, here: Probe, there: Probe
) -> None:
    here.do(gr.register, "mine")
    there.do(gr.register, "leader", scope="cluster")
    wait_for(lambda: one.owner("leader"))

    assert on_hub(gr.whereis, "mine") == here.pid
    assert on_hub(gr.lookup, "leader") == there.pid
    assert on_hub(gr.whereis, "nobody") is None
    with pytest.raises(gr.UnknownName):
        on_hub(gr.lookup, "nobody")

    # The engine would let who asks wait, which a handler cannot.
    assert wire_of(one).looked_up == []


def test_a_signal_handler_cannot_ask_another_node_for_info(here: Probe, there: Probe) -> None:
    with pytest.raises(gr.NotInProcess, match="a signal handler cannot wait for another node"):
        on_hub(gr.info, there.pid)

    info = on_hub(gr.info, here.pid)
    assert info is not None
    assert info.pid == here.pid


def test_a_real_signal_is_handled_so(one: gr.Node, there: Probe) -> None:
    outcomes = [Outcome(gr.whereis, "nobody"), Outcome(gr.info, there.pid)]

    def handle(*_: object) -> None:
        for each in outcomes:
            each.make()

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        # It is taken by what runs then: the hub, as everybody waits.
        gevent.get_hub().loop.run_callback(os.kill, os.getpid(), signal.SIGUSR1)
        assert outcomes[0].get() is None
        with pytest.raises(gr.NotInProcess, match="signal handler"):
            outcomes[1].get()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert wire_of(one).looked_up == []
