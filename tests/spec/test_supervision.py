"""The rules of the page "Processes", section "Supervision", each quoted by its test.

Strategies, intensity and the ways of ending are in ``tests/runtime/test_supervision.py``.
"""

from __future__ import annotations

import pytest

import greenrelay as gr
from greenrelay.boot import read
from greenrelay.extension import create_app
from greenrelay.http.state import state_of
from greenrelay.runtime.service import services, start_services
from tests.probe import Probe, assert_receive, wait_for

SERVICES = f"""
version: "1.0"
namespace: app
entries:
  - name: web
    kind: process.service
    process: {__name__}:wait
    lifecycle: {{requires: [db]}}
  - name: db
    kind: process.service
    process: {__name__}:wait
  - name: task
    kind: process.service
    process: {__name__}:done
    lifecycle: {{restart: {{policy: transient}}}}
  - name: idle
    kind: process.service
    process: {__name__}:wait
    lifecycle: {{auto_start: false}}
"""


def wait() -> None:
    gr.receive()


def done() -> None:
    pass


def states(node: gr.Node) -> list[tuple[str, str]]:
    return [(info.id, info.state.value) for info in services(node)]


def test_process_service_entries_keep_processes_alive(node: gr.Node) -> None:
    """`process.service` entries keep processes alive: `auto_start`, `requires`, `restart`;
    states starting, running, stopping, stopped, exited, failed."""
    state = state_of(create_app(SERVICES, node=node))
    assert states(node) == []

    state.start()

    running = [("app:db", "running"), ("app:web", "running"), ("app:task", "exited")]
    wait_for(lambda: states(node) == running)
    node.shutdown()
    assert states(node)[:2] == [("app:db", "stopped"), ("app:web", "stopped")]


@pytest.mark.parametrize("requires", ["[nobody]", "[web]"])
def test_a_cycle_or_a_missing_requirement_is_an_error_with_file_and_line(requires: str) -> None:
    """a cycle or a missing requirement is a configuration error with file and line."""
    with pytest.raises(gr.ConfigError, match=r":\d+"):
        read(SERVICES.replace("[db]", requires))


def test_supervisor_in_code_keeps_processes_alive(probe: Probe) -> None:
    """(and `Supervisor(children, strategy=…)` in code)."""

    def work() -> None:
        gr.send(probe.pid, "up", gr.pid())
        gr.receive()

    supervisor = probe.do(gr.spawn_linked_monitored, gr.Supervisor([gr.Child("work", work)]))
    first = assert_receive(probe, topic="up").payload

    gr.terminate(first)

    assert assert_receive(probe, topic="up").payload != first
    probe.do(gr.cancel, supervisor)
    assert assert_receive(probe, kind="EXIT").result.reason == "shutdown"


def test_failures_within_the_window_end_the_supervisor(probe: Probe) -> None:
    """restart intensity `max_restarts` within `window`, beyond which the supervisor itself ends
    abnormally and its own supervisor decides."""
    plan = gr.Supervisor([gr.Child("crash", gr.exit, args=("boom",))], max_restarts=1)

    probe.do(gr.spawn_monitored, plan)

    result = assert_receive(probe, kind="EXIT", timeout=30).result
    assert (result.reason, result.is_normal) == ("too_many_restarts", False)


def test_services_that_do_not_require_each_other_start_and_stop_in_parallel(
    node: gr.Node, probe: Probe
) -> None:
    """start in dependency order, in parallel where nothing forbids it; stop in reverse."""

    def slow(key: str) -> None:
        gr.call(probe.pid, "may I start?", key, timeout=None)
        gr.events().receive()
        gr.call(probe.pid, "may I stop?", key, timeout=None)

    def ask_two(topic: str) -> list[gr.Message]:
        questions = [assert_receive(probe, topic=topic) for _ in range(2)]
        assert sorted(question.payload for question in questions) == ["one", "two"]
        return questions

    supervisor = start_services(node, [gr.Child(key, slow, args=(key,)) for key in ("one", "two")])
    for question in ask_two("may I start?"):
        probe.do(gr.reply, question)
    wait_for(lambda: states(node) == [("one", "running"), ("two", "running")])

    gr.cancel(supervisor)

    for question in ask_two("may I stop?"):
        probe.do(gr.reply, question)
    wait_for(lambda: supervisor not in node.processes)
