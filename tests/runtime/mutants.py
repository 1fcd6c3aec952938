"""The rules of endings, each broken on purpose: the lifecycle model must stumble over each.

Compiled classes cannot be broken, so pytest does not collect this file by itself:
``test_mutants`` runs it on the source.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

import greenrelay as gr
from greenrelay.core.events import RESULT_NORMAL, Exit, LinkDown, result_of_reason
from greenrelay.core.names import Names
from greenrelay.core.topology import Topology
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.node import Node
from greenrelay.runtime.task import EXITING
from tests.runtime.test_lifecycle_model import LifecycleMachine

Patch = Callable[[pytest.MonkeyPatch], None]
MUTANTS: list[Patch] = []


def mutant(function: Patch) -> Patch:
    MUTANTS.append(function)
    return function


@mutant
def a_normal_ending_kills_the_peers(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gr.Result, "is_normal", False)


@mutant
def linking_the_dead_tells_nothing(patch: pytest.MonkeyPatch) -> None:
    real = FunctionProcess.deliver_event

    def deliver_event(self: FunctionProcess, event: Any) -> None:
        if not (isinstance(event, LinkDown) and event.result.reason == "noproc"):
            real(self, event)

    patch.setattr(FunctionProcess, "deliver_event", deliver_event)


@mutant
def monitoring_the_dead_tells_nothing(patch: pytest.MonkeyPatch) -> None:
    real = FunctionProcess.deliver_event

    def deliver_event(self: FunctionProcess, event: Any) -> None:
        if not (isinstance(event, Exit) and event.result.reason == "noproc"):
            real(self, event)

    patch.setattr(FunctionProcess, "deliver_event", deliver_event)


@mutant
def a_terminate_can_be_trapped(patch: pytest.MonkeyPatch) -> None:
    real = Node.terminate

    def terminate(self: Node, dest: str, reason: str = "killed") -> bool:
        process = self.find(dest)
        if process is not None and process.trap_links:
            process.deliver_event(LinkDown(process.pid, result_of_reason(reason)))
            return True
        return real(self, dest, reason)

    patch.setattr(Node, "terminate", terminate)


@mutant
def unlink_is_one_sided(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Topology, "unlink", lambda self, one, other: self._forget_link(one, other))


@mutant
def watchers_are_never_forgotten(patch: pytest.MonkeyPatch) -> None:
    real = Topology.ended

    def ended(self: Topology, pid: gr.Pid) -> Any:
        kept = dict(self._watching.get(pid, {}))
        found = real(self, pid)
        if kept:
            self._watching[pid] = kept
        return found

    patch.setattr(Topology, "ended", ended)


@mutant
def exiting_normally_does_not_end_it(patch: pytest.MonkeyPatch) -> None:
    real = FunctionProcess.end

    def end(self: FunctionProcess, result: gr.Result) -> None:
        if result != RESULT_NORMAL:
            real(self, result)

    patch.setattr(FunctionProcess, "end", end)


@mutant
def the_reason_is_lost_along_a_link(patch: pytest.MonkeyPatch) -> None:
    real = FunctionProcess.deliver_event

    def deliver_event(self: FunctionProcess, event: Any) -> None:
        if isinstance(event, LinkDown) and not self.trap_links:
            event = LinkDown(event.pid, result_of_reason("linked process died"))
        real(self, event)

    patch.setattr(FunctionProcess, "deliver_event", deliver_event)


@mutant
def the_second_reason_overwrites_the_first(patch: pytest.MonkeyPatch) -> None:
    real = FunctionProcess.end

    def end(self: FunctionProcess, result: gr.Result) -> None:
        if self.state == EXITING:
            self.exit_result = result
        real(self, result)

    patch.setattr(FunctionProcess, "end", end)


@mutant
def a_kill_does_not_change_the_reason_of_the_dying(patch: pytest.MonkeyPatch) -> None:
    real = FunctionProcess.end

    def end(self: FunctionProcess, result: gr.Result) -> None:
        if self.state != EXITING:
            real(self, result)

    patch.setattr(FunctionProcess, "end", end)


@mutant
def unmonitor_does_nothing(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Topology, "unmonitor", lambda self, ref: False)


@mutant
def names_outlive_their_process(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Names, "release", lambda self, pid: None)


@mutant
def trapping_is_looked_at_when_the_link_is_made(patch: pytest.MonkeyPatch) -> None:
    trapping: set[gr.Pid] = set()
    real_link, real_deliver = Node.link, FunctionProcess.deliver_event

    def link(self: Node, one: Any, other: Any) -> None:
        trapping.update(each.pid for each in (one, other) if each.trap_links)
        real_link(self, one, other)

    def deliver_event(self: FunctionProcess, event: Any) -> None:
        if isinstance(event, LinkDown):
            self.trap_links = self.pid in trapping
        real_deliver(self, event)

    patch.setattr(Node, "link", link)
    patch.setattr(FunctionProcess, "deliver_event", deliver_event)


QUICK = settings(
    max_examples=400,
    stateful_step_count=40,
    phases=[Phase.generate],
    derandomize=True,
    database=None,
    deadline=None,
    print_blob=False,
    suppress_health_check=list(HealthCheck),
)


def test_the_model_finds_nothing_where_no_rule_is_broken() -> None:
    run_state_machine_as_test(LifecycleMachine, settings=settings(QUICK, max_examples=100))


@pytest.mark.parametrize("break_a_rule", MUTANTS, ids=lambda each: each.__name__)
def test_the_model_finds(break_a_rule: Patch, monkeypatch: pytest.MonkeyPatch) -> None:
    break_a_rule(monkeypatch)

    with pytest.raises(BaseException):  # noqa: B017, PT011 - whatever the model stumbles over
        run_state_machine_as_test(LifecycleMachine, settings=QUICK)
    monkeypatch.undo()
