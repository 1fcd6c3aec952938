"""What is just too large for a frame: it is refused or stays behind, and nobody waits in vain."""

from __future__ import annotations

import pytest

import greenrelay as gr
from greenrelay.cluster.wire import MAX_FRAME
from tests.cluster.joined import Wire, counts, mesh_of, wire_of
from tests.probe import Probe, assert_event

# It fits by itself, and not with what a frame has beside it.
NEARLY = MAX_FRAME - 20


def gives(size: int) -> str:
    """Wait, and return a long text."""
    gr.receive("go")
    return "x" * size


def replies(size: int) -> None:
    """Answer with a long text, or say that it is too long."""
    for message in gr.inbox():
        try:
            gr.reply(message, "x" * size)
        except (gr.UnsendablePayload, gr.EngineError) as error:
            gr.reply_error(message, error)


def fails(size: int) -> None:
    """Answer with a long error."""
    for message in gr.inbox():
        gr.reply_error(message, ValueError("x" * size, "y" * size))


def has_less_room(node: gr.Node, size: int) -> None:
    """Let the engine of a node take frames up to ``size`` only."""

    def check(frame: bytes) -> int:
        if len(frame) > size:
            raise gr.EngineError("small", f"a frame has {len(frame)} bytes; {size} at most")
        return 1

    wire: Wire = wire_of(node)
    wire.copies = check


@pytest.mark.parametrize("room", [MAX_FRAME, 60_000])
def test_the_value_of_a_process_stays_behind_where_it_is_too_large(
    here: Probe, two: gr.Node, room: int
) -> None:
    """exactly one EXIT … per monitor, LINK_DOWN per link"""
    has_less_room(two, room)
    pid = two.spawn(gives, NEARLY)
    here.do(gr.monitor, pid)

    two.send(pid, "go")

    exit = assert_event(here, kind="EXIT", pid=pid)
    assert exit.result == gr.Result(None)
    assert counts(two)["result_left_behind"] == 1


def test_who_calls_a_process_that_ends_with_too_large_a_value_hears_of_it(
    here: Probe, two: gr.Node
) -> None:
    has_less_room(two, 60_000)
    pid = two.spawn(gives, NEARLY)

    with pytest.raises(gr.ProcessDown):
        here.do(gr.call, pid, "go")


@pytest.mark.parametrize("room", [MAX_FRAME, 60_000])
def test_a_reply_that_is_too_large_is_refused_and_the_caller_can_be_told(
    here: Probe, two: gr.Node, room: int
) -> None:
    has_less_room(two, room)
    pid = two.spawn(replies, NEARLY)

    with pytest.raises((gr.UnsendablePayload, gr.EngineError), match="at most"):
        here.do(gr.call, pid, "ask", timeout=5)

    two.terminate(pid)


def test_an_error_that_is_too_large_comes_short(here: Probe, two: gr.Node) -> None:
    has_less_room(two, 60_000)
    pid = two.spawn(fails, 500_000)

    with pytest.raises(gr.RemoteError, match="ValueError") as caught:
        here.do(gr.call, pid, "ask", timeout=5)

    assert len(str(caught.value)) < 3_000
    two.terminate(pid)


def test_the_text_of_an_error_is_shortened_where_there_is_less_room(
    here: Probe, two: gr.Node
) -> None:
    has_less_room(two, 20_000)
    pid = two.spawn(_raises, 50_000)
    here.do(gr.monitor, pid)

    two.send(pid, "go")

    result = assert_event(here, kind="EXIT", pid=pid).result
    assert result.error is not None
    assert result.error.type == "ValueError"
    assert len(result.error.message) < 3_000


def _raises(size: int) -> None:
    gr.receive("go")
    raise ValueError("x" * size)


def test_info_that_is_too_large_says_so(here: Probe, there: Probe) -> None:
    for number in range(70):
        there.do(gr.join, f"{number} {'x' * 16_000}")

    with pytest.raises(
        gr.UnsendablePayload, match=r"info of \{two\..* bytes; a frame has \d+ at most"
    ):
        here.do(gr.info, there.pid)

    assert mesh_of(here.node).links[there.node.id].calls == {}
    assert "bad_frame" not in counts(there.node)


def test_a_sender_hears_that_there_are_too_many_bytes_on_the_way(
    here: Probe, there: Probe, one: gr.Node, two: gr.Node
) -> None:
    wire_of(one).is_full = True
    mesh_of(one).links[two.id].session.max_bytes = 1000
    here.do(gr.send, there.pid, "text", "x" * 1000)

    with pytest.raises(
        gr.InboxFull, match="the number of bytes that may be on the way to its node is 1000"
    ):
        here.do(gr.send, there.pid, "text", "x")

    wire_of(one).is_full = False
