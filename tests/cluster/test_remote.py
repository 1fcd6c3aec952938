from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import pytest

import greenrelay as gr
from tests.cluster.joined import Joined, counts, mesh_of
from tests.probe import (
    Probe,
    assert_event,
    assert_not_received,
    assert_nothing,
    assert_receive,
    wait,
    wait_for,
    wait_for_ever,
)

# send


def test_a_message_goes_to_a_process_of_another_node(here: Probe, there: Probe) -> None:
    """PIDs carry their node."""
    assert here.do(gr.send, there.pid, "hello", {"n": 1})

    message = assert_receive(there, topic="hello")
    assert message.payload == {"n": 1}
    assert message.sender == here.pid
    assert isinstance(message.sender, gr.Pid)


def test_the_text_of_a_pid_serves_as_well(here: Probe, there: Probe) -> None:
    here.do(gr.send, str(there.pid), "hello")

    assert_receive(there, topic="hello")


@pytest.mark.parametrize("as_text", [gr.Pid.parse, str])
def test_what_cannot_leave_is_refused_when_it_is_sent_later(
    here: Probe, there: Probe, as_text: Callable[[str], str]
) -> None:
    """anything else is UnsendablePayload at the sender"""
    with pytest.raises(gr.UnsendablePayload):
        here.do(gr.send_after, 0, as_text(there.pid), "later", {1, 2})

    here.do(gr.send_after, 0, as_text(here.pid), "later", {1, 2})
    assert assert_receive(here, topic="later").payload == {1, 2}


def test_one_can_send_from_outside_any_process(one: gr.Node, there: Probe) -> None:
    assert one.send(there.pid, "hello")

    assert assert_receive(there, topic="hello").sender is None


PLAIN: dict[str, object] = {
    "none": None,
    "flags": [True, False],
    "ints": [0, -(2**63), 2**64 - 1],
    "float": 1.5,
    "text": "grün",
    "bytes": b"\x00\xff",
    "list": [1, [2, [3]]],
    "dict": {"a": {"b": {}}},
    "naive": datetime(2026, 1, 2, 3, 4, 5, 6),
    "aware": datetime(2026, 1, 2, tzinfo=UTC),
    "uuid": UUID(int=7),
    "pid": gr.Pid("n", "h", 1),
}


def test_plain_data_arrives_as_it_was(here: Probe, there: Probe) -> None:
    """None, bool, int of 64 bits, float, str, bytes, list, tuple, dict, datetime, UUID, Pid."""
    here.do(gr.send, there.pid, "plain", PLAIN)

    payload = assert_receive(there, topic="plain").payload
    assert payload == PLAIN
    assert [type(value) for value in payload.values()] == [type(each) for each in PLAIN.values()]


def test_a_tuple_arrives_as_a_list(here: Probe, there: Probe) -> None:
    """tuple as list"""
    here.do(gr.send, there.pid, "tuple", (1, (2,)))

    assert assert_receive(there, topic="tuple").payload == [1, [2]]


@pytest.mark.parametrize(
    ("payload", "part"),
    [
        ({"a": [1, {2}]}, "payload['a'][1]"),
        ({1: 2}, "payload"),
        (2**64, "payload"),
        (object(), "payload"),
        ("\ud800", "payload"),
        ([lambda: 1], "payload[0]"),
        ("x" * 1024 * 1024, "payload"),
    ],
)
def test_anything_else_is_refused_at_the_sender(
    here: Probe, there: Probe, payload: object, part: str
) -> None:
    """anything else is UnsendablePayload at the sender"""
    with pytest.raises(gr.UnsendablePayload) as raised:
        here.do(gr.send, there.pid, "odd", payload)

    assert raised.value.text == part
    assert_nothing(there)


def test_strict_payloads_refuse_it_on_a_single_node_too() -> None:
    """on a single node too when strict_payloads is on"""
    with gr.Node("strict", strict_payloads=True) as node, Probe(node) as probe:
        with pytest.raises(gr.UnsendablePayload):
            node.send(probe.pid, "odd", {1, 2})
        node.send(probe.pid, "plain", [1, 2])

        assert assert_receive(probe).topic == "plain"


def test_the_context_travels_and_what_cannot_stays_behind(
    one: gr.Node, here: Probe, there: Probe
) -> None:
    def send() -> None:
        gr.with_context(request="r1", lock=object()).send(there.pid, "hello")

    here.do(send)

    assert dict(assert_receive(there, topic="hello").context) == {"request": "r1"}
    assert counts(one)["context_left_behind"] == 1


def test_a_message_to_a_process_that_has_ended_is_counted_there(
    two: gr.Node, here: Probe, there: Probe
) -> None:
    there.close()

    here.do(gr.send, there.pid, "late")

    wait_for(lambda: counts(two).get("no_process"))


def test_a_message_that_a_full_inbox_refuses_is_counted_there(
    joined: Joined, here: Probe, two: gr.Node
) -> None:
    """each drop or refusal is counted with its reason"""
    two.hosts["processes"].inbox_limit = 1
    pid = two.spawn(wait_for_ever)

    here.do(gr.send, pid, "first")
    here.do(gr.send, pid, "second")

    wait_for(lambda: counts(two).get("inbox_full") == 1)


def test_the_sender_hears_when_too_much_is_on_the_way(
    one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """Every queue is bounded; each drop or refusal is counted with its reason."""
    link = mesh_of(one).links[two.id]
    wait_for(lambda: not len(link.session))
    link.session.max_frames = 3

    def send() -> None:
        for number in range(10):
            gr.send(there.pid, "number", number)

    with pytest.raises(gr.InboxFull) as raised:
        here.do(send)
    assert raised.value.pid == there.pid
    assert counts(one)["ring_full"] == 1
    assert [assert_receive(there, topic="number").payload for _ in range(3)] == [0, 1, 2]


def test_messages_arrive_in_the_order_of_sending(here: Probe, there: Probe) -> None:
    """A to B in send order, local or remote"""

    def send() -> None:
        for number in range(500):
            gr.send(there.pid, "number", number)

    here.do(send)

    assert [assert_receive(there).payload for _ in range(500)] == list(range(500))


def test_a_topic_of_the_runtime_is_refused_before_it_leaves(here: Probe, there: Probe) -> None:
    with pytest.raises(gr.ReservedTopic):
        here.do(gr.send, there.pid, "@exit")


# call


def answering() -> None:
    """Be a process that answers one call."""
    message = gr.receive("ask")
    if message.payload == "fail":
        gr.reply_error(message, ValueError("no", 7))
    elif message.payload == "odd":
        gr.reply_error(message, Oddity("not today"))
    elif message.payload == "mute":
        gr.reply_error(message, Mute())
    elif message.payload == "die":
        raise RuntimeError("died")
    elif message.payload == "wait":
        gr.receive("go")
        gr.reply(message, "late")
    else:
        gr.reply(message, {"answer": message.payload})
    gr.receive("stop")


class Oddity(Exception):
    """An exception the other node does not know."""


class Mute(Exception):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError


def test_a_call_is_answered(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(answering)

    assert here.do(gr.call, pid, "ask", 42) == {"answer": 42}
    two.terminate(pid)


def test_an_error_that_python_knows_is_raised_in_the_caller(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(answering)

    with pytest.raises(ValueError, match="7") as raised:
        here.do(gr.call, pid, "ask", "fail")
    assert raised.value.args == ("no", 7)
    two.terminate(pid)


def test_another_error_is_raised_by_its_name(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(answering)

    with pytest.raises(gr.RemoteError) as raised:
        here.do(gr.call, pid, "ask", "odd")
    assert (raised.value.type, raised.value.message) == (f"{__name__}.Oddity", "not today")
    two.terminate(pid)


def test_an_error_that_cannot_be_printed_is_raised_all_the_same(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(answering)

    with pytest.raises(gr.RemoteError) as raised:
        here.do(gr.call, pid, "ask", "mute")
    assert raised.value.message == "<Mute that cannot be printed>"
    two.terminate(pid)


def test_a_call_of_a_process_that_dies_half_way_ends(here: Probe, two: gr.Node) -> None:
    """request and reply, safe when the target dies half way"""
    pid = two.spawn(answering)

    with pytest.raises(gr.ProcessDown) as raised:
        here.do(gr.call, pid, "ask", "die")
    assert (raised.value.pid, raised.value.reason) == (pid, "RuntimeError: died")


def test_a_call_of_a_dead_process_ends_at_once(here: Probe, there: Probe) -> None:
    there.close()

    with pytest.raises(gr.ProcessDown) as raised:
        here.do(gr.call, there.pid, "ask")
    assert raised.value.reason == "noproc"


def test_a_late_reply_is_dropped_and_leaves_nothing_behind(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe
) -> None:
    """a late reply is dropped, never seen by a later call"""
    pid = two.spawn(answering)
    with pytest.raises(gr.Timeout):
        here.do(gr.call, pid, "ask", "wait", timeout=0.01)
    wait_for(lambda: not mesh_of(two).links[one.id].callers)

    two.send(pid, "go")
    other = two.spawn(answering)

    assert here.do(gr.call, other, "ask", 1) == {"answer": 1}
    assert not mesh_of(one).links[two.id].calls
    assert two.processes[pid].waiters == {}
    two.terminate(pid)
    two.terminate(other)


def test_a_call_hears_of_a_full_inbox(here: Probe, two: gr.Node) -> None:
    two.hosts["processes"].inbox_limit = 0
    pid = two.spawn(wait_for_ever)

    with pytest.raises(gr.InboxFull):
        here.do(gr.call, pid, "ask")
    two.terminate(pid)


class Adder(gr.Server):
    """Answers each call with the sum."""

    def handle_call(self, message: gr.Message) -> object:
        numbers = message.payload
        assert isinstance(numbers, list)
        return sum(numbers)


def test_a_server_answers_too(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(Adder)

    assert here.do(gr.call, pid, "sum", (1, 2, 3)) == 6
    two.terminate(pid)


# monitors


def test_a_monitor_gives_one_exit_with_the_result(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(gives, "value")
    ref = here.do(gr.monitor, pid)
    two.send(pid, "go")

    event = assert_event(here, kind="EXIT", pid=pid)

    assert event.ref == ref
    assert event.result == gr.Result("value")
    assert_nothing(here)


def gives(value: object) -> object:
    """Return a value when told to."""
    gr.receive("go")
    return value


def test_an_exit_tells_of_the_error(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(fails)
    here.do(gr.monitor, pid)
    two.send(pid, "go")

    error = assert_event(here, kind="EXIT", pid=pid).result.error

    assert (error.type, error.message) == ("RuntimeError", "broken")
    assert "in fails" in error.traceback


def fails() -> None:
    """Crash when told to."""
    gr.receive("go")
    raise RuntimeError("broken")


def test_a_value_that_cannot_travel_stays_behind(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(gives, object())
    here.do(gr.monitor, pid)
    two.send(pid, "go")

    assert assert_event(here, kind="EXIT", pid=pid).result == gr.Result(None)
    assert counts(two)["result_left_behind"] == 1


def test_two_monitors_give_two_exits(here: Probe, there: Probe) -> None:
    """Each monitor call is independent: two monitors, two EXITs."""
    refs = {here.do(gr.monitor, there.pid), here.do(gr.monitor, there.pid)}

    there.close()

    assert {assert_event(here, kind="EXIT").ref for _ in range(2)} == refs
    assert_nothing(here)


def test_monitoring_a_dead_process_gives_noproc(here: Probe, there: Probe) -> None:
    """a dead or unknown PID gives EXIT with reason noproc at once"""
    there.close()

    ref = here.do(gr.monitor, there.pid)

    event = assert_event(here, kind="EXIT", pid=there.pid)
    assert (event.ref, event.result.reason) == (ref, "noproc")


def test_a_monitor_that_was_taken_back_fires_nothing(
    joined: Joined, two: gr.Node, here: Probe, there: Probe
) -> None:
    ref = here.do(gr.monitor, there.pid)

    assert here.do(gr.unmonitor, ref)
    wait_for(lambda: not two.topology.watchers(there.pid))
    there.close()
    joined.settle()

    assert_nothing(here)


def test_a_monitor_of_a_watcher_that_ends_is_gone_on_the_other_node(
    two: gr.Node, here: Probe, there: Probe
) -> None:
    here.do(gr.monitor, there.pid)
    wait_for(lambda: two.topology.watchers(there.pid) == (here.pid,))

    here.close()

    wait_for(lambda: not two.topology.watchers(there.pid))


def test_a_message_sent_before_an_ending_comes_before_it(here: Probe, two: gr.Node) -> None:
    """A message sent before an ending by one process to another is received before it."""

    def says() -> None:
        gr.receive("go")
        gr.send(here.pid, "last")

    pid = two.spawn(says)
    here.do(gr.monitor, pid)
    two.send(pid, "go")
    wait_for(lambda: len(here.items) == 2)

    first, second = here.items
    assert isinstance(first, gr.Message)
    assert isinstance(second, gr.Exit)


# links


def test_a_link_takes_the_other_along(here: Probe, two: gr.Node) -> None:
    """LINK_DOWN ends the linked process with the same reason"""
    pid = two.spawn(fails)
    here.do(gr.link, pid)

    two.send(pid, "go")

    event = assert_event(here, kind="LINK_DOWN", pid=pid)
    assert event.result.reason == "RuntimeError: broken"
    assert_nothing(here)


def test_a_link_works_the_other_way_round(
    joined: Joined, one: gr.Node, two: gr.Node, there: Probe
) -> None:
    pid = one.spawn(linked_to, there.pid)
    wait_for(lambda: two.topology.links(there.pid) == (pid,))

    one.terminate(pid, "broken")

    assert assert_event(there, kind="LINK_DOWN", pid=pid).result.reason == "broken"


def linked_to(pid: gr.Pid) -> None:
    """Link a process and wait."""
    gr.link(pid)
    gr.receive("stop")


def test_a_process_that_does_not_trap_links_ends_with_the_other(
    one: gr.Node, two: gr.Node, here: Probe
) -> None:
    target = two.spawn(wait)
    pid = one.spawn(linked_to, target)
    here.do(gr.monitor, pid)
    wait_for(lambda: two.topology.links(target))

    two.terminate(target, "broken")

    assert assert_event(here, kind="EXIT", pid=pid).result.reason == "broken"


def test_a_normal_ending_takes_nobody_along_and_ends_the_link(two: gr.Node, here: Probe) -> None:
    pid = two.spawn(gives, None)
    here.do(gr.link, pid)
    wait_for(lambda: two.topology.links(pid))

    two.send(pid, "go")

    wait_for(lambda: pid not in two.processes and not here.node.topology.links(here.pid))
    assert_nothing(here)


def test_linking_a_dead_process_gives_noproc(here: Probe, there: Probe) -> None:
    """linking a dead PID delivers LINK_DOWN noproc"""
    there.close()

    here.do(gr.link, there.pid)

    assert assert_event(here, kind="LINK_DOWN", pid=there.pid).result.reason == "noproc"


def test_an_unlinked_process_is_not_taken_along(joined: Joined, two: gr.Node, here: Probe) -> None:
    pid = two.spawn(wait)
    here.do(gr.link, pid)

    here.do(gr.unlink, pid)
    wait_for(lambda: not two.topology.links(pid))
    two.terminate(pid)
    joined.settle()

    assert_nothing(here)


# ending


def test_cancel_reaches_another_node(here: Probe, there: Probe) -> None:
    assert here.do(gr.cancel, there.pid, deadline="30s", reason="enough")

    event = assert_event(there, kind="CANCEL")
    assert event == gr.Cancel(here.pid, "enough", 30.0)


def test_the_other_node_kills_at_the_deadline(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(wait_for_ever)
    here.do(gr.monitor, pid)

    here.do(gr.cancel, pid, deadline="10ms")

    assert assert_event(here, kind="EXIT", pid=pid).result.reason == "killed"


def test_terminate_reaches_another_node(here: Probe, two: gr.Node) -> None:
    pid = two.spawn(wait_for_ever)
    here.do(gr.monitor, pid)

    assert here.do(gr.terminate, pid, "enough")

    assert assert_event(here, kind="EXIT", pid=pid).result.reason == "enough"


# info


def test_info_shows_a_process_of_another_node(two: gr.Node, here: Probe, there: Probe) -> None:
    here.do(gr.monitor, there.pid)
    there.do(gr.register, "there")

    info = here.do(gr.info, there.pid)

    assert isinstance(info, gr.ProcessInfo)
    assert (info.pid, info.host, info.names) == (there.pid, "processes", ("there",))
    assert info.monitored_by == (here.pid,)
    assert info.stack is None


def test_info_of_a_process_that_has_ended_is_none(here: Probe, there: Probe) -> None:
    there.close()

    assert here.do(gr.info, there.pid) is None


def test_info_works_outside_a_process_and_shows_the_stack(one: gr.Node, there: Probe) -> None:
    assert one.cluster is not None
    remote = one.find(there.pid)
    assert remote is not None

    info = one.cluster.info(remote, stack=True)

    assert info is not None
    assert "receive" in (info.stack or "")


def test_nothing_is_left_of_relations_that_are_over(
    joined: Joined, one: gr.Node, two: gr.Node, here: Probe, there: Probe
) -> None:
    """no greenlet, monitor, link, name or group entry outlives its process"""
    here.do(gr.monitor, there.pid)
    there.do(gr.monitor, here.pid)
    here.do(gr.link, there.pid)

    there.close()
    here.close()

    wait_for(lambda: not len(one.topology) and not len(two.topology))


def test_not_received_is_what_was_sent_to_another(here: Probe, there: Probe) -> None:
    here.do(gr.send, there.pid, "hello")

    assert_receive(there, topic="hello")
    assert_not_received(here, topic="hello")
