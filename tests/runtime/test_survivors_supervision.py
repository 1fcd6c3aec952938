"""What tests of supervisors let pass when the code was changed on purpose: a test for each change.

Source: Processes, "Supervision".
"""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
from gevent.event import Event as Flag

import greenrelay as gr
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child, ChildInfo
from greenrelay.runtime.supervision import Supervisor
from tests.probe import (
    Probe,
    assert_event,
    assert_nothing,
    assert_receive,
    settle,
    wait,
    wait_for,
)
from tests.runtime.supervising import children

AT_ONCE = RestartPolicy(initial_delay=0.0, jitter=0.0)


def state(probe: Probe, supervisor: gr.Pid, key: str) -> str:
    found: str = children(probe, supervisor)[key].state.value
    return found


def stubborn() -> None:
    """Be a child that stops only when it is sent "end"."""
    gr.receive()
    gr.receive("end")


def stopping_a(probe: Probe, plan: Supervisor) -> tuple[gr.Pid, dict[str, gr.Pid], gr.Pid]:
    """Start ``plan`` and let its child "a" be stopping; return it, its children and who asked."""
    supervisor = probe.do(gr.spawn_monitored, plan)
    wait_for(lambda: state(probe, supervisor, "b") == "running")
    pids = {key: info.pid for key, info in children(probe, supervisor).items() if info.pid}
    asked = probe.node.spawn(gr.call, supervisor, "terminate_child", "a")
    wait_for(lambda: state(probe, supervisor, "a") == "stopping")
    return supervisor, pids, asked


class TestSupervisor:
    @pytest.fixture
    def supervisor(self, node: gr.Node, probe: Probe) -> Iterator[gr.Pid]:
        pid = probe.do(gr.spawn_monitored, Supervisor(strategy="dynamic"))
        yield pid
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)

    def test_two_children_start_in_the_order_given(self, probe: Probe) -> None:
        pairs = [(f"{letter}1", f"{letter}2") for letter in "abcdefghij"]
        started: list[str] = []

        def work(key: str) -> None:
            started.append(key)
            gr.receive()

        for number, pair in enumerate(pairs, 1):
            plan = Supervisor([Child(key, work, args=(key,)) for key in pair])
            pid = probe.do(gr.spawn_monitored, plan)
            wait_for(lambda count=2 * number: len(started) == count)  # type: ignore[misc]
            probe.do(gr.cancel, pid)
            assert_event(probe, kind="EXIT", pid=pid)

        assert started == [key for pair in pairs for key in pair]

    def test_the_node_forgets_children_that_have_ended(
        self, node: gr.Node, probe: Probe, supervisor: gr.Pid
    ) -> None:
        child = probe.do(gr.call, supervisor, "start_child", Child("a", wait))
        assert child in node.supervised

        assert probe.do(gr.call, supervisor, "terminate_child", "a")

        assert child not in node.supervised

    def test_children_that_come_and_go_are_no_news_in_the_log(
        self, probe: Probe, supervisor: gr.Pid, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "greenrelay.runtime")

        probe.do(gr.call, supervisor, "start_child", Child("a", wait))

        assert "started as" not in caplog.text

    def test_children_that_stay_are_news_in_the_log(
        self, node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO, "greenrelay.runtime")

        pid = probe.do(gr.spawn_monitored, Supervisor([Child("a", wait)]))
        settle(node)

        assert "a started as" in caplog.text
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)

    def test_why_a_child_could_not_start_can_be_seen(self, node: gr.Node, probe: Probe) -> None:
        pid = probe.do(gr.spawn_monitored, Supervisor([Child("a", wait, host="nowhere")]))
        settle(node)

        reason = children(probe, pid)["a"].reason

        assert reason is not None
        assert reason.startswith("UnknownHost: ")
        assert "nowhere" in reason
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)

    @pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all", "rest_for_one"])
    def test_children_stop_one_by_one_from_the_last(self, probe: Probe, strategy: str) -> None:
        """stop in reverse"""

        def work(key: str) -> None:
            gr.receive()
            gr.send(probe.pid, "stops", (key, gr.pid()))
            gr.receive("go on")

        plan = Supervisor([Child(key, work, args=(key,)) for key in "abc"], strategy)
        pid = probe.do(gr.spawn_monitored, plan)
        wait_for(lambda: state(probe, pid, "c") == "running")

        probe.do(gr.cancel, pid)

        for key in "cba":
            stopping, child = assert_receive(probe, topic="stops").payload
            assert stopping == key
            assert_nothing(probe)
            gr.send(child, "go on")
        assert_event(probe, kind="EXIT", pid=pid)

    def test_a_child_that_starts_slowly_is_running_once_it_waits(self, probe: Probe) -> None:
        is_ready = Flag()

        def slow() -> None:
            is_ready.wait()
            gr.receive()

        pid = probe.do(gr.spawn_monitored, Supervisor([Child("a", slow)]))
        settle(probe.node)
        assert state(probe, pid, "a") == "starting"
        is_ready.set()

        wait_for(lambda: state(probe, pid, "a") == "running")
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)

    def test_a_dynamic_child_that_failed_for_good_is_forgotten(
        self, node: gr.Node, probe: Probe, supervisor: gr.Pid
    ) -> None:
        once = RestartPolicy(max_attempts=1, initial_delay=0.0)

        probe.do(gr.call, supervisor, "start_child", Child("a", len, args=("",), restart=once))

        wait_for(lambda: not children(probe, supervisor))

    def test_who_is_told_to_end_does_not_come_back_with_the_others(self, probe: Probe) -> None:
        started: list[str] = []

        def slow_to_stop() -> None:
            started.append("a")
            stubborn()

        def work() -> None:
            started.append("b")
            if isinstance(gr.receive(), gr.Message):
                gr.exit("boom")

        plan = Supervisor(
            [Child("a", slow_to_stop, restart=AT_ONCE), Child("b", work, restart=AT_ONCE)],
            "one_for_all",
        )
        pid, pids, asked = stopping_a(probe, plan)

        gr.send(pids["b"], "end")
        wait_for(lambda: pids["b"] not in probe.node.processes)
        gr.send(pids["a"], "end")
        wait_for(lambda: asked not in probe.node.processes and started.count("b") == 2)
        settle(probe.node)

        assert state(probe, pid, "a") == "stopped"
        assert started == ["a", "b", "b"]
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)

    def test_none_starts_once_the_supervisor_has_given_up(self, probe: Probe) -> None:
        started: list[str] = []
        plan = Supervisor(
            [
                Child("a", wait, host="nowhere", restart=AT_ONCE),
                Child("b", started.append, args=("b",)),
            ],
            max_restarts=0,
        )

        pid = probe.do(gr.spawn_monitored, plan)

        assert assert_event(probe, kind="EXIT", pid=pid).result.reason == "too_many_restarts"
        assert started == []

    def test_a_child_comes_back_while_another_is_stopping(self, probe: Probe) -> None:
        started: list[str] = []

        def work() -> None:
            started.append("b")
            if isinstance(gr.receive(), gr.Message):
                gr.exit("boom")

        plan = Supervisor([Child("a", stubborn), Child("b", work, restart=AT_ONCE)])
        pid, pids, asked = stopping_a(probe, plan)

        gr.send(pids["b"], "end")

        wait_for(lambda: started == ["b", "b"])
        assert state(probe, pid, "a") == "stopping"
        gr.send(pids["a"], "end")
        wait_for(lambda: asked not in probe.node.processes)
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)

    def test_the_ending_of_a_stranger_it_monitors_is_passed_over(self, probe: Probe) -> None:
        plan = Supervisor([Child("a", wait)])

        def main() -> None:
            gr.monitor(stranger)
            plan()

        stranger = probe.node.spawn(wait)
        pid = probe.do(gr.spawn_monitored, main)
        wait_for(lambda: state(probe, pid, "a") == "running")

        probe.node.terminate(stranger)
        wait_for(lambda: stranger not in probe.node.processes)

        assert state(probe, pid, "a") == "running"
        probe.do(gr.cancel, pid)
        assert assert_event(probe, kind="EXIT", pid=pid).result.reason == "shutdown"

    def test_a_child_that_is_over_does_not_come_back_with_the_others(self, probe: Probe) -> None:
        started: list[str] = []

        def work() -> None:
            started.append("b")
            if isinstance(gr.receive(), gr.Message):
                gr.exit("boom")

        plan = Supervisor(
            [
                Child("a", started.append, args=("a",), restart="transient"),
                Child("b", work, restart=AT_ONCE),
            ],
            "one_for_all",
        )
        pid = probe.do(gr.spawn_monitored, plan)
        wait_for(lambda: state(probe, pid, "b") == "running")
        wait_for(lambda: state(probe, pid, "a") == "exited")

        gr.send(str(children(probe, pid)["b"].pid), "end")
        wait_for(lambda: started.count("b") == 2)
        settle(probe.node)

        assert started == ["a", "b", "b"]
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)

    def test_the_board_shows_a_child_that_failed_for_good(self, probe: Probe) -> None:
        board: dict[str, ChildInfo] = {}
        once = RestartPolicy(max_attempts=1, initial_delay=0.0)
        plan = Supervisor([Child("a", len, args=("",), restart=once)], board=board)

        pid = probe.do(gr.spawn_monitored, plan)

        wait_for(lambda: "a" in board and board["a"].state.value == "failed")
        probe.do(gr.cancel, pid)
        assert_event(probe, kind="EXIT", pid=pid)


def test_the_defaults_are_those_of_the_page() -> None:
    """`stable_threshold` 5s, initial_delay 1s, max_delay 90s, backoff_factor 2, jitter 0.1"""
    policy = RestartPolicy()
    plan = Supervisor()

    assert (policy.policy, policy.initial_delay, policy.max_delay) == ("permanent", 1.0, 90.0)
    assert (policy.backoff_factor, policy.jitter) == (2.0, 0.1)
    assert (policy.max_attempts, policy.stable_threshold) == (0, 5.0)
    assert (plan.max_restarts, plan.window, plan.parallel) == (3, 5.0, False)
    assert Child("a", wait).policy.initial_delay == 0.1
