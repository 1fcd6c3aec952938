"""Greenlets run one process after the other, and nothing of one reaches the next."""

import contextvars
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress

import gevent
import pytest
from gevent.local import local
from greenlet import getcurrent, greenlet

import greenrelay as gr
from greenrelay.testing import settle, wait_for


@pytest.fixture(params=[True, False], ids=["recycled", "new each time"])
def either_node(request: pytest.FixtureRequest) -> Iterator[gr.Node]:
    with gr.Node("test", recycle_workers=request.param) as node:
        # The supervisor keeps the worker of the first: the next two have one in common.
        node.run(number)
        yield node


def number() -> int:
    return id(getcurrent())


@pytest.mark.node_options(recycle_workers=True)
def test_a_worker_is_used_again(node: gr.Node) -> None:
    workers = {node.run(number) for _ in range(20)}

    # One for the processes, and one that the supervisor has kept.
    assert len(workers) <= 2


def test_without_recycling_each_process_has_a_greenlet_of_its_own() -> None:
    kept: list[greenlet] = []

    def keep() -> None:
        kept.append(getcurrent())

    with gr.Node("test", recycle_workers=False) as node:
        node.run(keep)
        node.run(keep)

        assert kept[0].dead
        assert kept[1] is not kept[0]


@pytest.mark.parametrize(("setting", "kept"), [("0", 0), ("1", 1)])
def test_the_environment_says_whether_workers_are_recycled(
    setting: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENRELAY_RECYCLE_WORKERS", setting)

    with gr.Node("test") as node:
        # The supervisor keeps the worker of the first.
        node.run(number)
        node.run(number)
        settle(node)

        assert min(len(node.scheduler.crew), 1) == kept


def test_a_worker_somebody_holds_is_not_used_again(node: gr.Node) -> None:
    held: list[greenlet] = []
    node.run(lambda: held.append(getcurrent()))

    assert node.run(number) != id(held[0])
    assert held[0].dead


def test_a_worker_somebody_refers_to_weakly_is_not_used_again(node: gr.Node) -> None:
    refs: list[weakref.ref[greenlet]] = []
    node.run(lambda: refs.append(weakref.ref(getcurrent())))

    assert refs[0]() is None


def test_a_timeout_that_was_left_running_strikes_nobody_else(either_node: gr.Node) -> None:
    timeouts: list[gevent.Timeout] = []
    # Kept, as it would be in a cache: the timer goes on.
    either_node.run(lambda: timeouts.append(gevent.Timeout.start_new(0.01)))

    ends: list[str] = []

    def next_one() -> None:
        wait_for(lambda: not timeouts[0].pending)
        ends.append("unharmed")

    either_node.spawn(next_one)

    # gevent's libuv loop raises in the main greenlet, no process, what a dead greenlet was to get.
    with suppress(gevent.Timeout):
        wait_for(lambda: ends)
    wait_for(lambda: ends)
    assert ends == ["unharmed"]
    timeouts[0].close()


def test_a_kill_that_comes_late_strikes_nobody_else(either_node: gr.Node) -> None:
    kills: list[Callable[[type[BaseException]], object]] = []
    either_node.run(lambda: kills.append(getcurrent().throw))

    def next_one() -> str:
        gevent.get_hub().loop.run_callback(kills[0], gevent.GreenletExit)
        # The hub calls back in order: the kill comes before this returns.
        gevent.sleep(0)
        return "unharmed"

    assert either_node.run(next_one) == "unharmed"


def test_a_local_of_one_process_is_not_there_in_the_next(either_node: gr.Node) -> None:
    data = local()

    def write() -> None:
        data.value = 1

    either_node.run(write)

    assert either_node.run(lambda: hasattr(data, "value")) is False


def test_a_context_variable_of_one_process_is_not_there_in_the_next(
    either_node: gr.Node,
) -> None:
    variable = contextvars.ContextVar("variable", default="fresh")
    either_node.run(variable.set, "used")

    assert either_node.run(variable.get) == "fresh"


def test_a_killed_process_leaves_a_worker_that_can_be_used(node: gr.Node) -> None:
    def victim() -> None:
        gr.receive()

    def killer() -> None:
        for _ in range(50):
            victim_pid = gr.spawn_monitored(victim)
            gr.terminate(victim_pid)
            assert isinstance(gr.receive(timeout=1), gr.Exit)

    node.run(killer)

    assert node.run(lambda: "still at work") == "still at work"


def test_a_burst_of_processes_all_run(either_node: gr.Node) -> None:
    done: list[int] = []

    def spawn_many() -> None:
        for index in range(2_000):
            gr.spawn(done.append, index)

    either_node.run(spawn_many)
    wait_for(lambda: len(done) == 2_000)

    assert done == list(range(2_000))
