"""Source: Processes, "Functions", last paragraphs: how a node ends."""

from __future__ import annotations

import pytest

import greenrelay as gr
from tests.probe import settle, wait


def deaf() -> None:
    """Heed nothing but a message that never comes."""
    gr.receive("never")


def supervise() -> None:
    """Keep a deaf one alive, who may take longer than the whole."""
    gr.Supervisor([gr.Child("deaf", deaf, shutdown="10s")])()


@pytest.mark.parametrize("entry", [deaf, supervise])
def test_who_keeps_the_end_waiting_is_named(
    caplog: pytest.LogCaptureFixture, entry: object
) -> None:
    node = gr.Node("slow")
    node.spawn(entry)
    settle(node)
    (late,) = [each.pid for each in node.processes.values() if each.entry.endswith(":deaf")]

    node.shutdown(0.1)

    (line,) = [each.message for each in caplog.records if "still there" in each.message]
    assert line == (
        "asked to end and still there after 0.09 s, to be killed after 0.1 s: "
        f"{late} (tests.runtime.test_shutdown:deaf)"
    )
    assert not node.processes


def test_of_many_the_first_are_named(caplog: pytest.LogCaptureFixture) -> None:
    node = gr.Node("slow")
    for _ in range(7):
        node.spawn(deaf)
    settle(node)

    node.shutdown(0.1)

    (line,) = [each.message for each in caplog.records if "still there" in each.message]
    assert (line.count(":deaf"), line.endswith(" and 2 more")) == (5, True)


def test_nobody_is_named_who_ends_when_asked(caplog: pytest.LogCaptureFixture) -> None:
    node = gr.Node("quick")
    node.spawn(wait)
    settle(node)

    node.shutdown(10)

    assert "still there" not in caplog.text
