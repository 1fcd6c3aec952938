"""Services. Source: Processes, "Supervision"."""

from __future__ import annotations

from typing import Any

import greenrelay as gr
from greenrelay.core.restart import RestartPolicy
from greenrelay.core.strategy import Child
from greenrelay.runtime.service import services, start_services
from tests.probe import Probe, assert_receive, settle, wait, wait_for, wait_for_ever


def states(node: gr.Node) -> dict[str, str]:
    return {info.id: info.state.value for info in services(node)}


def test_the_states_can_be_seen(node: gr.Node) -> None:
    """States: starting, running, stopping, stopped, exited, failed, visible."""
    start_services(
        node,
        [
            Child("running", wait),
            Child("exited", len, args=("",), restart="transient"),
            Child("failed", len, restart=RestartPolicy(initial_delay=3600, max_delay=3600)),
            Child("starting", wait_for_ever, start_timeout=3600),
            Child("waiting", wait, requires=("failed",)),
        ],
    )

    wait_for(lambda: states(node).get("running") == "running")
    settle(node)

    assert states(node) == {
        "running": "running",
        "exited": "exited",
        "failed": "failed",
        "starting": "starting",
        "waiting": "stopped",
    }
    node.shutdown(0.01)
    assert set(states(node).values()) <= {"stopped", "exited", "failed"}


def test_a_service_starts_when_what_it_requires_has_started(node: gr.Node, probe: Probe) -> None:
    """start in dependency order."""

    def slow() -> None:
        gr.call(probe.pid, "may I?", timeout=None)
        gr.receive()

    supervisor = start_services(
        node,
        [
            Child("web", wait, requires=("db", "app:processes")),
            Child("db", slow),
        ],
    )
    question = assert_receive(probe, topic="may I?")
    settle(node)
    assert states(node) == {"db": "starting", "web": "stopped"}

    probe.do(gr.reply, question)

    wait_for(lambda: states(node) == {"db": "running", "web": "running"})
    gr.cancel(supervisor)
    wait_for(lambda: supervisor not in node.processes)


def test_nobody_waits_longer_than_start_timeout(node: gr.Node) -> None:
    start_services(
        node,
        [
            Child("loop", wait_for_ever, start_timeout="1ms", shutdown=0),
            Child("web", wait, requires=("loop",)),
        ],
    )

    wait_for(lambda: states(node) == {"loop": "running", "web": "running"})
    node.shutdown(1)


def test_services_stop_in_reverse_when_the_node_shuts_down(node: gr.Node) -> None:
    """stop in reverse."""
    seen: list[Any] = []

    def work(key: str) -> None:
        gr.receive()
        seen.append((key, states(node)))

    start_services(
        node,
        [
            Child("db", work, args=("db",)),
            Child("web", work, args=("web",), requires=("db",)),
            Child("mail", work, args=("mail",), requires=("db",)),
        ],
    )
    wait_for(lambda: set(states(node).values()) == {"running"})

    node.shutdown()

    assert sorted(key for key, _ in seen[:2]) == ["mail", "web"]
    assert seen[0][1] == {"db": "running", "web": "stopping", "mail": "stopping"}
    assert seen[2] == ("db", {"db": "stopping", "web": "stopped", "mail": "stopped"})
    assert states(node) == dict.fromkeys(("db", "web", "mail"), "stopped")
