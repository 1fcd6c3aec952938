"""What every engine does, over the bus in this process and over a real NATS server."""

from __future__ import annotations

import gevent
import pytest

from greenrelay.cluster.engine import Member
from greenrelay.errors import EngineError
from tests.cluster.recorder import Join, meet, owning
from tests.probe import wait_for

MIB = 1024 * 1024


def test_a_node_alone_sees_nobody(join: Join) -> None:
    a = join("a")

    assert a.engine.nodes() == ()
    assert a.engine.me == Member("a", "i1")


def test_nodes_see_each_other(join: Join) -> None:
    a, b, c = join("a"), join("b"), join("c")

    meet(a, b, c)

    assert set(a.engine.nodes()) == {Member("b", "i1"), Member("c", "i1")}
    a.sink.wait_told("up", "b", "i1")
    c.sink.wait_told("up", "a", "i1")


def test_a_frame_comes_to_the_node_it_was_sent_to_and_to_no_other(join: Join) -> None:
    a, b, c = join("a"), join("b"), join("c")
    meet(a, b, c)

    assert a.engine.send("b", b"for b")
    assert a.engine.send("c", b"for c")

    wait_for(lambda: b.sink.frames and c.sink.frames)
    assert b.sink.frames == [("a", b"for b", None)]
    assert c.sink.frames == [("a", b"for c", None)]
    assert a.sink.frames == []


def test_frames_come_in_the_order_in_which_they_were_sent(join: Join) -> None:
    a, b = join("a"), join("b")
    meet(a, b)
    b.engine.join("news")
    b.engine.send("a", b"ready")
    wait_for(lambda: a.sink.frames)
    sent = [b"%d" % number for number in range(2000)]

    for number, frame in enumerate(sent):
        assert a.engine.publish("news", frame) if number % 3 else a.engine.send("b", frame)

    wait_for(lambda: len(b.sink.frames) == len(sent))
    assert b.sink.data() == sent


@pytest.mark.parametrize("frame", [b"", b"\r\n", b"\x00MSG a 1 1\r\n", b"x" * MIB])
def test_a_frame_is_any_bytes_up_to_a_mebibyte(join: Join, frame: bytes) -> None:
    a, b = join("a"), join("b")
    meet(a, b)

    assert a.engine.send("b", frame)
    assert a.engine.send("b", b"next")

    wait_for(lambda: len(b.sink.frames) == 2)
    assert b.sink.data() == [frame, b"next"]


def test_a_larger_frame_is_refused(join: Join) -> None:
    a, b = join("a"), join("b")
    meet(a, b)

    with pytest.raises(EngineError, match="a frame has 1048577 bytes; 1048576 at most"):
        a.engine.send("b", b"x" * (MIB + 1))


def test_a_frame_to_a_node_that_is_not_there_is_dropped_and_counted(join: Join) -> None:
    a = join("a")

    assert a.engine.send("z", b"lost")

    assert a.engine.counters["unknown node"] == 1


def test_a_topic_reaches_every_other_node_that_has_joined_it(join: Join) -> None:
    a, b, c = join("a"), join("b"), join("c")
    meet(a, b, c)
    for node in (a, b):
        node.engine.join("room 7.>")
        node.engine.drain()

    assert a.engine.publish("room 7.>", b"hello")
    assert a.engine.send("c", b"after")
    assert a.engine.send("a", b"to itself")

    wait_for(lambda: b.sink.frames and c.sink.frames)
    assert b.sink.frames == [("a", b"hello", "room 7.>")]
    assert c.sink.frames == [("a", b"after", None)]
    assert a.sink.frames == []


def test_who_leaves_a_topic_gets_no_more_of_it(join: Join) -> None:
    a, b = join("a"), join("b")
    meet(a, b)
    b.engine.join("x")
    b.engine.join("x")
    b.engine.join("y")
    b.engine.leave("x")
    b.engine.leave("never joined")
    b.engine.drain()

    a.engine.publish("x", b"not this")
    a.engine.publish("y", b"this")

    wait_for(lambda: b.sink.frames)
    assert b.sink.frames == [("a", b"this", "y")]


def test_a_node_that_stops_is_gone_at_once(join: Join) -> None:
    a, b = join("a"), join("b")
    meet(a, b)

    b.engine.stop()
    b.engine.stop()

    a.sink.wait_told("down", "b", "i1", "left")
    assert a.engine.nodes() == ()


def test_an_engine_that_has_stopped_does_nothing_more(join: Join) -> None:
    a, b = join("a"), join("b")
    meet(a, b)
    a.engine.claim("n", "pa")

    a.engine.stop()

    for ask in (a.engine.lookup, lambda name: a.engine.claim(name, "pa")):
        with pytest.raises(EngineError, match="stopped"):
            ask("n")
    with pytest.raises(EngineError, match="stopped"):
        a.engine.release("n", "pa")
    assert a.engine.send("b", b"too late")
    a.engine.drain()
    b.engine.drain()
    assert b.sink.frames == []


def test_a_node_may_come_back_as_another_incarnation(join: Join) -> None:
    a, b = join("a"), join("b")
    meet(a, b)

    b.engine.stop()
    again = join("b", "i2")

    meet(a, again)
    a.sink.wait_told("up", "b", "i2")
    assert a.sink.told == [("up", "b", "i1"), ("down", "b", "i1", "left"), ("up", "b", "i2")]
    a.engine.send("b", b"for i2")
    wait_for(lambda: again.sink.frames)


def test_a_name_has_one_owner(join: Join) -> None:
    a, b = join("a"), join("b")

    assert a.engine.claim("leader", "pid of a") == "pid of a"
    assert b.engine.claim("leader", "pid of b") == "pid of a"
    assert a.engine.claim("leader", "another of a") == "pid of a"

    assert a.engine.lookup("leader") == b.engine.lookup("leader") == "pid of a"
    assert a.engine.holds("leader", "pid of a")
    assert not a.engine.holds("leader", "another of a")
    assert not b.engine.holds("leader", "pid of a")


def test_a_name_nobody_has_is_none(join: Join) -> None:
    a = join("a")

    assert a.engine.lookup("nobody") is None
    assert not a.engine.holds("nobody", "x")


@pytest.mark.parametrize("name", ["", "a.b *>", "ü/…\n", "x" * 5000, "=41", "A"])
def test_a_name_is_any_text(join: Join, name: str) -> None:
    a, b = join("a"), join("b")

    assert a.engine.claim(name, "owner\n") == "owner\n"

    assert b.engine.lookup(name) == "owner\n"
    wait_for(lambda: (name, "owner\n") in b.sink.names)


def test_a_name_that_is_given_back_may_be_taken_by_another(join: Join) -> None:
    a, b = join("a"), join("b")
    a.engine.claim("n", "pa")

    a.engine.release("n", "somebody else")
    b.engine.release("n", "pa")
    assert b.engine.claim("n", "pb") == "pa"
    a.engine.release("n", "pa")

    assert b.engine.lookup("n") is None
    assert b.engine.claim("n", "pb") == "pb"
    assert a.engine.lookup("n") == "pb"


def test_racers_agree_on_one_winner_for_each_name(join: Join) -> None:
    nodes = [join(name) for name in "abc"]
    names = [f"name {number}" for number in range(30)]

    def claim(index: int) -> list[str]:
        return [nodes[index].engine.claim(name, f"p{index}") for name in names]

    racers = [gevent.spawn(claim, index) for index in (0, 1, 2, 0)]
    results = [racer.get(timeout=20) for racer in racers]

    for answers in zip(names, *results, strict=True):
        assert len(set(answers[1:])) == 1
        held = [node.engine.holds(answers[0], f"p{i}") for i, node in enumerate(nodes)]
        assert held.count(True) == 1


def test_a_watcher_hears_of_the_names_there_are_and_of_each_change(join: Join) -> None:
    a = join("a")
    a.engine.claim("old", "p1")
    b = join("b")
    wait_for(lambda: ("old", "p1") in b.sink.names)

    a.engine.claim("new", "p2")
    a.engine.release("old", "p1")

    wait_for(lambda: len(b.sink.names) == 3)
    assert b.sink.names == [("old", "p1"), ("new", "p2"), ("old", None)]
    late: list[tuple[str, str | None]] = []
    b.engine.watch(lambda name, owner: late.append((name, owner)))
    assert late == [("new", "p2")]


def test_the_names_of_a_node_that_stops_are_free(join: Join) -> None:
    a, b = owning(join)

    a.engine.stop()

    wait_for(lambda: ("n", None) in b.sink.names)
    assert b.engine.lookup("n") is None
    assert b.engine.claim("n", "pb") == "pb"
    assert not a.engine.holds("n", "pa")


def test_a_sink_that_fails_does_not_stop_the_engine(
    join: Join, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = join("a"), join("b")
    meet(a, b)
    kept = b.sink.on_frame

    def fail(source: str, frame: bytes, topic: str | None) -> None:
        kept(source, frame, topic)
        raise LookupError("of a sink")

    b.sink.on_frame = fail  # type: ignore[method-assign]
    a.engine.send("b", b"1")
    a.engine.send("b", b"2")

    wait_for(lambda: len(b.sink.frames) == 2)
    assert "LookupError: of a sink" in caplog.text
