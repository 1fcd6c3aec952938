"""Text that is of a class of its own, such as a member of a StrEnum, serves between nodes too."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from enum import StrEnum

import pytest

import greenrelay as gr
from greenrelay.cluster.wire import MAX_FRAME
from tests.cluster.joined import Joined, mesh_of
from tests.probe import Probe, assert_event, assert_receive, wait_for, wait_for_ever


class Word(StrEnum):
    """Words of a program."""

    ROOM = "room"


class Markup(str):
    """Text of a library."""


WORDS = pytest.mark.parametrize("word", [Word.ROOM, Markup("room")])


class Nowhere(tzinfo):
    """A time zone with a mistake."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        raise LookupError("no such place")

    dst = utcoffset

    def tzname(self, when: datetime | None) -> str:
        return "nowhere"


@WORDS
def test_a_group(joined: Joined, here: Probe, there: Probe, word: str) -> None:
    """groups and broadcast are cluster-wide unless scope="local" """
    there.do(gr.join, word)
    joined.settle()
    third = joined.probe(joined.add("three"))
    joined.settle()

    assert here.do(gr.members, "room") == third.do(gr.members, word) == (there.pid,)
    assert type(here.do(gr.groups)[0]) is str
    assert here.do(gr.broadcast, word, word, "hello") == 1
    assert assert_receive(there, topic="room").payload == "hello"
    there.do(gr.leave, word)
    wait_for(lambda: here.do(gr.members, "room") == ())


@WORDS
def test_the_group_of_a_process_that_ends(
    joined: Joined, two: gr.Node, here: Probe, word: str
) -> None:
    """EXIT goes to each watcher exactly once"""

    def join() -> None:
        gr.join(word)
        gr.receive("end")

    member = two.spawn(join)
    wait_for(lambda: here.do(gr.members, word) == (member,))
    here.do(gr.monitor, member)
    begins, _ = here.do(gr.watch, word)
    here.do(gr.send, member, "end")

    assert begins == (member,)
    assert assert_event(here, kind="EXIT").result.reason == "normal"
    wait_for(lambda: here.do(gr.members, word) == ())


@WORDS
def test_a_name_a_topic_and_a_reason(here: Probe, two: gr.Node, there: Probe, word: str) -> None:
    """Every function of process.md works on a remote PID"""
    there.do(gr.register, word, scope="cluster")
    wait_for(lambda: here.do(gr.whereis, word) == there.pid)

    here.do(gr.send, word, word, 1)
    assert assert_receive(there, topic="room").payload == 1
    there.do(gr.unregister, word)
    wait_for(lambda: here.do(gr.whereis, word) is None)
    other = two.spawn(wait_for_ever)
    here.do(gr.monitor, other)
    here.do(gr.terminate, other, word)
    assert assert_event(here, kind="EXIT").result.reason == "room"
    here.do(gr.cancel, there.pid, reason=word)
    assert assert_event(there, kind="CANCEL").reason == "room"


def test_a_reason_that_is_no_text_is_refused_at_the_sender(here: Probe, there: Probe) -> None:
    number: object = 5

    with pytest.raises(TypeError):
        here.do(gr.cancel, there.pid, reason=number)


@WORDS
def test_what_is_spawned(joined: Joined, here: Probe, two: gr.Node, word: str) -> None:
    two.entries.declare("room", f"{__name__}:wait")

    pid = here.do(gr.spawn, word, node=two.id, name=word)

    assert two.names.owner("room") == pid
    here.do(gr.terminate, pid)


def wait() -> None:
    """Be there."""
    gr.receive("never")


def test_nothing_is_kept_of_a_question_that_could_not_be_asked(here: Probe, two: gr.Node) -> None:
    calls = mesh_of(here.node).links[two.id].calls

    with pytest.raises(LookupError):
        here.do(gr.call, gr.Pid(two.id, "processes", 1), "when", datetime.now(Nowhere()))
    with pytest.raises(gr.UnsendablePayload):
        # The arguments fit into a frame, and the rest of it does not.
        here.do(gr.spawn, "room", "x" * (MAX_FRAME - 70), node=two.id)

    assert calls == {}
