"""What is asked of a program about processes of other nodes. Source: Operations; Cluster."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

import greenrelay as gr
from greenrelay.admin.command import CommandError, Program, carry_out
from greenrelay.cluster.local import Bus, LocalEngine
from greenrelay.web import GreenRelay
from tests.probe import end, wait, wait_for


@pytest.fixture
def pair() -> Iterator[tuple[Program, gr.Node]]:
    """A program, and another node of its cluster."""
    bus = Bus()
    with (
        gr.Node("near", cluster=LocalEngine(bus)) as near,
        gr.Node("far", cluster=LocalEngine(bus)) as far,
    ):
        app = Flask("near")
        GreenRelay(app, node=near)
        yield Program([app]), far


def ask(program: Program, command: str, **arguments: object) -> Any:
    return carry_out(program, {"command": command, "arguments": arguments})


def test_a_process_of_another_node_is_described_by_that_node(
    pair: tuple[Program, gr.Node],
) -> None:
    program, far = pair
    pid = far.spawn(wait)
    wait_for(lambda: program.node.find(pid))

    found = ask(program, "info", dest=pid)

    assert (found["pid"], found["entry"]) == (pid, "tests.probe:wait")
    assert "in wait" in found["stack"]
    end(far, pid)
    with pytest.raises(CommandError, match="there is no such process"):
        ask(program, "info", dest=pid)


def test_its_messages_are_shown_where_it_runs(pair: tuple[Program, gr.Node]) -> None:
    program, far = pair
    pid = far.spawn(wait)
    wait_for(lambda: program.node.find(pid))

    with pytest.raises(CommandError, match=f"ask a program of node {far.id}"):
        next(ask(program, "tail", dest=pid))

    end(far, pid)
