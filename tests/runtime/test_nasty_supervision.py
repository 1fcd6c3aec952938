"""Nasty scenarios of supervision, by number, each with its expected end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

import greenrelay as gr
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child
from tests.probe import Probe, assert_nothing, assert_receive, settle, wait_for, wait_for_ever
from tests.runtime.supervising import children

AT_ONCE = RestartPolicy(initial_delay=0.0, jitter=0.0)


class Member(gr.Server):
    """A child that tells ``watcher`` of what happens to it and fails where it is told to."""

    def init(self, watcher: gr.Pid, failing: str = "") -> None:
        self.watcher, self.failing = watcher, failing
        gr.send(watcher, "init", gr.pid())
        self.fail("init")

    def handle_message(self, message: gr.Message) -> object:
        return gr.stop(str(message.payload))

    def handle_event(self, event: object) -> object:
        if self.failing == "shutdown":
            return None
        return super().handle_event(event)  # type: ignore[arg-type]

    def terminate(self, reason: str) -> None:
        self.fail("terminate")

    def fail(self, where: str) -> None:
        if self.failing == where:
            raise ValueError(where)


def member(probe: Probe, failing: str = "", **options: object) -> Child:
    return Child(
        failing or "member",
        Member,
        args=(probe.pid, failing),
        restart=AT_ONCE,
        **options,  # type: ignore[arg-type]
    )


def supervise(
    probe: Probe, *children: Child, strategy: str = "one_for_one", most: int = 2
) -> gr.Pid:
    plan = gr.Supervisor(children, strategy, max_restarts=most, window=3600)
    return probe.do(gr.spawn_monitored, plan)


def test_25_a_server_that_dies_in_init_is_tried_as_often_as_allowed(probe: Probe) -> None:
    """25 a supervised child that dies in init."""
    supervisor = supervise(probe, member(probe, "init"))

    event = assert_receive(probe, kind="EXIT")

    assert (event.pid, event.result.reason) == (supervisor, "too_many_restarts")
    starts = [assert_receive(probe, topic="init").payload for _ in range(3)]
    assert len(set(starts)) == 3
    assert_nothing(probe)


def test_25_a_server_that_dies_in_terminate_has_stopped(probe: Probe) -> None:
    """25 a supervised child that dies in terminate."""
    supervisor = supervise(probe, member(probe, "terminate"))
    child = assert_receive(probe, topic="init").payload
    probe.do(gr.monitor, child)

    assert probe.do(gr.call, supervisor, "terminate_child", child) is True

    assert assert_receive(probe, kind="EXIT").result.reason == "shutdown"
    probe.do(gr.cancel, supervisor)
    assert assert_receive(probe, kind="EXIT").result.reason == "shutdown"


def test_25_a_server_that_ignores_shutdown_is_killed(probe: Probe) -> None:
    """25 a supervised child that ignores shutdown."""
    supervisor = supervise(probe, member(probe, "shutdown", shutdown="1ms"))
    child = assert_receive(probe, topic="init").payload
    probe.do(gr.monitor, child)

    probe.do(gr.cancel, supervisor)

    events = [assert_receive(probe, kind="EXIT") for _ in range(2)]
    assert [(event.pid, event.result.reason) for event in events] == [
        (child, "killed"),
        (supervisor, "shutdown"),
    ]


@pytest.mark.parametrize(("crashes", "survives"), [(3, True), (4, False)])
def test_26_a_storm_at_exactly_the_intensity_is_survived_and_one_more_is_not(
    node: gr.Node, probe: Probe, crashes: int, survives: bool
) -> None:
    """26 restart storm at exactly the intensity and one more."""
    supervisor = supervise(probe, member(probe), most=3)

    for _ in range(crashes):
        gr.send(assert_receive(probe, topic="init").payload, "end", "boom")

    if survives:
        assert_receive(probe, topic="init")
        assert_nothing(probe)
        assert supervisor in node.processes
        probe.do(gr.cancel, supervisor)
    reason = "shutdown" if survives else "too_many_restarts"
    assert assert_receive(probe, kind="EXIT").result.reason == reason
    settle(node)
    assert list(node.processes) == [probe.pid]


def test_27_a_child_that_exits_while_its_siblings_stop_restarts_once(
    node: gr.Node, probe: Probe
) -> None:
    """27 child exits while `one_for_all` stops its siblings."""

    def sibling(key: str) -> None:
        gr.send(probe.pid, "up", (key, gr.pid()))
        gr.events().receive()
        if key == "slow":
            gr.receive("go on")

    keys = ("quick", "slow", "crashing")
    plan = [Child(key, sibling, args=(key,), restart=AT_ONCE) for key in keys]
    supervisor = supervise(probe, *plan, strategy="one_for_all", most=1)
    first = dict(assert_receive(probe, topic="up").payload for _ in keys)
    node.terminate(first["crashing"], "boom")
    wait_for(lambda: children(probe, supervisor)["slow"].state == "stopping")

    # Not asked yet, since the supervisor stops one after the other, and it ends all the same.
    node.terminate(first["quick"], "boom too")
    settle(node)
    assert_nothing(probe)
    gr.send(first["slow"], "go on")

    second = dict(assert_receive(probe, topic="up").payload for _ in keys)
    assert tuple(second) == keys
    assert_nothing(probe)
    for pid in second.values():
        node.terminate(pid)
    node.terminate(supervisor)
    assert_receive(probe, kind="EXIT")


def trapping() -> None:
    gr.set_options(trap_links=True)
    while True:
        gr.receive()


@pytest.mark.parametrize("entry", [wait_for_ever, trapping, gr.receive])
def test_28_the_children_of_a_killed_supervisor_die_at_every_level(
    node: gr.Node, probe: Probe, entry: Callable[[], object]
) -> None:
    """28 supervisor killed: children die."""
    inner = Child("inner", gr.Supervisor([Child("leaf", entry), Child("more", entry)]))
    supervisor = supervise(probe, inner, Child("leaf", entry))
    wait_for(lambda: len(node.processes) == 6)

    node.terminate(supervisor)

    assert assert_receive(probe, kind="EXIT").result.reason == "killed"
    wait_for(lambda: list(node.processes) == [probe.pid])
    assert not node.supervised
