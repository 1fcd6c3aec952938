"""A node of a later release among those of this one: what they do not know does no harm."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from itertools import count

import gevent
import pytest

import greenrelay as gr
from greenrelay.cluster import bundle
from greenrelay.cluster.engine import Member
from greenrelay.cluster.engines import engine_at
from greenrelay.cluster.session import TICK, Session
from greenrelay.cluster.wire import VERSION, Frame, Kind, dump, encode, load
from tests.cluster.far import Far
from tests.cluster.joined import counts, mesh_of
from tests.cluster.lab import APP, Lab, far, here, lab, near
from tests.probe import Probe, assert_nothing, assert_receive, wait_for

__all__ = ["far", "here", "lab", "near"]

LATER = VERSION + 1
UNKNOWN = max(Kind) + 50


class Newer:
    """A node by hand: its session is that of this release, its frames are what a test makes."""

    def __init__(self, url: str, peer: gr.Node) -> None:
        self.got: list[Frame] = []
        self.counts: Counter[str] = Counter()
        self.lost = 0
        self._peer = peer
        self.engine = engine_at(url, APP)
        self.session = Session(
            partial(self.engine.send, peer.id),
            count(time.time_ns() // 1000).__next__,
            opened=lambda: None,
            lost=self._on_lost,
            count=lambda reason: self.counts.update([reason]),
        )
        self.engine.start(Member("newer.1", "i1"), self)
        self._ticker = gevent.spawn(self._tick)

    def close(self) -> None:
        self._ticker.kill()
        self.engine.stop()

    def say(self, *fields: object) -> None:
        """Send a frame past the session."""
        assert self.engine.send(self._peer.id, encode(fields))

    def _tick(self) -> None:
        while True:
            self.session.tick(time.monotonic())
            gevent.sleep(TICK)

    def _on_lost(self) -> None:
        self.lost += 1

    def on_frame(self, source: str, data: bytes, topic: str | None) -> None:
        if source == self._peer.id:
            frames = (frame for frame in bundle.read(data) if isinstance(frame, Frame))
            self.got += (frame for frame in frames if self.session.receive(frame))

    def on_node_up(self, member: Member) -> None:
        pass

    def on_node_down(self, member: Member, reason: str) -> None:
        pass

    def on_gap(self, source: str) -> None:
        pass

    def on_engine(self, is_reachable: bool) -> None:
        pass


@pytest.fixture
def newer(lab: Lab, near: gr.Node) -> Iterator[Newer]:
    newer = Newer(lab.url, near)
    wait_for(lambda: newer.session.is_open)
    wait_for(lambda: mesh_of(near).links["newer.1"].session.is_open)
    yield newer
    newer.close()


def message(newer: Newer, to: gr.Pid, payload: object) -> None:
    """Send a message of the session."""
    newer.session.post(Kind.MESSAGE, str(to), "", "hello", payload=dump(payload))


def test_frames_of_a_later_version_are_counted_and_dropped(
    near: gr.Node, far: Far, here: Probe, newer: Newer
) -> None:
    """unknown versions and kinds are counted and dropped, so releases can be mixed"""
    for number in range(100):
        newer.say(LATER, Kind.MESSAGE, 1, number, {"all": "different"}, str(here.pid))
        newer.say(LATER, "a word", b"and", [1, 2, 3])
        # As one of this version would be.
        newer.say(LATER, Kind.MESSAGE, 1, number, str(here.pid), "", "hello")
    for number in range(50):
        newer.say(VERSION, UNKNOWN, 1, number, str(here.pid))
    wait_for(lambda: counts(near).get("unknown_kind") == 50)

    message(newer, here.pid, "known")
    assert assert_receive(here, topic="hello").payload == "known"
    assert here.do(gr.call, far.pid, "ask", "there") == "there"
    assert counts(near)["unknown_version"] == 300
    assert counts(near).get("failed", 0) == counts(near).get("malformed", 0) == 0
    assert newer.lost == 0
    assert_nothing(here)


def test_fields_that_a_later_release_appends_are_passed_by(here: Probe, newer: Newer) -> None:
    """a versioned array envelope"""
    epoch, to = newer.session.epoch, str(here.pid)
    body = dump({"n": 1})

    newer.say(VERSION, Kind.MESSAGE, epoch, 1, to, "", "hello", 0, None, body, "later", [1])

    assert assert_receive(here, topic="hello").payload == {"n": 1}


def test_a_later_release_reads_what_this_one_sends(
    near: gr.Node, here: Probe, newer: Newer
) -> None:
    here.do(gr.send, gr.Pid.parse("{newer.1@app|1}"), "hello", [1, 2])

    wait_for(lambda: any(frame.topic == "hello" for frame in newer.got))
    found = next(frame for frame in newer.got if frame.topic == "hello")
    assert (found.version, found.kind, load(found.payload)) == (VERSION, Kind.MESSAGE, [1, 2])


def test_bad_frames_of_one_node_do_no_harm_to_others(
    near: gr.Node, far: Far, here: Probe, newer: Newer
) -> None:
    """Bad frames are counted, never raised in the reader."""
    far.do("watch", here.pid)
    far.told("watches")
    here.do(gr.monitor, far.pid)

    for data in (b"", b"\xc1", b"\x93\x01", b"[]", bytes(range(256)), b"\xdd\xff\xff\xff\xff"):
        assert newer.engine.send(near.id, data)
    newer.say(VERSION, Kind.ACK, newer.session.epoch, 2**40, "", "", "", newer.session.remote)
    newer.say(VERSION, Kind.AGAIN, newer.session.epoch, 2**40, "", "", "", newer.session.remote)
    wait_for(lambda: counts(near).get("bad_ack") == 2)

    assert counts(near)["malformed"] == 6
    assert counts(near).get("failed", 0) == 0
    assert here.do(gr.call, far.pid, "ask", "there") == "there"
    assert far.all_told("heard") == []
    assert_nothing(here)


def test_what_follows_a_frame_of_a_later_release_in_its_session_arrives(
    here: Probe, newer: Newer
) -> None:
    """unknown versions and kinds are counted and dropped, so releases can be mixed"""
    message(newer, here.pid, "before")

    newer.session.post(UNKNOWN, str(here.pid), payload=dump("of a later release"))
    message(newer, here.pid, "between")
    transmit, seq = newer.session._transmit, newer.session._next
    later = encode((LATER, 99, newer.session.epoch, seq, {"other": "fields"}))
    newer.session._transmit = lambda frame: transmit(later)
    message(newer, here.pid, "replaced by one of a later version")
    newer.session._transmit = transmit
    message(newer, here.pid, "after")

    got = [assert_receive(here, topic="hello").payload for _ in range(3)]
    assert got == ["before", "between", "after"]
    assert newer.lost == 0
