"""What links and monitors with processes of other nodes need of the tables."""

from __future__ import annotations

import pytest

from greenrelay.core.events import MonitorRef
from greenrelay.core.pid import Pid
from greenrelay.core.topology import Topology

HERE, THERE = Pid("here", "h", 1), Pid("there", "h", 2)


class Observer:
    """Records what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def unmonitored(self, ref: MonitorRef) -> None:
        self.told.append(ref)

    def unlinked(self, one: Pid, other: Pid) -> None:
        self.told.append((one, other))


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def topology(observer: Observer) -> Topology:
    topology = Topology()
    topology.observer = observer
    return topology


def test_a_monitor_made_elsewhere_is_in_force(topology: Topology) -> None:
    ref = MonitorRef(THERE, HERE, 7)

    topology.enter(ref)

    assert topology.watchers(HERE) == (THERE,)
    assert topology.ended(HERE) == ((ref,), ())
    assert len(topology) == 0


def test_taking_a_monitor_back_is_told(topology: Topology, observer: Observer) -> None:
    ref = topology.monitor(HERE, THERE)

    assert topology.unmonitor(ref)
    assert not topology.unmonitor(ref)

    assert observer.told == [ref]


def test_taking_a_monitor_out_is_not_told(topology: Topology, observer: Observer) -> None:
    ref = topology.monitor(HERE, THERE)

    assert topology.take(ref)
    assert not topology.take(ref)

    assert observer.told == []
    assert len(topology) == 0


def test_the_monitors_of_a_watcher_that_ends_are_told(
    topology: Topology, observer: Observer
) -> None:
    ref = topology.monitor(HERE, THERE)

    topology.ended(HERE)

    assert observer.told == [ref]


def test_unlinking_is_told_and_parting_is_not(topology: Topology, observer: Observer) -> None:
    topology.link(HERE, THERE)
    assert topology.part(THERE, HERE)
    assert not topology.part(THERE, HERE)
    topology.link(HERE, THERE)

    topology.unlink(HERE, THERE)

    assert observer.told == [(HERE, THERE)]
    assert len(topology) == 0
