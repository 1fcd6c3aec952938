"""What processes notice when the engine dies, is away, or is slow: real nodes, a real engine."""

from __future__ import annotations

import time

import gevent
import pytest

import greenrelay as gr
from greenrelay.cluster.nats.engine import NatsEngine
from greenrelay.cluster.nats.outbox import MAX_SIZE
from tests.cluster.far import PATIENCE, Far
from tests.cluster.joined import counts, mesh_of
from tests.cluster.lab import Lab, far, here, is_registered, lab, meet, near, noconnections
from tests.cluster.proxy import Proxy
from tests.probe import Probe, assert_nothing, wait_for

__all__ = ["far", "here", "lab", "near"]

RATE, NUMBERS = 2_000, 8_000


def test_an_engine_that_restarts_under_load_loses_doubles_and_moves_nothing(
    lab: Lab, near: gr.Node, far: Far, here: Probe
) -> None:
    """an engine restart … loses nothing while both nodes live and the ring holds"""
    far.do("collect", NUMBERS)
    there = gr.Pid.parse(far.told("collects"))
    got: list[object] = []
    collector = near.spawn(lambda: got.extend(gr.receive("number").payload for _ in range(NUMBERS)))
    here.do(gr.monitor, there)
    far.do("watch", here.pid)
    far.told("watches")
    far.do("flood", collector, RATE, NUMBERS)
    sender = near.spawn(_flood, there)
    wait_for(lambda: len(got) > RATE / 2, PATIENCE)

    lab.kill_engine()
    # The rule is about a second without the server, on the clocks of two programs.
    gevent.sleep(1)
    lab.start_engine()

    wait_for(lambda: len(got) == NUMBERS, PATIENCE)
    assert got == list(range(NUMBERS))
    assert far.told("collected") == "True"
    wait_for(lambda: sender not in near.processes and collector not in near.processes)
    assert far.told("flooded") == f"{NUMBERS} 0"
    assert far.all_told("more") == far.all_told("heard") == far.all_told("down") == []
    assert_nothing(here)


def _flood(target: gr.Pid) -> None:
    begun_at = time.monotonic()
    for number in range(NUMBERS):
        gr.send(target, "number", number)
        gevent.sleep(max(begun_at + number / RATE - time.monotonic(), 0))


def test_without_the_engine_for_long_all_others_are_gone_and_work_goes_on(
    lab: Lab, near: gr.Node, far: Far, here: Probe
) -> None:
    """A node that cannot reach the engine for 3 s counts all others as noconnection, keeps working
    locally, drops its cluster names by its own monotonic clock, and comes back with a new
    incarnation.
    """
    here.do(gr.monitor, far.pid)
    here.do(gr.link, far.pid)
    far.do("watch", here.pid)
    far.do("own", "leader")
    far.told("watches")
    far.wait_for("owns leader")
    wait_for(lambda: here.do(gr.whereis, "leader"))
    before = mesh_of(near).links[far.pid.node].member

    lab.kill_engine()
    noconnections(here, 3)
    far.wait_for("lost leader None")
    wait_for(lambda: len(far.all_told("heard")) == 2, PATIENCE)
    far.do("work", 100)
    assert far.told("worked") == "100"
    assert here.do(gr.nodes) == ()
    with pytest.raises(gr.ProcessDown, match="noconnection"):
        here.do(gr.call, far.pid, "ask")
    with pytest.raises(gr.EngineError):
        near.run(gr.register, "leader", scope="cluster")
    lab.start_engine()

    meet(near, far.pid)
    assert mesh_of(near).links[far.pid.node].member != before
    assert here.do(gr.call, far.pid, "ask", "again") == "again"
    wait_for(lambda: is_registered(here, "leader"), PATIENCE)
    far.do("whereis", "leader")
    assert far.told("whereis") == f"leader {here.pid}"
    assert sorted(far.all_told("heard")) == ["EXIT noconnection", "LINK_DOWN noconnection"]
    assert_nothing(here)


def test_an_engine_that_dies_again_and_again_keeps_the_order(
    lab: Lab, near: gr.Node, far: Far, here: Probe
) -> None:
    far.do("collect", NUMBERS)
    there = gr.Pid.parse(far.told("collects"))
    sender = near.spawn(_flood, there)

    for _ in range(3):
        lab.kill_engine()
        lab.start_engine()
        wait_for(lambda: mesh_of(near).is_reachable, PATIENCE)
        assert here.do(gr.call, far.pid, "ask", "there") == "there"

    assert far.told("collected") == "True"
    wait_for(lambda: sender not in near.processes)
    assert far.all_told("more") == far.all_told("down") == []


def test_a_slow_engine_holds_senders_back_within_bounds_and_loses_nothing(lab: Lab) -> None:
    """Every queue is bounded; each drop or refusal is counted with its reason."""
    with Proxy(lab.server.port) as proxy:
        near, far = lab.near(url=proxy.url(lab.url)), lab.far()
        meet(near, far.pid)
        here = lab.probe(near)
        session = mesh_of(near).links[far.pid.node].session
        session.max_frames = 2_000
        far.do("collect", 6_000)
        there = gr.Pid.parse(far.told("collects"))
        # Slower than any sender, on a busy machine too, until one was refused.
        proxy.delay, proxy.rate = 0.01, 20_000

        refused = deepest = sent = 0
        while sent < 6_000:
            try:
                here.do(gr.send, there, "number", sent)
                sent += 1
            except gr.InboxFull:
                refused += 1
                proxy.rate = 400_000
                gevent.sleep(0.01)
            deepest = max(deepest, len(session))
        proxy.delay, proxy.rate = 0.0, 0

        assert far.told("collected") == "True"
        assert far.all_told("more") == []
        assert refused > 0
        assert counts(near)["ring_full"] == refused
        assert deepest <= 2_000
        # What has come is acknowledged a little later.
        wait_for(lambda: not len(session))
        assert here.do(gr.call, far.pid, "ask", "there") == "there"
        assert_nothing(here)


def _send_for_ever(target: gr.Pid) -> None:
    while True:
        gr.send(target, "number", "x" * 200_000)


def test_what_waits_for_an_engine_that_reads_nothing_is_bounded_and_counted(lab: Lab) -> None:
    """Every queue is bounded; each drop or refusal is counted with its reason."""
    with Proxy(lab.server.port) as proxy:
        near, far = lab.near(url=proxy.url(lab.url)), lab.far()
        meet(near, far.pid)
        here = lab.probe(near)
        far.do("note")
        there = gr.Pid.parse(far.told("notes"))
        here.do(gr.monitor, there)
        link, engine = mesh_of(near).links[far.pid.node], mesh_of(near).engine
        assert isinstance(engine, NatsEngine)

        proxy.cut()
        with pytest.raises(gr.InboxFull):
            here.do(_send_for_ever, there)
        kept, waiting = link.session._ring_bytes, engine._client.outbox.size
        noconnections(here, 1)
        proxy.mend()

        assert 0 < kept <= link.session.max_bytes + 201_000
        assert waiting <= MAX_SIZE
        assert counts(near)["ring_full"] == 1
        assert engine.counters["outbox full"] > 0
        meet(near, far.pid)
        assert here.do(gr.call, far.pid, "ask", "there") == "there"
