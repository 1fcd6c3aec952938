"""Spawn, link, monitor, trap, end, send: a state machine against a small model.

What the rules do happens in *slices*: several signals are given before any process runs, as when
two peers die at once. The model says, for each process, whether it lives, how it ended, and which
events and messages it has got, in which order.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import greenrelay as gr
from greenrelay.core.events import CLEAN_REASONS, RESULT_KILLED
from greenrelay.core.message import Message
from tests.leaks import Counts, no_leaks
from tests.probe import DO, Probe, run_for, settle


@dataclass
class Model:
    """One process as it should be."""

    number: int
    alive: bool = True
    # One that has never run ends at once; one that has run ends when it runs next.
    has_run: bool = False
    is_gone: bool = False
    trap: bool = False
    reason: str = ""
    links: dict[int, None] = field(default_factory=dict)
    # (number of the monitor, number of its target)
    monitors: dict[int, int] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    got: list[tuple[object, ...]] = field(default_factory=list)


class World:
    """All processes as they should be; ``end`` and ``tell`` are the whole of the rules."""

    def __init__(self) -> None:
        self.processes: list[Model] = []
        self.dying: list[Model] = []
        self.pending: list[Model] = []
        self.monitors = 0

    def end(self, process: Model, reason: str) -> None:
        """The first reason counts, save that a kill changes that of one still dying."""
        if process.alive:
            process.alive, process.reason = False, reason
            process.is_gone = not process.has_run
            (self.dying if process.has_run else self.pending).append(process)
        elif reason == "killed" and not process.is_gone:
            process.reason = reason

    def tell(self) -> None:
        """Tell every ending, and those it causes, one after the other."""
        while self.pending or self.dying:
            if not self.pending:
                self.pending, self.dying = self.dying, []
            ended = self.pending.pop(0)
            ended.is_gone = True
            ended.names.clear()
            fired = [
                (ref, watcher)
                for watcher in self.processes
                for ref, target in watcher.monitors.items()
                if target == ended.number
            ]
            for ref, watcher in sorted(fired, key=lambda each: each[0]):
                del watcher.monitors[ref]
                if watcher.alive:
                    watcher.got.append(("EXIT", ended.number, ended.reason))
            linked, ended.links = list(ended.links), {}
            ended.monitors.clear()
            for number in linked:
                peer = self.processes[number]
                peer.links.pop(ended.number, None)
                if ended.reason in CLEAN_REASONS or not peer.alive:
                    # A kill that comes along a link is an ordinary reason: it changes none.
                    continue
                if peer.trap:
                    peer.got.append(("LINK_DOWN", ended.number, ended.reason))
                else:
                    self.end(peer, ended.reason)


INDEX = st.integers(0, 5)
REASONS = st.sampled_from(["normal", "shutdown", "boom", "killed"])
NAMES = st.sampled_from(["a", "b"])


class LifecycleMachine(RuleBasedStateMachine):
    """Six processes at a time, and a witness that monitors each of them from the beginning."""

    def __init__(self) -> None:
        super().__init__()
        self.check = no_leaks()
        self.check.__enter__()
        self.node = gr.Node("model", grace=5)
        self.witness = Probe(self.node)
        self.world = World()
        self.pids: list[gr.Pid] = []
        self.got: list[list[tuple[object, ...]]] = []
        self.slots: list[int] = []
        self.is_settled = True
        for _ in range(3):
            self.spawn_one()

    # the processes

    def body(self, number: int) -> None:
        while True:
            item = gr.receive()
            if isinstance(item, Message) and item.topic == DO:
                run_for(item)
            elif isinstance(item, Message) and item.topic == "return":
                return
            elif isinstance(item, Message) and item.topic == "crash":
                raise ValueError(item.payload)
            elif isinstance(item, Message):
                self.got[number].append(("message", item.payload))
            elif isinstance(item, gr.Cancel):
                self.got[number].append(("CANCEL",))
            else:
                self.got[number].append((item.kind, self.pids.index(item.pid), item.result.reason))  # type: ignore[arg-type]

    def spawn_one(self) -> int:
        number = len(self.pids)
        self.got.append([])
        self.pids.append(self.node.spawn(self.body, number))
        self.node.monitor(self.node.processes[self.witness.pid], self.pids[number])
        self.world.processes.append(Model(number))
        self.slots.append(number)
        return number

    def pick(self, index: int) -> Model:
        """Return a process: mostly a live one, since to the dead little can happen."""
        slots = [each for each in self.slots if self.world.processes[each].alive]
        if index == 5 or not slots:
            slots = self.slots
        return self.world.processes[slots[index % len(slots)]]

    def among(self, related: Iterable[int], index: int) -> Model:
        """Return one of the ``related``, or any process when there are none."""
        numbers = list(related)
        return self.world.processes[numbers[index % len(numbers)]] if numbers else self.pick(index)

    def settle(self) -> None:
        settle(self.node)
        self.world.tell()
        for process in self.world.processes:
            process.has_run = True
        self.is_settled = True

    # spawning

    @precondition(lambda self: len(self.slots) < 6)
    @rule()
    def spawn(self) -> None:
        self.spawn_one()

    @rule(index=INDEX, link=st.booleans(), monitor=st.booleans(), early=st.booleans())
    def spawn_related(self, index: int, link: bool, monitor: bool, early: bool) -> None:
        self.settle()
        parent = self.pick(index)
        if not parent.alive or len(self.slots) >= 6:
            return
        number = len(self.pids)
        self.got.append([])
        child = Model(number)
        self.world.processes.append(child)
        self.slots.append(number)

        def spawn() -> None:
            pid = gr.spawn(self.body, number, link=link, monitor=monitor)
            self.pids.append(pid)
            self.node.monitor(self.node.processes[self.witness.pid], pid)
            if early:
                gr.terminate(pid, "early")

        if link:
            child.links[parent.number] = parent.links[number] = None
        if monitor:
            self.world.monitors += 1
            parent.monitors[self.world.monitors] = number
        if early:
            self.world.end(child, "early")
        self.call(parent, spawn)
        self.settle()

    def call(self, process: Model, function: object) -> None:
        """Run ``function`` in a live process and raise what it raised."""
        answers: list[BaseException | None] = []

        class Slot:
            def answer(self, value: object) -> bool:
                answers.append(None)
                return True

            def fail(self, error: BaseException) -> bool:
                answers.append(error)
                return True

        self.node.route(self.pids[process.number], DO, function, slot=Slot())
        settle(self.node)
        if answers and answers[0] is not None:
            raise answers[0]

    # relations, made by the process itself

    @rule(index=INDEX, other=INDEX)
    def link(self, index: int, other: int) -> None:
        self.settle()
        one, two = self.pick(index), self.pick(other)
        if not one.alive:
            return
        if not two.alive:
            if one.trap:
                one.got.append(("LINK_DOWN", two.number, "noproc"))
            else:
                self.world.end(one, "noproc")
        elif one is not two:
            one.links[two.number] = two.links[one.number] = None
        self.call(one, lambda: gr.link(self.pids[two.number]))
        self.settle()

    @rule(index=INDEX, other=INDEX)
    def unlink(self, index: int, other: int) -> None:
        self.settle()
        one = self.pick(index)
        two = self.among(one.links, other)
        if one.alive:
            one.links.pop(two.number, None)
            two.links.pop(one.number, None)
            self.call(one, lambda: gr.unlink(self.pids[two.number]))

    @rule(index=INDEX, other=INDEX)
    def monitor(self, index: int, other: int) -> None:
        self.settle()
        one, two = self.pick(index), self.pick(other)
        if not one.alive:
            return
        if not two.alive:
            one.got.append(("EXIT", two.number, "noproc"))
        elif one is not two:
            self.world.monitors += 1
            one.monitors[self.world.monitors] = two.number
        self.call(one, lambda: gr.monitor(self.pids[two.number]))
        self.settle()

    @rule(index=INDEX, other=INDEX)
    def unmonitor(self, index: int, other: int) -> None:
        self.settle()
        one = self.pick(index)
        two = self.among(one.monitors.values(), other)
        if one.alive:
            one.monitors = {r: target for r, target in one.monitors.items() if target != two.number}
            self.call(one, lambda: gr.unmonitor(self.pids[two.number]))

    @rule(index=INDEX, trap=st.booleans())
    def trap(self, index: int, trap: bool) -> None:
        self.settle()
        process = self.pick(index)
        if process.alive:
            process.trap = trap
            self.call(process, lambda: gr.set_options(trap_links=trap))

    @rule(index=INDEX, name=NAMES)
    def register(self, index: int, name: str) -> None:
        self.settle()
        process = self.pick(index)
        if not process.alive:
            return
        taken = any(name in other.names for other in self.world.processes if other is not process)
        try:
            self.call(process, lambda: gr.register(name))
            assert not taken
            process.names.add(name)
        except gr.NameTaken:
            assert taken

    # signals: many of them may come before anybody runs

    @rule(index=INDEX, reason=REASONS)
    def terminate(self, index: int, reason: str) -> None:
        process = self.pick(index)
        assert self.node.terminate(self.pids[process.number], reason) is not process.is_gone
        self.world.end(process, reason)
        self.is_settled = False

    @rule(index=INDEX, reasons=st.tuples(REASONS, REASONS))
    def one_ends_twice(self, index: int, reasons: tuple[str, str]) -> None:
        self.settle()
        process = self.pick(index)
        for reason in reasons:
            self.node.terminate(self.pids[process.number], reason)
            self.world.end(process, reason)
        self.settle()

    @rule(index=INDEX, other=INDEX, reasons=st.tuples(REASONS, REASONS))
    def two_end_in_one_slice(self, index: int, other: int, reasons: tuple[str, str]) -> None:
        self.terminate(index, reasons[0])
        self.terminate(other, reasons[1])
        self.settle()

    @rule(index=INDEX)
    def toggle_while_a_peer_is_ending(self, index: int) -> None:
        """Trapping is looked at when the signal is delivered, not when the link was made."""
        self.settle()
        process = self.pick(index)
        if not process.alive or not process.links:
            return
        peer = self.world.processes[next(iter(process.links))]
        process.trap = not process.trap
        trap = process.trap

        def both() -> None:
            gr.terminate(self.pids[peer.number], "toggled")
            gr.set_options(trap_links=trap)

        self.world.end(peer, "toggled")
        self.call(process, both)
        self.settle()

    @rule(index=INDEX, reason=REASONS)
    def exit(self, index: int, reason: str) -> None:
        self.settle()
        process = self.pick(index)
        if process.alive:
            self.world.end(process, reason)
            self.call(process, lambda: gr.exit(reason))
            self.settle()

    @rule(index=INDEX, how=st.sampled_from(["return", "crash"]))
    def leave(self, index: int, how: str) -> None:
        self.settle()
        process = self.pick(index)
        taken = self.node.send(self.pids[process.number], how, "text")
        assert taken is process.alive
        self.world.end(process, "normal" if how == "return" else "ValueError: text")
        self.settle()

    @rule(index=INDEX)
    def cancel(self, index: int) -> None:
        process = self.pick(index)
        pid = self.pids[process.number]
        taken = self.node.cancel(pid, sender=None, deadline=3600, reason=None)
        assert taken is not process.is_gone
        if process.alive:
            process.got.append(("CANCEL",))
        self.is_settled = False

    @rule(index=INDEX, payload=st.integers())
    def send(self, index: int, payload: int) -> None:
        process = self.pick(index)
        took = self.node.send(self.pids[process.number], "topic", payload)
        assert took is process.alive
        if took:
            process.got.append(("message", payload))
        self.is_settled = False

    @rule()
    def run(self) -> None:
        self.settle()

    @precondition(lambda self: self.is_settled and len(self.slots) > 4)
    @rule()
    def bury(self) -> None:
        """Make room for others: the dead leave their slots."""
        self.slots = [each for each in self.slots if self.world.processes[each].alive]
        if not self.slots:
            self.spawn_one()

    # what must hold

    @precondition(lambda self: self.is_settled)
    @invariant()
    def the_world_is_as_it_should_be(self) -> None:
        live = {self.pids[each.number] for each in self.world.processes if each.alive}
        assert set(self.node.processes) == live | {self.witness.pid}
        ended = [(each.pid, each.result.reason) for each in self.witness.items]  # type: ignore[union-attr]
        assert sorted(ended) == sorted(
            (self.pids[each.number], each.reason) for each in self.world.processes if not each.alive
        )
        for process in self.world.processes:
            got = self.got[process.number]
            if not process.alive:
                # What was unread when the process ended is lost, so it has got the first of it.
                assert got == process.got[: len(got)]
                continue
            pid = self.pids[process.number]
            topology = self.node.topology
            assert got == process.got
            assert set(topology.links(pid)) == {self.pids[each] for each in process.links}
            watched = sorted(self.pids[each] for each in process.monitors.values())
            assert sorted(topology.watching(pid)) == watched
            assert set(self.node.names.names(pid)) == process.names
        names = sum(len(each.names) for each in self.world.processes if each.alive)
        assert len(self.node.names) == names

    def teardown(self) -> None:
        try:
            self.settle()
            self.the_world_is_as_it_should_be()
            self.end_all()
            assert Counts.of(self.node) == Counts(0, 0, 0, 0, 0)
        finally:
            self.end_all()
            self.node.shutdown()
        self.check.__exit__(None, None, None)

    def end_all(self) -> None:
        for process in tuple(self.node.processes.values()):
            process.end(RESULT_KILLED)
        settle(self.node)


LifecycleMachine.TestCase.settings = settings(
    max_examples=200, stateful_step_count=40, deadline=None
)
TestLifecycle = LifecycleMachine.TestCase
