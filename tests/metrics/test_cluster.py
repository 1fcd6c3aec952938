"""What nodes of a cluster have counted, as /metrics shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask

import greenrelay as gr
from greenrelay.cluster.local import Bus, LocalEngine
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, operations
from tests.cluster.joined import mesh_of
from tests.metrics.scraped import Scrape, scrape
from tests.probe import Probe, assert_receive, settle, wait_for
from tests.serving import serving

PREFIX = "greenrelay_cluster_"


@dataclass(frozen=True)
class Pair:
    """A served app whose node is joined with another one; a process of each."""

    address: str
    bus: Bus
    node: gr.Node
    other: gr.Node
    here: Probe
    there: Probe

    def scrape(self) -> Scrape:
        """Return what is shown."""
        return scrape(self.address)


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two joined nodes."""
    app, bus = Flask("clustered"), Bus()
    GreenRelay(app)
    app.register_blueprint(operations)
    node = state_of(app).node
    node.join_cluster(LocalEngine(bus))
    with (
        serving(app) as address,
        gr.Node("other", cluster=LocalEngine(bus)) as other,
        Probe(node) as here,
        Probe(other) as there,
    ):
        wait_for(lambda: _is_open(node, other) and _is_open(other, node))
        yield Pair(address, bus, node, other, here, there)


def _is_open(node: gr.Node, other: gr.Node) -> bool:
    link = mesh_of(node).links.get(other.id)
    return link is not None and link.session.is_open


def value(found: Scrape, name: str, **labels: str) -> float:
    return found.value(PREFIX + name, **labels)


def test_other_nodes_and_the_engine_are_shown(pair: Pair) -> None:
    during = pair.scrape()
    pair.bus.crash(pair.other.id)
    wait_for(lambda: not mesh_of(pair.node).links)
    after = pair.scrape()

    assert [value(during, name) for name in ("up", "nodes", "nodes_min")] == [1, 1, 1]
    assert [value(after, name) for name in ("up", "nodes", "nodes_min")] == [1, 0, 0]


def test_an_engine_that_is_away_is_shown(pair: Pair) -> None:
    mesh_of(pair.node).on_engine(False)
    away = pair.scrape()
    mesh_of(pair.node).on_engine(True)

    assert value(away, "up") == 0
    assert value(pair.scrape(), "up") == 1


def test_names_that_are_held_here_are_counted(pair: Pair) -> None:
    pair.here.do(gr.register, "leader", scope="cluster")
    pair.there.do(gr.register, "other", scope="cluster")

    assert value(pair.scrape(), "names") == 1


def test_frames_are_counted_both_ways_over_all_sessions(pair: Pair) -> None:
    before = pair.scrape()
    for number in range(10):
        pair.here.do(gr.send, pair.there.pid, "number", number)
    for number in range(5):
        pair.there.do(gr.send, pair.here.pid, "number", number)
    for _ in range(5):
        assert_receive(pair.here, topic="number")
    between = pair.scrape()
    mesh_of(pair.node).links[pair.other.id].session.reset()
    wait_for(lambda: _is_open(pair.node, pair.other))
    settle(pair.node)
    pair.here.do(gr.send, pair.there.pid, "number", 10)
    after = pair.scrape()

    out, into = {"direction": "out"}, {"direction": "in"}
    assert value(between, "frames_total", **out) - value(before, "frames_total", **out) == 10
    assert value(between, "frames_total", **into) - value(before, "frames_total", **into) == 5
    # Some of the cluster's own come with a new epoch; none of before is counted again.
    assert 1 <= value(after, "frames_total", **out) - value(between, "frames_total", **out) < 10
    assert 0 <= value(after, "frames_total", **into) - value(between, "frames_total", **into) < 5


def test_what_waits_for_other_nodes_is_shown(pair: Pair) -> None:
    session = mesh_of(pair.node).links[pair.other.id].session
    mesh_of(pair.node).on_engine(False)
    session._is_known = False
    for number in range(3):
        pair.here.do(gr.send, pair.there.pid, "number", number)
    waiting, kept = pair.scrape(), len(session)
    mesh_of(pair.node).on_engine(True)

    assert kept >= 3
    assert value(waiting, "waiting_frames") == value(waiting, "waiting_frames_max") == kept


def test_what_is_dropped_and_refused_is_counted_by_its_reason(pair: Pair) -> None:
    session = mesh_of(pair.node).links[pair.other.id].session
    before = _reasons(pair)

    pair.there.do(gr.send, gr.Pid.parse(f"{{{pair.node.id}@app:processes|77}}"), "hello")
    mesh_of(pair.node).on_frame("nobody", b"", None)
    session.max_frames = 0
    with pytest.raises(gr.InboxFull):
        pair.here.do(gr.send, pair.there.pid, "hello")
    wait_for(lambda: mesh_of(pair.node).counts["no_process"])

    assert _reasons(pair) == [count + 1 for count in before]


def _reasons(pair: Pair) -> list[float]:
    found = pair.scrape()
    dropped = [
        value(found, "dropped_total", reason=reason) for reason in ("no_process", "unknown_node")
    ]
    return [*dropped, value(found, "refused_total", reason="ring_full")]


def test_other_incidents_have_words_that_can_be_labels(pair: Pair) -> None:
    before = _incidents(pair)

    mesh_of(pair.node).count("name_lost")
    mesh_of(pair.node).engine.counters["names: conflicts"] += 2

    assert _incidents(pair) == [before[0] + 1, before[1] + 2]


def _incidents(pair: Pair) -> list[float]:
    found = pair.scrape()
    words = ("name_lost", "names_conflicts")
    return [value(found, "incidents_total", reason=word) for word in words]


def test_frames_that_were_sent_again_are_counted(pair: Pair) -> None:
    before = value(pair.scrape(), "resent_frames_total")

    mesh_of(pair.node).count("resent", 7)

    assert value(pair.scrape(), "resent_frames_total") - before == 7
