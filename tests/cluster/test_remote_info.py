"""What info() shows of a process of another node. Source: Processes, "Functions", row info."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

import gevent
import pytest

import greenrelay as gr
from greenrelay.cluster.wire import Kind, dump
from greenrelay.core.strategy import ChildState
from tests.cluster.joined import Joined, mesh_of, wire_of
from tests.probe import Probe, end, wait_for, wait_for_ever
from tests.runtime.supervising import children

ENTRY = "app:idle"


class Text(StrEnum):
    """Text of a class that another node does not have."""

    NAME = "boss"
    ENTRY = ENTRY
    GROUP = "room 1"
    ID = "worker"


def idle() -> None:
    """Wait, whatever comes."""
    wait_for_ever()


@pytest.fixture
def supervisor(two: gr.Node, there: Probe) -> Iterator[gr.Pid]:
    """A supervisor of the second node, whose one child runs."""
    child = gr.Child(Text.ID, idle, shutdown=0)
    pid = there.do(gr.spawn, gr.Supervisor([child]))
    wait_for(lambda: children(there, pid)["worker"].state == ChildState.RUNNING)
    yield pid
    there.do(gr.cancel, pid)
    wait_for(lambda: pid not in two.processes)


def test_the_children_of_a_supervisor_are_shown(
    here: Probe, there: Probe, supervisor: gr.Pid
) -> None:
    """what it says of its own, if it is one"""
    info = here.do(gr.info, supervisor)

    assert info is not None
    assert info.children == there.do(gr.info, supervisor).children  # type: ignore[union-attr]
    (child,) = info.children
    assert (child.id, child.restarts) == ("worker", 0)
    assert type(child.state) is ChildState
    assert type(child.pid) is gr.Pid


def test_what_its_supervisor_says_of_a_child_is_shown(
    here: Probe, there: Probe, supervisor: gr.Pid
) -> None:
    """what its supervisor says of it"""
    pid = children(there, supervisor)["worker"].pid
    assert pid is not None

    info = here.do(gr.info, pid)

    assert info is not None
    assert info.child is not None
    assert (info.child.id, info.child.pid, info.child.state) == ("worker", pid, ChildState.RUNNING)
    assert type(info.child.state) is ChildState


def test_text_of_a_class_of_its_own_is_shown_as_text(two: gr.Node, here: Probe) -> None:
    two.entries.declare(ENTRY, f"{__name__}:idle")
    pid = two.spawn(Text.ENTRY, name=Text.NAME)
    two.groups.join(Text.GROUP, two.processes[pid])

    info = here.do(gr.info, pid)

    assert info is not None
    assert (info.names, info.entry, info.groups) == (("boss",), ENTRY, ("room 1",))
    assert [type(each) for each in (*info.names, info.entry, *info.groups)] == [str] * 3
    end(two, pid)


class Newer:
    """The second node as one of another release: what it tells of a process is the test's."""

    def __init__(self, joined: Joined, one: gr.Node, two: gr.Node) -> None:
        self._one, self._two = one, two
        self._link = mesh_of(one).links[two.id]
        self._pid = two.spawn(idle)
        joined.settle()

    def tells(self, **more: object) -> gr.ProcessInfo | None:
        """Return what info() shows when the other node tells ``more``."""
        # The real node does not hear the question before it is answered.
        wire_of(self._one).hold()
        asking = gevent.spawn(self._one.run, gr.info, self._pid)
        wait_for(lambda: self._link.calls)
        (ref,) = self._link.calls
        told: dict[str, Any] = {**self._facts(), **more}
        mesh_of(self._two).links[self._one.id].post(Kind.REPLY, ref=ref, payload=dump(told))
        info: gr.ProcessInfo | None = asking.get(timeout=30)
        wire_of(self._one).let_go()
        return info

    def _facts(self) -> dict[str, object]:
        numbers = ("age", "depth", "high_water", "messages_in", "messages_out")
        lists = ("links", "monitors", "monitored_by", "names", "groups", "children")
        return {
            "pid": self._pid,
            "entry": ENTRY,
            "host": "processes",
            "state": "waiting",
            "trap_links": False,
            "child": None,
            **dict.fromkeys(numbers, 0),
            **dict.fromkeys(lists, ()),
        }

    def close(self) -> None:
        end(self._two, self._pid)


@pytest.fixture
def newer(joined: Joined, one: gr.Node, two: gr.Node) -> Iterator[Newer]:
    newer = Newer(joined, one, two)
    yield newer
    newer.close()


def test_a_node_of_another_release_may_tell_more(newer: Newer) -> None:
    """unknown versions and kinds are counted and dropped, so releases can be mixed"""
    told = {"id": "a", "state": "running", "pid": None, "restarts": 2, "reason": None, "mood": 7}

    info = newer.tells(colour="green", children=[told], child=told)

    assert info is not None
    assert info.children == (gr.ChildInfo("a", ChildState.RUNNING, restarts=2),)
    assert info.child == info.children[0]


def test_a_state_that_only_another_release_knows_is_shown_as_its_text(newer: Newer) -> None:
    info = newer.tells(children=[{"id": "a", "state": "dreaming"}])

    assert info is not None
    assert [(child.id, child.state) for child in info.children] == [("a", "dreaming")]
