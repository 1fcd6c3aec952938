"""Nasty scenario 40: a payload that is changed after it was sent, found in debug mode."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

import greenrelay as gr


@pytest.fixture
def debug_node() -> Iterator[gr.Node]:
    with gr.Node("debug", debug=True) as fresh:
        yield fresh


TAKES: list[Callable[[], object]] = [
    lambda: gr.receive(),
    lambda: gr.receive("topic"),
    lambda: gr.receive(timeout=30),
    lambda: gr.inbox().receive(),
    lambda: gr.inbox().get_nowait(),
    lambda: next(iter(gr.inbox())),
]


@pytest.mark.parametrize("take", TAKES)
@pytest.mark.parametrize("is_changed", [True, False])
def test_40_a_changed_payload_is_found_however_it_is_taken(
    debug_node: gr.Node,
    caplog: pytest.LogCaptureFixture,
    take: Callable[[], object],
    is_changed: bool,
) -> None:
    """40 mutation of a payload after send (a debug mode finds it)."""

    def main() -> gr.Pid:
        payload = {"items": [1]}
        gr.send(gr.pid(), "topic", payload)
        if is_changed:
            payload["items"].append(2)
        take()
        return gr.pid()

    pid = debug_node.run(main)

    text = f"{pid} got message 'topic' from {pid} with a payload that was changed after it was sent"
    assert (text in caplog.text) is is_changed
    assert ("payload['items'], a list, had 1 items and has 2" in caplog.text) is is_changed


class Keeper(gr.Server):
    """Takes whatever comes."""


def test_40_a_server_and_a_channel_are_looked_at_too(
    debug_node: gr.Node, caplog: pytest.LogCaptureFixture
) -> None:
    """40 mutation of a payload after send (a debug mode finds it)."""

    def main() -> None:
        channel = gr.listen("mine")
        server = gr.spawn_linked_monitored(Keeper)
        payload = [1]
        gr.send(server, "topic", payload)
        gr.send(gr.pid(), "mine", payload)
        payload.append(2)
        channel.receive()
        gr.cancel(server)
        gr.receive()

    debug_node.run(main)

    assert caplog.text.count("with a payload that was changed after it was sent") == 2


def test_40_nobody_looks_without_debug(node: gr.Node, caplog: pytest.LogCaptureFixture) -> None:
    def main() -> None:
        payload = [1]
        gr.send(gr.pid(), "topic", payload)
        payload.append(2)
        gr.receive()

    node.run(main)

    assert caplog.text == ""
