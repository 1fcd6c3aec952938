"""Supervisors. Source: Processes, "Supervision"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

import greenrelay as gr
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child, ChildInfo
from greenrelay.runtime.supervision import Supervisor
from tests.probe import Probe, assert_nothing, assert_receive, settle, wait, wait_for, wait_for_ever
from tests.runtime.supervising import children

AT_ONCE = RestartPolicy(initial_delay=0.0, jitter=0.0)
LATER = RestartPolicy(initial_delay=3600.0, max_delay=3600.0)


def crash() -> None:
    raise ValueError("boom")


@pytest.fixture
def worker(probe: Probe) -> Callable[[str], None]:
    """An entry that tells the probe of its start and end, and ends as it is told to."""

    def work(key: str) -> None:
        gr.send(probe.pid, "up", (key, gr.pid()))
        item = gr.receive()
        if isinstance(item, gr.Message):
            gr.exit(str(item.payload))
        gr.send(probe.pid, "down", key)

    return work


@pytest.fixture
def child(worker: Callable[[str], None]) -> Callable[..., Child]:
    def make(key: str, restart: Any = AT_ONCE, **options: Any) -> Child:
        return Child(key, worker, args=(key,), restart=restart, **options)

    return make


@contextmanager
def supervising(probe: Probe, plan: Supervisor) -> Iterator[gr.Pid]:
    pid = probe.do(gr.spawn_monitored, plan)
    yield pid
    if probe.do(gr.cancel, pid):
        assert assert_receive(probe, kind="EXIT").result.reason == "shutdown"


def ups(probe: Probe, count: int) -> dict[str, gr.Pid]:
    return dict(assert_receive(probe, topic="up").payload for _ in range(count))


def downs(probe: Probe, count: int) -> list[str]:
    return [assert_receive(probe, topic="down").payload for _ in range(count)]


def end(pid: gr.Pid, reason: str = "boom") -> None:
    gr.send(pid, "end", reason)


@pytest.mark.parametrize(
    ("strategy", "stopped", "started"),
    [
        ("one_for_one", [], ["b"]),
        ("dynamic", [], ["b"]),
        ("rest_for_one", ["c"], ["b", "c"]),
        ("one_for_all", ["c", "a"], ["a", "b", "c"]),
    ],
)
def test_a_crash_restarts_whom_the_strategy_names_in_order(
    probe: Probe, child: Any, strategy: str, stopped: list[str], started: list[str]
) -> None:
    with supervising(probe, Supervisor(map(child, "abc"), strategy)):
        first = ups(probe, 3)
        assert list(first) == ["a", "b", "c"]

        end(first["b"])

        assert downs(probe, len(stopped)) == stopped
        assert list(ups(probe, len(started))) == started
        assert_nothing(probe)


def test_children_stop_in_reverse(probe: Probe, child: Any) -> None:
    with supervising(probe, Supervisor(map(child, "abc"))):
        ups(probe, 3)

    assert downs(probe, 3) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("policy", "reason", "comes_back"),
    [
        ("permanent", "normal", True),
        ("transient", "normal", False),
        ("transient", "boom", True),
        ("temporary", "boom", False),
    ],
)
def test_the_policy_says_who_comes_back(
    probe: Probe, child: Any, policy: str, reason: str, comes_back: bool
) -> None:
    restart = RestartPolicy(policy, initial_delay=0)

    with supervising(probe, Supervisor([child("a", restart)])) as supervisor:
        end(ups(probe, 1)["a"], reason)

        if comes_back:
            ups(probe, 1)
        else:
            wait_for(lambda: children(probe, supervisor)["a"].pid is None)
            state = "exited" if reason == "normal" else "failed"
            assert children(probe, supervisor)["a"] == ChildInfo("a", state, reason=reason)  # type: ignore[arg-type]


def test_exactly_as_many_restarts_as_allowed_are_fine(probe: Probe, child: Any) -> None:
    plan = Supervisor([child("a")], max_restarts=2, window=3600)

    with supervising(probe, plan) as supervisor:
        end(ups(probe, 1)["a"])
        end(ups(probe, 1)["a"])
        ups(probe, 1)

        assert children(probe, supervisor)["a"].restarts == 2


def test_one_restart_more_ends_all_and_the_supervisor_abnormally(probe: Probe, child: Any) -> None:
    plan = Supervisor([child("a"), child("b")], max_restarts=1, window=3600)
    probe.do(gr.spawn_linked_monitored, plan)
    first = ups(probe, 2)
    end(first["a"])
    end(ups(probe, 1)["a"])

    assert downs(probe, 1) == ["b"]
    assert assert_receive(probe, kind="EXIT").result.reason == "too_many_restarts"
    assert assert_receive(probe, kind="LINK_DOWN").result.reason == "too_many_restarts"


def test_its_own_supervisor_decides(probe: Probe, child: Any) -> None:
    inner = Supervisor([child("a")], max_restarts=0)

    with supervising(probe, Supervisor([Child("inner", inner, restart=AT_ONCE)])):
        end(ups(probe, 1)["a"])

        ups(probe, 1)


def test_a_child_that_waits_for_its_restart_holds_nobody_up(probe: Probe, child: Any) -> None:
    with supervising(probe, Supervisor([child("a", LATER), child("b")])) as supervisor:
        first = ups(probe, 2)
        end(first["a"])
        end(first["b"])

        assert list(ups(probe, 1)) == ["b"]
        assert children(probe, supervisor)["a"].state == "failed"


@pytest.mark.parametrize("strategy", ["one_for_one", "one_for_all"])
def test_a_child_that_dies_in_its_start_is_tried_again_until_it_is_too_much(
    probe: Probe, child: Any, strategy: str
) -> None:
    broken = Child("broken", "no.such.module:run", restart=AT_ONCE)
    probe.do(gr.spawn_monitored, Supervisor([child("a"), broken], strategy, max_restarts=0))

    assert assert_receive(probe, kind="EXIT").result.reason == "too_many_restarts"
    ups(probe, 1)
    downs(probe, 1)


def test_a_child_may_fail_for_good(probe: Probe, child: Any) -> None:
    restart = RestartPolicy(initial_delay=0, max_attempts=1)

    with supervising(probe, Supervisor([child("a", restart), child("b")])) as supervisor:
        end(ups(probe, 2)["a"])
        end(ups(probe, 1)["a"])

        wait_for(lambda: children(probe, supervisor)["a"].pid is None)
        assert children(probe, supervisor)["a"].state == "failed"
        assert children(probe, supervisor)["b"].state == "running"


def test_what_cannot_start_puts_off_the_rest_of_its_group(probe: Probe, child: Any) -> None:
    probe.do(gr.register, "taken")
    named = child("b", RestartPolicy(initial_delay=0.001), name="taken")
    plan = Supervisor([child("a"), named, child("c")], "rest_for_one", max_restarts=None)

    with supervising(probe, plan):
        assert list(ups(probe, 1)) == ["a"]
        settle(probe.node)
        assert probe.items == []

        probe.do(gr.unregister, "taken")

        assert list(ups(probe, 2)) == ["b", "c"]


def test_a_supervisor_of_a_node_that_shuts_down_starts_nothing(node: gr.Node) -> None:
    node.spawn(Supervisor([Child("a", wait)]))

    node.shutdown()

    assert not node.processes


def test_a_supervisor_that_ends_starts_no_child(probe: Probe, child: Any) -> None:
    def slow() -> None:
        gr.receive("never")

    supervisor = probe.do(gr.spawn_monitored, Supervisor([Child("slow", slow)]))
    wait_for(lambda: children(probe, supervisor)["slow"].state == "running")
    probe.do(gr.cancel, supervisor)
    wait_for(lambda: children(probe, supervisor)["slow"].state == "stopping")

    with pytest.raises(gr.ProcessDown):
        probe.do(gr.call, supervisor, "start_child", child("a"))

    gr.terminate(children(probe, supervisor)["slow"].pid or "")
    assert assert_receive(probe, kind="EXIT").result.reason == "shutdown"


def test_a_child_that_dies_in_its_cleanup_has_stopped(probe: Probe, child: Any) -> None:
    def dirty() -> None:
        try:
            gr.receive()
        finally:
            crash()

    with supervising(probe, Supervisor([child("a"), Child("dirty", dirty)])):
        ups(probe, 1)

    assert downs(probe, 1) == ["a"]


def test_a_child_that_ignores_shutdown_is_killed_and_named(
    probe: Probe, child: Any, caplog: pytest.LogCaptureFixture
) -> None:
    plan = Supervisor([child("a"), Child("deaf", wait_for_ever, shutdown="1ms")])

    with supervising(probe, plan):
        ups(probe, 1)

    assert downs(probe, 1) == ["a"]
    (told,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert "deaf" in told.message
    assert "was asked to end and is killed after 0.001 s" in told.message


def test_shutdown_0_kills_at_once_and_none_waits_for_ever(probe: Probe, child: Any) -> None:
    plan = Supervisor([child("a", shutdown=None), child("b", shutdown=0)])

    with supervising(probe, plan):
        ups(probe, 2)

    assert downs(probe, 1) == ["a"]
    assert_nothing(probe)


def test_a_child_that_exits_while_its_siblings_stop_restarts_once(probe: Probe, child: Any) -> None:
    def contrary() -> None:
        gr.send(probe.pid, "up", ("contrary", gr.pid()))
        gr.receive()
        crash()

    odd = Child("contrary", contrary, restart=AT_ONCE)
    plan = Supervisor([child("a"), odd, child("c")], "one_for_all", max_restarts=1, window=3600)

    with supervising(probe, plan) as supervisor:
        end(ups(probe, 3)["c"])

        assert list(ups(probe, 3)) == ["a", "contrary", "c"]
        assert_receive(probe, topic="down")
        assert {info.restarts for info in children(probe, supervisor).values()} == {1}
        assert_receive_nothing_up(probe)


def assert_receive_nothing_up(probe: Probe) -> None:
    settle(probe.node)
    assert not [item for item in probe.items if getattr(item, "topic", "") == "up"]


def test_two_that_crash_at_once_restart_their_group_together(probe: Probe, child: Any) -> None:
    plan = Supervisor(map(child, "ab"), "one_for_all", max_restarts=1, window=3600)

    with supervising(probe, plan):
        first = ups(probe, 2)
        end(first["a"])
        end(first["b"])

        assert list(ups(probe, 2)) == ["a", "b"]
        assert_nothing(probe)


def test_a_temporary_sibling_does_not_come_back_with_the_group(probe: Probe, child: Any) -> None:
    plan = Supervisor([child("a"), child("b", "temporary")], "one_for_all")

    with supervising(probe, plan) as supervisor:
        end(ups(probe, 2)["a"])

        assert list(ups(probe, 1)) == ["a"]
        assert children(probe, supervisor)["b"].state == "stopped"
        downs(probe, 1)


def test_children_die_with_a_killed_supervisor_even_if_they_trap_links(probe: Probe) -> None:
    def trapping() -> None:
        gr.set_options(trap_links=True)
        gr.send(probe.pid, "up", ("a", gr.pid()))
        while True:
            gr.receive()

    supervisor = probe.do(gr.spawn_monitored, Supervisor([Child("a", trapping)]))
    pid = ups(probe, 1)["a"]
    probe.do(gr.monitor, pid)

    probe.do(gr.terminate, supervisor)

    assert {assert_receive(probe, kind="EXIT").result.reason for _ in range(2)} == {"killed"}
    assert not probe.node.supervised


def test_a_supervisor_ends_in_order_with_whom_it_is_linked_to(probe: Probe, child: Any) -> None:
    def owner() -> None:
        gr.send(probe.pid, "supervisor", gr.spawn_linked(Supervisor(map(child, "ab"))))
        gr.receive()
        gr.exit("boom")

    pid = probe.do(gr.spawn, owner)
    probe.do(gr.monitor, assert_receive(probe, topic="supervisor").payload)
    ups(probe, 2)

    gr.send(pid, "end")

    assert downs(probe, 2) == ["b", "a"]
    assert assert_receive(probe, kind="EXIT").result.reason == "boom"


class TestDynamic:
    def test_children_come_and_go(self, probe: Probe, child: Any) -> None:
        with supervising(probe, Supervisor(strategy="dynamic")) as supervisor:
            pid = probe.do(gr.call, supervisor, "start_child", child("a"))
            assert ups(probe, 1) == {"a": pid}
            wait_for(lambda: children(probe, supervisor)["a"].state == "running")

            assert probe.do(gr.call, supervisor, "terminate_child", pid) is True

            assert downs(probe, 1) == ["a"]
            assert children(probe, supervisor) == {}
            assert probe.do(gr.call, supervisor, "terminate_child", "a") is False

    def test_one_that_is_over_leaves_no_trace(self, probe: Probe, child: Any) -> None:
        with supervising(probe, Supervisor(strategy="dynamic")) as supervisor:
            probe.do(gr.call, supervisor, "start_child", child("a", "temporary"))
            end(ups(probe, 1)["a"])

            wait_for(lambda: not children(probe, supervisor))

    def test_one_that_waits_to_come_back_can_be_terminated(self, probe: Probe, child: Any) -> None:
        with supervising(probe, Supervisor([child("a", LATER)])) as supervisor:
            end(ups(probe, 1)["a"])
            wait_for(lambda: children(probe, supervisor)["a"].pid is None)

            assert probe.do(gr.call, supervisor, "terminate_child", "a") is True

            assert children(probe, supervisor)["a"].state == "stopped"

    @pytest.mark.parametrize(
        ("topic", "payload", "error"),
        [
            ("start_child", Child("a", wait), ValueError),
            ("start_child", Child("b", wait, requires=("c",)), ValueError),
            ("start_child", Child("b", "no.such:entry"), gr.UnknownEntry),
            ("start_child", "b", TypeError),
            ("terminate_child", [], TypeError),
            ("dance", None, ValueError),
        ],
    )
    def test_a_bad_command_is_answered_and_changes_nothing(
        self, probe: Probe, topic: str, payload: object, error: type[Exception]
    ) -> None:
        with supervising(probe, Supervisor([Child("a", wait)], "dynamic")) as supervisor:
            with pytest.raises(error):
                probe.do(gr.call, supervisor, topic, payload)
            gr.send(supervisor, topic, payload)

            assert list(children(probe, supervisor)) == ["a"]


def test_a_plan_that_makes_no_sense_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="strategy is 'none'; it must be one of one_for_one, "):
        Supervisor(strategy="none")
    assert repr(Supervisor([Child("a", wait)])) == "Supervisor([a], 'one_for_one')"
