"""What a running supervisor does when it is called. Source: Processes, "Supervision"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import greenrelay as gr
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import STRATEGIES, Child, ChildInfo
from tests.probe import Probe, assert_nothing, assert_receive, wait_for
from tests.runtime.supervising import children

AT_ONCE = RestartPolicy(initial_delay=0.0, jitter=0.0)
LATER = RestartPolicy(initial_delay=3600.0, max_delay=3600.0)


@pytest.fixture
def child(probe: Probe) -> Callable[..., Child]:
    """A child that tells the probe of its start and ends as it is told to."""

    def work(key: str) -> None:
        gr.send(probe.pid, "up", (key, gr.pid()))
        item = gr.receive()
        if isinstance(item, gr.Message):
            gr.exit(str(item.payload))

    def make(key: str, restart: Any = AT_ONCE, **options: Any) -> Child:
        return Child(key, work, args=(key,), restart=restart, **options)

    return make


@pytest.fixture
def start(probe: Probe) -> Iterator[Callable[..., gr.Pid]]:
    """Start a supervisor, which is cancelled when the test is over."""
    pids: list[gr.Pid] = []

    def run(*args: Any, **kwargs: Any) -> gr.Pid:
        pids.append(probe.do(gr.spawn_monitored, gr.Supervisor(*args, **kwargs)))
        return pids[-1]

    yield run
    for pid in pids:
        if probe.do(gr.cancel, pid):
            assert_receive(probe, kind="EXIT")


def up(probe: Probe) -> tuple[str, gr.Pid]:
    key, pid = assert_receive(probe, topic="up").payload
    return key, pid


def ask(probe: Probe, supervisor: gr.Pid, topic: str, payload: object = None) -> Any:
    return probe.do(gr.call, supervisor, topic, payload)


class TestRestartChild:
    def test_a_terminated_child_comes_back(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("a")])
        first = up(probe)[1]
        assert ask(probe, supervisor, "terminate_child", "a") is True
        assert_nothing(probe)

        second = ask(probe, supervisor, "restart_child", "a")

        assert up(probe) == ("a", second)
        assert second != first
        info = children(probe, supervisor)["a"]
        assert (info.pid, info.restarts) == (second, 1)

    def test_one_that_ended_for_good_comes_back(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("a", "temporary")])
        gr.send(up(probe)[1], "end", "boom")
        wait_for(lambda: children(probe, supervisor)["a"].state == "failed")

        pid = ask(probe, supervisor, "restart_child", "a")

        assert up(probe) == ("a", pid)

    def test_it_is_supervised_again(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("a")])
        up(probe)
        ask(probe, supervisor, "terminate_child", "a")
        pid = ask(probe, supervisor, "restart_child", "a")
        up(probe)

        gr.send(pid, "end", "boom")

        key, after = up(probe)
        assert (key, after != pid) == ("a", True)

    def test_a_live_one_is_left_alone(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("a")])
        pid = up(probe)[1]

        with pytest.raises(ValueError, match=f"taken by {pid}"):
            ask(probe, supervisor, "restart_child", "a")

        assert children(probe, supervisor)["a"].pid == pid

    def test_one_that_comes_back_by_itself_is_left_alone(
        self, probe: Probe, child: Any, start: Any
    ) -> None:
        supervisor = start([child("a", LATER)])
        gr.send(up(probe)[1], "end", "boom")
        wait_for(lambda: children(probe, supervisor)["a"].pid is None)

        for command in ("restart_child", "delete_child"):
            with pytest.raises(ValueError, match="taken by one that comes back"):
                ask(probe, supervisor, command, "a")

    def test_nobody_cannot_come_back(self, probe: Probe, start: Any) -> None:
        supervisor = start([])

        with pytest.raises(LookupError, match="there is no child 'a' to restart"):
            ask(probe, supervisor, "restart_child", "a")

    def test_what_it_requires_has_to_be_there(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("db"), child("web", requires=("db",))])
        up(probe)
        up(probe)
        for key in ("web", "db"):
            ask(probe, supervisor, "terminate_child", key)

        with pytest.raises(ValueError, match="not all have started"):
            ask(probe, supervisor, "restart_child", "web")

    def test_one_that_cannot_start_stays_as_it_was(
        self, probe: Probe, child: Any, start: Any
    ) -> None:
        supervisor = start([child("a", name="taken")])
        up(probe)
        ask(probe, supervisor, "terminate_child", "a")
        probe.do(gr.register, "taken")

        with pytest.raises(gr.NameTaken):
            ask(probe, supervisor, "restart_child", "a")

        assert children(probe, supervisor)["a"].state == "stopped"


class TestDeleteChild:
    def test_one_that_is_over_is_forgotten(self, probe: Probe, child: Any, start: Any) -> None:
        board: dict[str, ChildInfo] = {}
        supervisor = start([child("a"), child("b")], board=board)
        up(probe)
        up(probe)
        ask(probe, supervisor, "terminate_child", "a")

        assert ask(probe, supervisor, "delete_child", "a") is True

        assert list(children(probe, supervisor)) == list(board) == ["b"]
        assert ask(probe, supervisor, "delete_child", "a") is False

    def test_its_id_is_free(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("a")])
        up(probe)
        ask(probe, supervisor, "terminate_child", "a")
        ask(probe, supervisor, "delete_child", "a")

        pid = ask(probe, supervisor, "start_child", child("a"))

        assert up(probe) == ("a", pid)
        assert children(probe, supervisor)["a"].restarts == 0

    def test_a_live_one_is_refused(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("a")])
        pid = up(probe)[1]

        for key in ("a", pid):
            with pytest.raises(ValueError, match=f"taken by {pid}"):
                ask(probe, supervisor, "delete_child", key)

        assert list(children(probe, supervisor)) == ["a"]

    def test_one_that_another_requires_is_refused(
        self, probe: Probe, child: Any, start: Any
    ) -> None:
        supervisor = start([child("db"), child("web", requires=("db",))])
        up(probe)
        up(probe)
        ask(probe, supervisor, "terminate_child", "db")

        with pytest.raises(ValueError, match="'db' is required by 'web'"):
            ask(probe, supervisor, "delete_child", "db")

    def test_the_group_goes_on_without_it(self, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start([child("a"), child("b"), child("c")], "one_for_all")
        pids = dict(up(probe) for _ in range(3))
        ask(probe, supervisor, "terminate_child", "b")
        ask(probe, supervisor, "delete_child", "b")

        gr.send(pids["a"], "end", "boom")

        assert [up(probe)[0] for _ in range(2)] == ["a", "c"]
        assert_nothing(probe)


class TestStartChild:
    @pytest.mark.parametrize("strategy", STRATEGIES)
    def test_every_strategy_takes_one_more(
        self, probe: Probe, child: Any, start: Any, strategy: str
    ) -> None:
        supervisor = start([child("a")], strategy)
        up(probe)

        pid = ask(probe, supervisor, "start_child", child("b"))

        assert up(probe) == ("b", pid)
        assert list(children(probe, supervisor)) == ["a", "b"]

    def test_the_newest_is_the_last_of_its_group(
        self, probe: Probe, child: Any, start: Any
    ) -> None:
        supervisor = start([child("a")], "rest_for_one")
        pid = up(probe)[1]
        ask(probe, supervisor, "start_child", child("b"))
        up(probe)

        gr.send(pid, "end", "boom")

        assert [up(probe)[0] for _ in range(2)] == ["a", "b"]

    def test_a_thousand_dynamic_children_come_and_go(
        self, probe: Probe, child: Any, start: Any
    ) -> None:
        supervisor = start(strategy="dynamic")

        def spawn_all() -> None:
            for number in range(1_000):
                gr.call(supervisor, "start_child", child(str(number), "transient", shutdown=0))

        probe.do(spawn_all)
        pids = dict(up(probe) for _ in range(1_000))
        assert sum(ask(probe, supervisor, "count_children").values()) == 1_000
        for pid in pids.values():
            gr.send(pid, "end", "normal")

        wait_for(lambda: children(probe, supervisor) == {})

    def test_a_failed_start_of_a_dynamic_child_keeps_nothing(
        self, probe: Probe, start: Any
    ) -> None:
        supervisor = start(strategy="dynamic")

        with pytest.raises(gr.UnknownEntry):
            ask(probe, supervisor, "start_child", Child("a", "no.such:entry"))

        assert children(probe, supervisor) == {}

    def test_a_supervisor_that_ends_starts_and_restarts_nothing(
        self, probe: Probe, child: Any, start: Any
    ) -> None:
        def slow() -> None:
            gr.send(probe.pid, "up", ("slow", gr.pid()))
            gr.events().receive()
            gr.receive("go on")

        supervisor = start([child("a"), Child("slow", slow)])
        up(probe)
        pid = up(probe)[1]
        ask(probe, supervisor, "terminate_child", "a")
        probe.do(gr.cancel, supervisor)
        wait_for(lambda: children(probe, supervisor)["slow"].state == "stopping")

        for command, payload in (("start_child", child("b")), ("restart_child", "a")):
            with pytest.raises(gr.ProcessDown, match="shutdown"):
                ask(probe, supervisor, command, payload)

        gr.send(pid, "go on")


def test_count_children_tells_how_many_are_in_each_state(
    probe: Probe, child: Any, start: Any
) -> None:
    supervisor = start([child("a"), child("b"), child("c")])
    for _ in range(3):
        up(probe)
    ask(probe, supervisor, "terminate_child", "b")

    wait_for(lambda: children(probe, supervisor)["c"].state == "running")

    assert ask(probe, supervisor, "count_children") == {"running": 2, "stopped": 1}


@pytest.mark.parametrize("topic", ["restart_child", "delete_child", "terminate_child"])
@pytest.mark.parametrize("key", [None, [], 7])
def test_a_child_is_named_by_its_id_or_pid(
    probe: Probe, child: Any, start: Any, topic: str, key: object
) -> None:
    supervisor = start([child("a")])
    up(probe)

    with pytest.raises(TypeError, match="a child is named by its id or PID"):
        ask(probe, supervisor, topic, key)
    gr.send(supervisor, topic, key)

    assert list(children(probe, supervisor)) == ["a"]


def test_text_that_only_looks_like_a_pid_is_refused(probe: Probe, start: Any) -> None:
    with pytest.raises(gr.InvalidPid):
        ask(probe, start([]), "terminate_child", "{nobody")


def test_a_pid_may_come_as_text(probe: Probe, child: Any, start: Any) -> None:
    supervisor = start([child("a")])
    pid = up(probe)[1]

    assert ask(probe, supervisor, "terminate_child", str(pid)) is True


@pytest.mark.parametrize("node_options", [{"strict_payloads": True}])
class TestOfStrictNodes:
    """A Child is for a supervisor, which is of this node; other payloads are plain data."""

    def test_a_child_is_started(self, node: gr.Node, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start(strategy="dynamic")

        pid = ask(probe, supervisor, "start_child", child("a"))

        assert up(probe) == ("a", pid)
        assert [info.id for info in ask(probe, supervisor, "which_children")] == ["a"]

    def test_a_child_may_be_sent(self, node: gr.Node, probe: Probe, child: Any, start: Any) -> None:
        supervisor = start(strategy="dynamic")

        probe.do(gr.send, supervisor, "start_child", child("a"))

        assert up(probe)[0] == "a"

    def test_anything_else_is_refused(
        self, node: gr.Node, probe: Probe, child: Any, start: Any
    ) -> None:
        class Odd(Child):
            """Inherits, as what could be anything."""

        supervisor = start(strategy="dynamic")

        for payload in (Odd("a", int), [child("a")], {"child": child("a")}, object(), {1}):
            for function in (gr.call, gr.send):
                with pytest.raises(gr.UnsendablePayload):
                    probe.do(function, supervisor, "start_child", payload)

        assert ask(probe, supervisor, "which_children") == ()
