"""The channels of nodes that come and go. Source: Cluster, "What changes for a program"."""

from __future__ import annotations

import greenrelay as gr
from greenrelay.cluster.link import SWEPT_FROM
from tests.cluster.joined import Joined, mesh_of


def test_what_processes_that_have_ended_watched_by_is_thrown_away(
    joined: Joined, one: gr.Node
) -> None:
    """no greenlet, monitor, link, name or group entry outlives its process"""
    living = joined.probe(one)
    channel = living.do(gr.node_events)

    for _ in range(20 * SWEPT_FROM):
        one.run(gr.node_events)

    assert len(mesh_of(one)._watchers) <= SWEPT_FROM
    two = joined.add("two")
    assert living.do(channel.get_nowait) == gr.NodeUp(two.id)


def test_all_channels_of_one_that_lives_are_kept(joined: Joined, one: gr.Node) -> None:
    living = joined.probe(one)
    channels = [living.do(gr.node_events) for _ in range(3 * SWEPT_FROM)]

    two = joined.add("two")

    assert [living.do(each.get_nowait) for each in channels] == [gr.NodeUp(two.id)] * len(channels)


def test_a_channel_that_is_known_no_more_can_be_closed(joined: Joined, one: gr.Node) -> None:
    """Closing again changes nothing."""
    channel = one.run(gr.node_events)
    joined.add("two")
    assert mesh_of(one)._watchers == []

    channel.close()

    assert channel.is_closed
    assert mesh_of(one)._watchers == []


def test_a_channel_that_was_swept_can_be_closed_and_takes_no_other_along(
    joined: Joined, one: gr.Node
) -> None:
    swept = [one.run(gr.node_events) for _ in range(SWEPT_FROM)]
    living = joined.probe(one)
    channel = living.do(gr.node_events)
    assert mesh_of(one)._watchers == [channel]

    for each in swept:
        each.close()

    assert mesh_of(one)._watchers == [channel]
