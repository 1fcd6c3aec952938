"""What is raised and refused between nodes, as it is on one node."""

from __future__ import annotations

import pytest

import greenrelay as gr
from tests.cluster.joined import Joined
from tests.probe import Probe, assert_nothing, end

MISSING = FileNotFoundError(2, "No such file or directory", "a.txt")
ACROSS = OSError(18, "Invalid cross-device link", "a.txt", None, "b.txt")
REFUSED = ConnectionRefusedError(111, "Connection refused")
PLAIN = OSError("only text")
OURS = gr.ConnectionRefused("ws://a/b", "nobody listens")


class Alone(OSError):
    """An error that the other node does not know, and that cannot be copied."""

    def __reduce__(self) -> str:
        raise RuntimeError


def fails(error: Exception) -> None:
    """Answer a call with an error."""
    gr.reply_error(gr.receive("ask"), error)


@pytest.mark.parametrize("error", [MISSING, ACROSS, REFUSED, PLAIN, OURS], ids=repr)
def test_the_error_of_a_file_comes_with_the_names_of_its_files(
    two: gr.Node, here: Probe, error: OSError
) -> None:
    pid = two.spawn(fails, error)

    with pytest.raises(OSError, match=r"a\.txt|refused|only text|ws://") as raised:
        here.do(gr.call, pid, "ask")

    found = raised.value
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert found.args == error.args
    assert (found.errno, found.strerror) == (error.errno, error.strerror)
    assert (found.filename, found.filename2) == (error.filename, error.filename2)


def test_a_name_of_a_file_that_cannot_leave_costs_the_names_alone(
    two: gr.Node, here: Probe
) -> None:
    pid = two.spawn(fails, OSError(2, "No such file", object()))

    with pytest.raises(gr.RemoteError, match="No such file") as raised:
        here.do(gr.call, pid, "ask")

    assert raised.value.type == "FileNotFoundError"


def test_an_error_that_cannot_be_copied_is_raised_by_its_name(two: gr.Node, here: Probe) -> None:
    pid = two.spawn(fails, Alone(2, "mine", "a.txt"))

    with pytest.raises(gr.RemoteError) as raised:
        here.do(gr.call, pid, "ask")

    assert raised.value.type == f"{__name__}.Alone"


@pytest.mark.parametrize("reason", [5, b"enough", ["enough"]])
def test_a_reason_of_a_cancel_that_is_no_text_is_refused_for_another_node(
    here: Probe, there: Probe, reason: str
) -> None:
    with pytest.raises(TypeError, match="it must be text"):
        here.do(gr.cancel, there.pid, reason=reason)

    assert_nothing(there)


@pytest.mark.parametrize("strict_payloads", [False, True])
def test_a_child_cannot_be_started_from_another_node(
    joined: Joined, two: gr.Node, there: Probe, strict_payloads: bool
) -> None:
    """A Child is for a supervisor of its own node: its entry may be anything."""
    three = joined.probe(joined.add("three", strict_payloads=strict_payloads))
    supervisor = there.do(gr.spawn, gr.Supervisor(strategy="dynamic"))

    for function in (gr.call, gr.send):
        with pytest.raises(gr.UnsendablePayload):
            three.do(function, supervisor, "start_child", gr.Child("a", int))

    assert three.do(gr.call, supervisor, "which_children") == []
    end(two, supervisor)


def test_a_message_for_later_is_refused_where_no_address_is_given(
    one: gr.Node, two: gr.Node, here: Probe
) -> None:
    for dest in (5, None, b"{x@y|1}", object()):
        with pytest.raises(gr.InvalidPid):
            here.do(gr.send_after, 0, dest, "later")

    assert one.timers.pending() == ()
