"""What processes notice when a whole program dies or stands still: real ones, on a real engine."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

import greenrelay as gr
from tests.cluster.far import PATIENCE
from tests.cluster.joined import mesh_of
from tests.cluster.lab import Lab, lab, meet, noconnections
from tests.probe import Probe, assert_event, assert_nothing, wait_for

__all__ = ["lab"]

MONITORS = 10_000


def incarnation(node: gr.Node, other: gr.Pid) -> str:
    return mesh_of(node).links[other.node].member.incarnation


def is_gone(node: gr.Node, other: gr.Pid) -> Callable[[], bool]:
    return lambda: other.node not in mesh_of(node).links


def test_everything_that_hangs_on_a_killed_program_ends_once(lab: Lab) -> None:
    """a killed node … exactly one EXIT noconnection per monitor, LINK_DOWN per link"""
    near, far = lab.near(), lab.far()
    meet(near, far.pid)
    here, caller = lab.probe(near), lab.probe(near)
    far.do("own", "leader")
    far.do("join", "room")
    member = gr.Pid.parse(far.told("joined").split()[1])
    wait_for(lambda: here.do(gr.whereis, "leader") is not None)
    wait_for(lambda: here.do(gr.members, "room") == (member,))
    here.do(gr.monitor, member)
    here.do(gr.link, member)
    heard: list[str] = []
    near.spawn(lambda: heard.append(_reason_of_call(member)))
    settled = caller.do(gr.call, far.pid, "ask", "hello")

    far.signal(signal.SIGKILL)

    events = noconnections(here, 2)
    assert {event.kind for event in events} == {"EXIT", "LINK_DOWN"}
    wait_for(lambda: heard == ["noconnection"])
    assert settled == "hello"
    assert here.do(gr.members, "room") == ()
    wait_for(lambda: here.do(gr.whereis, "leader") is None, PATIENCE)
    here.do(gr.register, "leader", scope="cluster")
    assert_nothing(here)


def _reason_of_call(target: gr.Pid) -> str:
    try:
        gr.call(target, "ask", timeout=20)
    except gr.ProcessDown as error:
        return error.reason
    return "answered"


def test_a_program_that_was_started_again_answers_noproc_for_its_old_processes(lab: Lab) -> None:
    """Mail for an old incarnation is answered noproc"""
    near, first = lab.near(), lab.far()
    meet(near, first.pid)
    here = lab.probe(near)
    first.signal(signal.SIGKILL)
    wait_for(is_gone(near, first.pid), PATIENCE)
    second = lab.far()
    meet(near, second.pid)

    here.do(gr.monitor, first.pid)

    assert assert_event(here, kind="EXIT").result.reason == "noproc"
    with pytest.raises(gr.ProcessDown, match="noproc"):
        here.do(gr.call, first.pid, "ask")
    assert not here.do(gr.send, first.pid, "hello")
    assert here.do(gr.call, second.pid, "ask", "hello") == "hello"


def test_ten_thousand_monitors_of_a_killed_program_fire_once_each(lab: Lab) -> None:
    """10,000 remote monitors all fired"""
    near, far = lab.near(), lab.far()
    meet(near, far.pid)
    here = lab.probe(near)

    def watch() -> set[gr.MonitorRef]:
        return {gr.monitor(far.pid) for _ in range(MONITORS)}

    refs = here.do(watch)
    assert here.do(gr.call, far.pid, "ask", "all are there") == "all are there"

    far.signal(signal.SIGKILL)

    events = noconnections(here, MONITORS)
    assert {event.ref for event in events if isinstance(event, gr.Exit)} == refs


def test_a_program_that_stands_still_is_gone_once_and_comes_back_as_another(lab: Lab) -> None:
    """a frozen one … comes back with a new incarnation"""
    near, far = lab.near(), lab.far()
    meet(near, far.pid)
    here = lab.probe(near)
    before = incarnation(near, far.pid)
    here.do(gr.monitor, far.pid)
    here.do(gr.link, far.pid)
    far.do("watch", here.pid)
    far.do("own", "leader")
    far.told("watches")
    far.wait_for("owns leader")
    assert here.do(gr.call, far.pid, "ask", "hello") == "hello"

    far.signal(signal.SIGSTOP)
    noconnections(here, 3)
    assert not here.do(gr.send, far.pid, "number", 1)
    wait_for(lambda: _is_taken(here, "leader"), PATIENCE)
    far.signal(signal.SIGCONT)

    far.told("lost")
    meet(near, far.pid)
    assert incarnation(near, far.pid) != before
    wait_for(lambda: here.do(gr.call, far.pid, "ask", "again") == "again")
    far.do("whereis", "leader")
    assert far.told("whereis") == f"leader {here.pid}"
    assert sorted(far.all_told("heard")) == ["EXIT noconnection", "LINK_DOWN noconnection"]
    assert_nothing(here)


def test_a_program_that_stood_still_does_not_take_itself_for_the_owner(lab: Lab) -> None:
    """at most one live owner; an owner that loses its lease … lets go before the lease ends"""
    near, far = lab.near(), lab.far()
    meet(near, far.pid)
    here = lab.probe(near)
    far.do("believe", "leader")
    far.told("believes")

    far.signal(signal.SIGSTOP)
    wait_for(lambda: _is_taken(here, "leader"), PATIENCE)
    far.signal(signal.SIGCONT)

    assert far.told("found") in (f"leader {here.pid}", "leader None")


def _is_taken(probe: Probe, name: str) -> bool:
    try:
        probe.do(gr.register, name, scope="cluster")
    except gr.NameTaken:
        return False
    return True


def test_what_is_sent_to_a_program_that_stands_still_comes_once_or_never(lab: Lab) -> None:
    """at most once; a hole always shows as noconnection"""
    near, far = lab.near(), lab.far()
    meet(near, far.pid)
    here = lab.probe(near)
    far.do("note")
    pid = gr.Pid.parse(far.told("notes"))
    here.do(gr.monitor, pid)
    send_numbers(here, pid, 0, 3)
    wait_for(lambda: far.all_told("number") == ["0", "1", "2"])

    far.signal(signal.SIGSTOP)
    send_numbers(here, pid, 3, 100)
    noconnections(here, 1)
    far.signal(signal.SIGCONT)
    far.told("down")
    meet(near, pid)
    send_numbers(here, pid, 100, 110)

    wait_for(lambda: far.all_told("number")[-1] == "109")
    numbers = [int(each) for each in far.all_told("number")]
    assert numbers == sorted(set(numbers))
    assert numbers[:3] == [0, 1, 2]
    assert numbers[-10:] == list(range(100, 110))


def send_numbers(probe: Probe, pid: gr.Pid, first: int, end: int) -> None:
    for number in range(first, end):
        assert probe.do(gr.send, pid, "number", number)


def test_others_notice_nothing_of_a_program_that_stands_still(lab: Lab) -> None:
    near, far, other = lab.near(), lab.far(), lab.far("other")
    meet(near, far.pid, other.pid)
    here = lab.probe(near)
    here.do(gr.monitor, other.pid)
    other.do("watch", here.pid)
    other.told("watches")

    far.signal(signal.SIGSTOP)
    wait_for(is_gone(near, far.pid), PATIENCE)
    other.wait_for(f"down {far.pid.node}")
    far.signal(signal.SIGCONT)
    wait_for(lambda: other.all_told("up").count(far.pid.node) == 2, PATIENCE)

    assert here.do(gr.call, other.pid, "ask", "there") == "there"
    assert other.all_told("heard") == []
    assert_nothing(here)
