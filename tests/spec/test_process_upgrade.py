"""The rules of the page "Processes" on upgrade and with_context."""

from __future__ import annotations

import sys
from typing import Any

import pytest

import greenrelay as gr
from tests.probe import Probe, assert_receive


def report(to: gr.Pid, *state: object) -> object:
    gr.send(to, "report", state)
    return state


class TestUpgrade:
    def test_other_code_runs_as_the_same_process(self, probe: Probe) -> None:
        """run other code under the same PID, inbox, links, monitors, names."""

        def old() -> None:
            gr.register("worker")
            gr.join("room")
            gr.upgrade(new, 1, 2)

        def new(one: int, two: int) -> object:
            message = gr.receive("go")
            seen = gr.info(gr.pid())
            assert seen is not None
            return gr.pid(), one, two, message.payload, seen.names, seen.groups, seen.entry

        child = probe.do(gr.spawn_monitored, old)
        gr.send(child, "go", 3)

        value = assert_receive(probe, kind="EXIT").result.value
        assert value[:6] == (child, 1, 2, 3, ("worker",), ("room",))
        assert value[6].endswith("new")

    def test_unread_messages_survive(self, node: gr.Node) -> None:
        def old() -> None:
            for topic in ("a", "b", "listened"):
                gr.send(gr.pid(), topic)
                if topic == "b":
                    gr.listen("listened")
            gr.upgrade(new)

        def new() -> list[str]:
            return [next(each).topic for each in (gr.inbox(), gr.inbox(), gr.listen("listened"))]

        assert node.run(old) == ["a", "b", "listened"]

    def test_an_import_path_and_a_thousand_upgrades(self, node: gr.Node) -> None:
        assert node.run(count_down, sys.getrecursionlimit() + 10) == "done"
        assert node.run(lambda: gr.upgrade(f"{__name__}:count_down", 3)) == "done"

    def test_without_an_entry_it_starts_over(self, node: gr.Node) -> None:
        """`upgrade(entry=None, *state)`."""

        def entry(number: int) -> int:
            return number if number > 2 else gr.upgrade(None, number + 1)

        assert node.run(entry, 0) == 3

    def test_the_old_code_is_left_first(self, node: gr.Node) -> None:
        steps: list[str] = []

        def old() -> None:
            try:
                gr.upgrade(steps.append, "new")
            except Exception:
                steps.append("swallowed")
            finally:
                steps.append("left")

        node.run(old)

        assert steps == ["left", "new"]

    def test_swallowing_it_only_delays_it(self, node: gr.Node) -> None:
        def old() -> str:
            try:
                gr.upgrade(lambda: "new")
            except gr.ProcessUpgrade:
                return "old"

        assert node.run(old) == "new"

    @pytest.mark.parametrize("entry", ["no.such:entry", 7, gr.Server])
    def test_an_unknown_entry_ends_the_process(self, probe: Probe, entry: object) -> None:
        """a failing upgrade ends the process abnormally."""

        def old() -> None:
            try:
                gr.upgrade(entry)
            except Exception:
                gr.exit("caught")

        probe.do(gr.spawn_monitored, old)

        error = assert_receive(probe, kind="EXIT").result.error
        assert error.type == "UnknownEntry"

    def test_an_exception_ends_the_process(self, probe: Probe) -> None:
        def new() -> None:
            raise ValueError("new")

        def bad_cleanup() -> None:
            try:
                gr.upgrade(new)
            finally:
                raise KeyError("old")

        probe.do(gr.spawn_monitored, gr.upgrade, new)
        probe.do(gr.spawn_monitored, bad_cleanup)

        types = [assert_receive(probe, kind="EXIT").result.error.type for _ in range(2)]
        assert types == ["ValueError", "KeyError"]

    def test_who_is_told_to_end_meanwhile_ends(self, probe: Probe) -> None:
        def old() -> None:
            try:
                gr.upgrade(report, probe.pid)
            finally:
                probe.node.terminate(gr.pid(), "enough")

        probe.do(gr.spawn_monitored, old)

        assert assert_receive(probe).result.reason == "enough"

    def test_new_code_is_graceful_until_it_reads_events(self, node: gr.Node) -> None:
        """a plain loop is a graceful process."""

        def old() -> None:
            gr.events()
            gr.upgrade(new)

        def new() -> int:
            gr.cancel(gr.pid())
            return len(list(gr.inbox()))

        assert node.run(old) == 0

    def test_a_server_and_code_outside_a_process_cannot(self, node: gr.Node) -> None:
        class Room(gr.Server):
            def handle_call(self, message: gr.Message) -> object:
                gr.upgrade(count_down, 1)

        with pytest.raises(gr.NotInProcess):
            gr.upgrade(count_down, 1)

        def main() -> None:
            with pytest.raises(gr.ProcessDown, match="NotInProcess"):
                gr.call(gr.spawn(Room), "upgrade")

        node.run(main)


def count_down(number: int) -> str:
    if number:
        gr.upgrade(None, number - 1)
    return "done"


def context_of(to: gr.Pid) -> None:
    gr.send(to, "context", dict(gr.context()))


class TestWithContext:
    @pytest.mark.parametrize(
        "form", ["spawn", "spawn_linked", "spawn_monitored", "spawn_linked_monitored"]
    )
    def test_children_inherit_the_values(self, node: gr.Node, probe: Probe, form: str) -> None:
        """values (request id, actor, trace) that children inherit."""

        def main() -> None:
            spawner = gr.with_context(trace=1).with_context(actor="ann")
            getattr(spawner, form)(context_of, probe.pid, context={"more": 3})
            assert gr.context() == {"request": 7}

        node.spawn(main, context={"request": 7})

        seen = assert_receive(probe, topic="context")
        assert seen.payload == {"request": 7, "trace": 1, "actor": "ann", "more": 3}
        assert seen.context == seen.payload

    def test_messages_carry_the_values(self, node: gr.Node, probe: Probe) -> None:
        """values … messages carry."""
        sent = probe.do(gr.with_context(trace=1).send, probe.pid, "topic", 5)

        assert sent is True
        assert assert_receive(probe, topic="topic") == gr.Message(
            "topic", 5, probe.pid, {"trace": 1}
        )

    def test_call_and_exec_carry_them_too(self, node: gr.Node) -> None:
        def answer() -> None:
            message = gr.receive("ask")
            gr.reply(message, dict(message.context))

        def main() -> list[Any]:
            spawner = gr.with_context(trace=1)
            return [
                spawner.call(gr.spawn(answer), "ask"),
                spawner.exec(lambda: dict(gr.context()), timeout=1),
                dict(gr.context()),
            ]

        assert node.run(main) == [{"trace": 1}, {"trace": 1}, {}]

    def test_it_works_outside_a_process(self, node: gr.Node, probe: Probe) -> None:
        spawner = gr.with_context(trace=1)

        spawner.send(probe.pid, "topic")
        spawner.spawn(context_of, probe.pid)

        assert assert_receive(probe, topic="topic").context == {"trace": 1}
        assert assert_receive(probe, topic="context").payload == {"trace": 1}

    def test_a_spawner_does_not_change(self) -> None:
        spawner = gr.with_context(trace=1)
        other = spawner.with_context(trace=2)

        assert (dict(spawner.values), dict(other.values)) == ({"trace": 1}, {"trace": 2})
        with pytest.raises(AttributeError):
            spawner.values = {}  # type: ignore[misc]
