"""The promises of Processes hold in whatever order the processes that could run do run.

Each scenario runs under many orders, each of another seed. The mutants at the end are faults that
the usual order hides; the scenarios must find them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any

import pytest

import greenrelay as gr
from greenrelay.core.events import Exit, result_of_reason
from greenrelay.core.names import Names
from greenrelay.core.topology import Topology
from greenrelay.runtime.membership import Membership
from greenrelay.testing import explore, settle, wait_for

Scenario = Callable[[gr.Node], None]
SEEDS = range(200)
PATIENCE = 30.0
SCENARIOS: list[Scenario] = []


def scenario(function: Scenario) -> Scenario:
    SCENARIOS.append(function)
    return function


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Crashes are what these tests are about: no thousand tracebacks."""
    logger = logging.getLogger("greenrelay.runtime")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(before)


def crash(text: str = "boom") -> None:
    raise ValueError(text)


def wait_for_go() -> None:
    if gr.receive("go", "crash").topic == "crash":
        crash()


def exits(count: int) -> list[Exit]:
    """Return the next events of this process, which must be so many EXITs."""
    found = [gr.events().receive(timeout=PATIENCE) for _ in range(count)]
    assert all(isinstance(each, Exit) for each in found), found
    return found  # type: ignore[return-value]


def run_all(node: gr.Node, *entries: Callable[[], object]) -> None:
    """Run ``entries`` beside each other; raises what the first of them raises that fails."""

    def main() -> None:
        pids = [gr.spawn_monitored(entry) for entry in entries]
        for event in exits(len(pids)):
            assert event.result.error is None, f"{event.pid}: {event.result.error.traceback}"

    node.run(main, timeout=2 * PATIENCE)


@scenario
def messages_keep_their_order_and_come_before_the_ending(node: gr.Node) -> None:
    """Per sender-receiver order; a message sent before an ending is received before it."""

    def talk(listener: gr.Pid, count: int) -> None:
        for number in range(count):
            gr.send(listener, "n", number)
            gr.exec(int)

    def listen() -> None:
        talkers = [gr.spawn_monitored(talk, gr.pid(), 5) for _ in range(3)]
        got: dict[gr.Pid, list[object]] = {talker: [] for talker in talkers}
        for _ in range(3 * 6):
            match gr.receive(timeout=PATIENCE):
                case gr.Message(payload=number, sender=talker):
                    assert talker is not None
                    got[talker].append(number)
                case Exit(pid=talker):
                    got[talker].append("EXIT")  # type: ignore[index]
        assert list(got.values()) == [[0, 1, 2, 3, 4, "EXIT"]] * 3

    run_all(node, listen, listen)


@scenario
def calls_are_answered_and_monitors_fire_once(node: gr.Node) -> None:
    """EXIT exactly once; each `monitor` call is independent: two monitors, two EXITs."""

    def serve() -> None:
        for message in gr.inbox():
            if message.topic == "end":
                return
            gr.reply(message, message.payload)

    def ask(server: gr.Pid, is_last: bool) -> None:
        refs = [gr.monitor(server), gr.monitor(server)]
        assert [gr.call(server, "echo", n, timeout=PATIENCE) for n in range(4)] == [0, 1, 2, 3]
        gr.send(server, "end")
        assert sorted((event.ref for event in exits(2)), key=attrgetter("number")) == refs
        assert len(gr.events()) == 0

    def pair() -> None:
        server = gr.spawn(serve)
        gr.exec(ask, server, True)

    run_all(node, pair, pair, pair)


@scenario
def a_cascade_carries_the_root_cause_to_all_once(node: gr.Node) -> None:
    """the root cause travels along the whole chain; 10,000 linked processes, a link cycle."""

    def watch_ring() -> None:
        gr.set_options(trap_links=True)
        ring = [gr.spawn_monitored(wait_for_go) for _ in range(6)]

        def join_up(one: gr.Pid, other: gr.Pid) -> None:
            node.link(node.processes[one], node.processes[other])

        for place, pid in enumerate(ring):
            join_up(pid, ring[place - 1])
        gr.link(ring[3])
        gr.send(ring[0], "crash")
        events = [gr.events().receive(timeout=PATIENCE) for _ in range(7)]
        kinds = [(event.kind, event.pid) for event in events]  # type: ignore[union-attr]
        assert sorted(kinds) == sorted([("EXIT", pid) for pid in ring] + [("LINK_DOWN", ring[3])])
        assert kinds.index(("EXIT", ring[3])) < kinds.index(("LINK_DOWN", ring[3]))
        assert {event.result.reason for event in events} == {  # type: ignore[union-attr]
            "ValueError: boom"
        }

    run_all(node, watch_ring, watch_ring)


@scenario
def all_watchers_see_endings_in_one_order(node: gr.Node) -> None:
    """One supervisor greenlet does this for the node, so every process sees endings in one order"""
    seen: list[list[object]] = []

    def watch(targets: list[gr.Pid]) -> None:
        for target in targets:
            gr.monitor(target)
        gr.send(targets[0], "ready")
        seen.append([event.pid for event in exits(len(targets))])

    def main() -> None:
        targets = [gr.spawn(wait_for_go) for _ in range(4)]
        watchers = [gr.spawn_monitored(watch, targets) for _ in range(3)]
        wait_for(lambda: all(len(node.topology.watching(each)) == 4 for each in watchers))
        for target in targets:
            gr.send(target, "crash")
        assert all(event.result.error is None for event in exits(len(watchers)))

    node.run(main, timeout=2 * PATIENCE)
    assert len(seen) == 3
    assert seen[0] == seen[1] == seen[2]


@scenario
def a_name_is_free_when_the_exit_of_its_owner_comes(node: gr.Node) -> None:
    """a watcher that got EXIT finds the name free"""
    owners: list[gr.Pid] = []

    def contend() -> None:
        while True:
            try:
                gr.register("crown")
            except gr.NameTaken as taken:
                gr.monitor(taken.owner)
                (event,) = exits(1)
                assert gr.whereis("crown") != event.pid, "the dead owner has the name still"
                continue
            owners.append(gr.pid())
            gr.exec(int)
            assert gr.whereis("crown") == gr.pid()
            return

    run_all(node, *[contend] * 5)
    assert len(set(owners)) == 5


@scenario
def a_call_of_a_dying_server_is_answered_or_fails_and_nothing_is_left_over(node: gr.Node) -> None:
    """safe when the target dies half way; a late reply is dropped, never seen by a later call"""

    def serve_two_and_die() -> None:
        for _ in range(2):
            message = gr.receive("ask", timeout=PATIENCE)
            gr.spawn(gr.reply, message, ("first", message.payload))
        crash()

    def ask(mortal: gr.Pid, other: gr.Pid, number: int) -> None:
        try:
            answer = gr.call(mortal, "ask", number, timeout=PATIENCE)
        except gr.ProcessDown as down:
            answer = down.reason
        assert answer in (("first", number), "noproc", "ValueError: boom")
        assert gr.call(other, "ask", number, timeout=PATIENCE) == ("second", number)
        assert len(gr.inbox()) == len(gr.events()) == 0

    def main() -> None:
        mortal = gr.spawn(serve_two_and_die)
        other = gr.spawn_linked(Second)
        run = [gr.spawn_monitored(ask, mortal, other, number) for number in range(4)]
        for event in exits(len(run)):
            assert event.result.error is None, event.result.error.traceback
        gr.unlink(other)
        gr.terminate(other)

    node.run(main, timeout=2 * PATIENCE)


class Second(gr.Server):
    """Answers, unlike the process that died."""

    def handle_call(self, message: gr.Message) -> object:
        return "second", message.payload


@scenario
def who_watches_a_group_sees_each_come_and_go_once(node: gr.Node) -> None:
    """membership ends with the process; `watch(group) -> (members, channel)`"""

    def be_member(how: str) -> None:
        gr.join("club")
        gr.exec(int)
        if how == "leaves":
            gr.leave("club")
            gr.exec(int)
        elif how == "crashes":
            crash()

    def watch() -> None:
        there, changes = gr.watch("club")
        inside, left = set(there), 0
        while left < 6:
            match changes.receive(timeout=PATIENCE):
                case gr.Joined(pid=pid):
                    assert pid not in inside
                    inside.add(pid)
                case gr.Left(pid=pid):
                    inside.remove(pid)
                    left += 1
        assert not inside

    def check_exits() -> None:
        for _ in range(2):
            for how in ("leaves", "crashes", "returns"):
                gr.spawn_monitored(be_member, how)
        for event in exits(6):
            assert event.pid not in gr.members("club"), "the dead are members still"

    def main() -> None:
        watcher = gr.spawn_monitored(watch)
        wait_for(lambda: len(node.groups) == 1)
        gr.exec(check_exits)
        (event,) = exits(1)
        assert event.pid == watcher
        assert event.result.error is None, event.result.error.traceback

    node.run(main, timeout=2 * PATIENCE)


@scenario
def a_message_in_the_tick_of_a_timeout_is_never_lost(node: gr.Node) -> None:
    """at most once: `receive` gives the message or raises Timeout, and then the next one has it"""
    got: list[object] = []

    def wait(number: int) -> None:
        try:
            got.append(gr.receive("late", timeout=0.001).payload)
        except gr.Timeout:
            got.append(gr.receive("late", timeout=PATIENCE).payload)
        assert len(gr.inbox()) == 0

    def waiter(number: int) -> Callable[[], None]:
        def run() -> None:
            gr.send_after(0.001, gr.pid(), "late", number)
            wait(number)

        return run

    run_all(node, *[waiter(number) for number in range(5)])
    assert sorted(got) == [0, 1, 2, 3, 4]  # type: ignore[type-var]


@scenario
def the_first_reason_wins_and_a_kill_turns_it_into_killed(node: gr.Node) -> None:
    """The first reason wins. To a process already ending only a kill matters"""

    def victim() -> None:
        gr.receive("never")

    def end(target: gr.Pid, reason: str) -> None:
        gr.terminate(target, reason)

    def main() -> None:
        targets = [gr.spawn_monitored(victim) for _ in range(3)]
        for target in targets:
            for reason in ("one", "other", "killed"):
                gr.spawn(end, target, reason)
        reasons = [event.result.reason for event in exits(3)]
        assert set(reasons) <= {"one", "other", "killed"}
        assert len(gr.events()) == 0

    node.run(main, timeout=2 * PATIENCE)


@scenario
def what_is_run_with_exec_dies_with_its_caller(node: gr.Node) -> None:
    """it dies with the caller"""

    def caller() -> None:
        gr.exec(gr.receive, "never", timeout=PATIENCE)

    def main() -> None:
        callers = [gr.spawn_monitored(caller) for _ in range(3)]
        for pid in callers:
            gr.spawn(gr.terminate, pid, "enough")
        exits(3)

    node.run(main, timeout=2 * PATIENCE)


def and_nothing_is_left(run: Scenario) -> Scenario:
    """no greenlet, monitor, link, name or group entry outlives its process"""

    def scenario(node: gr.Node) -> None:
        run(node)
        settle(node)
        assert not node.processes
        assert len(node.topology) == len(node.names) == len(node.groups) == 0

    return scenario


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda each: each.__name__)
def test_in_every_order(scenario: Scenario) -> None:
    explore(and_nothing_is_left(scenario), SEEDS)


# What the scenarios are there to find: each fault is one the usual order hides.


class LateNames(Names):
    """Frees the names of the dead in a process of its own, which runs soon."""

    def __init__(self, node: gr.Node) -> None:
        super().__init__()
        self._node = node

    def release(self, pid: gr.Pid) -> None:
        if pid in self:
            self._node.spawn(super().release, pid)


class LateMembership(Membership):
    """Removes the dead from their groups in a process of its own, which runs soon."""

    def __init__(self, node: gr.Node) -> None:
        super().__init__()
        self._node = node

    def ended(self, pid: gr.Pid) -> None:
        if self.joined(pid):
            self._node.spawn(super().ended, pid)
        else:
            super().ended(pid)


class ManySupervisors(Topology):
    """Has each watcher told of an ending by a process of its own, which runs soon."""

    def __init__(self, node: gr.Node) -> None:
        super().__init__()
        self._node = node

    def ended(self, pid: gr.Pid) -> Any:
        fired, linked = super().ended(pid)
        result = result_of_reason("told late")
        if len(fired) > 1:
            for ref in fired:
                self._node.spawn(self._tell, ref.watcher, Exit(pid, result, ref))
            fired = ()
        return fired, linked

    def _tell(self, watcher: gr.Pid, event: Exit) -> None:
        process = self._node.processes.get(watcher)
        if process is not None:
            process.deliver_event(event)


def with_late_names(node: gr.Node) -> None:
    node.names = LateNames(node)
    a_name_is_free_when_the_exit_of_its_owner_comes(node)


def with_late_membership(node: gr.Node) -> None:
    node.groups = LateMembership(node)
    who_watches_a_group_sees_each_come_and_go_once(node)


def with_many_supervisors(node: gr.Node) -> None:
    node.topology = ManySupervisors(node)
    all_watchers_see_endings_in_one_order(node)


MUTANTS = [with_late_names, with_late_membership, with_many_supervisors]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda each: each.__name__)
def test_a_fault_that_the_usual_order_hides_is_found(mutant: Scenario) -> None:
    with gr.Node("usual") as node:
        mutant(node)
        settle(node)

    with pytest.raises((AssertionError, KeyError)) as caught:
        explore(mutant, SEEDS)

    assert "The order of processes was that of seed" in caught.value.__notes__[-1]
