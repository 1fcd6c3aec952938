"""What only the bus of one OS process does: it fails when it is told to."""

from __future__ import annotations

import pytest

from greenrelay.cluster.engine import Member
from greenrelay.cluster.local import MAX_WAITING, Bus, LocalEngine
from greenrelay.errors import EngineError
from tests.cluster.recorder import Join, Recorder
from tests.probe import wait_for


def test_engines_without_a_bus_are_alone() -> None:
    one, other = LocalEngine(), LocalEngine()
    one.start(Member("a", "i1"), Recorder())
    other.start(Member("b", "i1"), Recorder())

    assert one.nodes() == other.nodes() == ()
    one.stop()
    other.stop()


def test_nothing_is_told_while_it_is_asked_for(join_local: Join) -> None:
    a, b = join_local("a"), join_local("b")

    a.engine.send("b", b"1")

    assert b.sink.frames == []
    wait_for(lambda: b.sink.frames)
    assert b.sink.frames == [("a", b"1", None)]


def test_a_receiver_has_a_bound(join_local: Join) -> None:
    a, b = join_local("a"), join_local("b")
    a.sink.wait_told("up", "b", "i1")
    b.sink.wait_told("up", "a", "i1")

    sent = [a.engine.send("b", b"x") for _ in range(MAX_WAITING + 3)]

    assert sent.count(False) == 3
    assert b.engine.counters["inbox full"] == 3
    wait_for(lambda: len(b.sink.frames) == MAX_WAITING)


def test_a_node_that_crashes_is_gone_with_its_names(bus: Bus, join_local: Join) -> None:
    a, b = join_local("a"), join_local("b")
    b.engine.claim("n", "pb")

    bus.crash("b")

    a.sink.wait_told("down", "b", "i1", "disconnected")
    assert a.engine.claim("n", "pa") == "pa"
    a.engine.send("b", b"lost")
    # What would be told is told on the hub: after this it has been.
    c = join_local("c")
    c.sink.wait_told("up", "a", "i1")
    assert b.sink.frames == []
    assert ("n", None) in a.sink.names


def test_a_node_that_was_cut_off_comes_back_as_another(bus: Bus, join_local: Join) -> None:
    a, b = join_local("a"), join_local("b")
    b.engine.claim("n", "pb")

    bus.cut("b")

    a.sink.wait_told("down", "b", "i1", "silent")
    b.sink.wait_told("down", "a", "i1", "unreachable")
    assert b.sink.names == [("n", "pb"), ("n", None)]
    assert not b.engine.holds("n", "pb")
    with pytest.raises(EngineError, match="cut off"):
        b.engine.claim("m", "pb")
    bus.mend("b")
    a.sink.wait_told("up", "b", "i1-1")
    assert b.engine.me == Member("b", "i1-1")
    wait_for(lambda: b.sink.told[-2:] == [("engine", True), ("up", "a", "i1")])
