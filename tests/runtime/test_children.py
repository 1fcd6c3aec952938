"""What many children cost their supervisor, in steps and not in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import greenrelay as gr
from greenrelay.core.pid import Pid
from greenrelay.core.strategy import Child
from greenrelay.runtime import child_command, supervision
from greenrelay.runtime.member import Member
from greenrelay.runtime.supervision import Supervisor
from greenrelay.testing import VirtualClock
from tests.probe import Probe, assert_receive, settle, wait, wait_for, wait_for_ever
from tests.runtime.supervising import children


class CountedMember(Member):
    """The record of a child that counts how often somebody has looked at one."""

    looks = 0

    def __getattribute__(self, name: str) -> Any:
        CountedMember.looks += 1
        return super().__getattribute__(name)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Return how often records of children were looked at since this was called before."""
    monkeypatch.setattr(child_command, "Member", CountedMember)
    monkeypatch.setattr(supervision, "Member", CountedMember)

    def count() -> int:
        looked, CountedMember.looks = CountedMember.looks, 0
        return looked

    return count


def test_a_start_costs_no_more_beside_many_that_do_not_read(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock, looks: Callable[[], int]
) -> None:
    pid = process_probe.do(gr.spawn, Supervisor(strategy="dynamic"))

    def start_some(name: str, count: int) -> None:
        for number in range(count):
            child = Child(f"{name}{number}", wait_for_ever, restart="temporary", shutdown=0)
            process_probe.do(gr.call, pid, "start_child", child)

    start_some("first", 10)
    looks()
    start_some("second", 10)
    few = looks()
    start_some("third", 100)
    looks()
    start_some("fourth", 10)
    many = looks()

    assert many == few
    gr.cancel(pid)
    wait_for(lambda: pid not in node.processes)


def test_who_has_not_started_is_looked_at_ever_less_often(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    """`start_timeout` 10s."""
    child = Child("busy", wait_for_ever, shutdown=0, start_timeout="10s")
    pid = process_probe.do(gr.spawn, Supervisor([child]))
    settle(node)

    def state() -> str:
        return str(process_probe.do(gr.call, pid, "which_children")[0].state)

    virtual_clock.advance(9.9)
    assert state() == "starting"
    virtual_clock.advance(0.4)
    assert state() == "running"
    gr.cancel(pid)
    wait_for(lambda: pid not in node.processes)


def test_who_comes_back_soon_is_looked_at_once_at_a_time(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    pid = process_probe.do(gr.spawn, Supervisor([Child("busy", wait_for_ever, shutdown=0)]))
    settle(node)
    for _ in range(5):
        process_probe.do(gr.call, pid, "terminate_child", "busy")
        process_probe.do(gr.call, pid, "restart_child", "busy")

    virtual_clock.advance(0.001)

    assert len(node.supervisors[pid].looks) == 1
    gr.cancel(pid)
    wait_for(lambda: pid not in node.processes)


def test_nothing_is_kept_of_one_that_was_forgotten_before_it_came_back(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock
) -> None:
    pid = process_probe.do(gr.spawn, Supervisor(strategy="dynamic"))
    later = Child("later", gr.exit, args=("boom",))
    process_probe.do(gr.call, pid, "start_child", later)
    settle(node)

    assert process_probe.do(gr.call, pid, "terminate_child", "later") is True

    assert node.supervisors[pid].waiting == {}
    gr.cancel(pid)
    wait_for(lambda: pid not in node.processes)


def test_stopping_one_by_one_costs_as_much_for_each_as_they_are_many(
    node: gr.Node, process_probe: Probe, virtual_clock: VirtualClock, looks: Callable[[], int]
) -> None:
    def stop(count: int) -> int:
        plan = Supervisor(Child(str(number), wait) for number in range(count))
        pid = process_probe.do(gr.spawn, plan)
        settle(node)
        looks()
        gr.cancel(pid)
        settle(node)
        assert pid not in node.processes
        return looks()

    few, many = stop(20), stop(200)

    assert many < 12 * few


def test_children_that_were_stopped_before_stop_in_their_order(
    process_probe: Probe, node: gr.Node
) -> None:
    """stop in reverse."""

    def work(key: str) -> None:
        gr.receive()
        gr.send(process_probe.pid, "down", key)

    plan = Supervisor([Child(key, work, args=(key,)) for key in "abc"])
    pid = process_probe.do(gr.spawn, plan)
    for key in "cab":
        assert process_probe.do(gr.call, pid, "terminate_child", key)
        assert assert_receive(process_probe, topic="down").payload == key
        process_probe.do(gr.call, pid, "restart_child", key)
    # It has a place behind all others from now on.
    process_probe.do(gr.call, pid, "terminate_child", "a")
    process_probe.do(gr.call, pid, "start_child", Child("a", work, args=("a again",)))
    settle(node)
    assert list(children(process_probe, pid)) == ["b", "c", "a"]

    gr.cancel(pid)

    downs = [assert_receive(process_probe, topic="down").payload for _ in range(4)]
    assert downs == ["a", "a again", "c", "b"]
    wait_for(lambda: pid not in node.processes)


class CountedTable(dict[Any, Any]):
    """The children of a supervisor by PID, which counts who is asked for."""

    asked = 0

    def get(self, key: Any, default: Any = None) -> Any:
        CountedTable.asked += 1
        return super().get(key, default)


def test_the_supervisor_of_a_child_is_known_without_asking_all(
    node: gr.Node, process_probe: Probe
) -> None:
    pids = [process_probe.do(gr.spawn, Supervisor([Child("only", wait)])) for _ in range(20)]
    settle(node)
    known: list[Pid] = []
    for each in node.supervisors.values():
        known += each.by_pid
        each.by_pid = CountedTable(each.by_pid)
    CountedTable.asked = 0

    found = process_probe.do(gr.processes)

    assert sorted(info.pid for info in found if info.child is not None) == sorted(known)
    assert CountedTable.asked == 20
    for pid in pids:
        gr.cancel(pid)
    wait_for(lambda: not any(pid in node.processes for pid in pids))


@pytest.mark.parametrize("limit", [-1, "3", 1.5, True])
def test_a_limit_of_restarts_that_makes_no_sense_is_refused_at_once(limit: Any) -> None:
    with pytest.raises(
        ValueError, match=r"max_restarts is .*; it must be a whole number from 0 on"
    ):
        Supervisor([Child("a", wait)], max_restarts=limit)


def test_no_restart_at_all_may_be_allowed(probe: Probe) -> None:
    plan = Supervisor([Child("a", gr.exit, args=("boom",))], max_restarts=0)

    probe.do(gr.spawn_monitored, plan)

    assert assert_receive(probe, kind="EXIT").result.reason == "too_many_restarts"
