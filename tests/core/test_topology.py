"""Links and monitors as tables. Source: Processes, "Functions" and "Endings"."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from greenrelay.core.events import MonitorRef
from greenrelay.core.pid import Pid
from greenrelay.core.topology import Topology

A, B, C = (Pid("n", "h", number) for number in range(3))


def test_a_link_goes_both_ways() -> None:
    topology = Topology()

    topology.link(A, B)

    assert topology.links(A) == (B,)
    assert topology.links(B) == (A,)


def test_linking_is_idempotent() -> None:
    """`link(dest)`, `unlink(dest)`: shared fate; idempotent."""
    topology = Topology()
    topology.link(A, B)
    topology.link(B, A)

    topology.unlink(A, B)
    topology.unlink(A, B)

    assert len(topology) == 0


def test_linking_oneself_does_nothing() -> None:
    """linking oneself does nothing."""
    topology = Topology()

    topology.link(A, A)
    topology.unlink(A, A)

    assert A not in topology
    assert topology.ended(A) == ((), ())


def test_unlinking_leaves_other_links() -> None:
    topology = Topology()
    topology.link(A, B)
    topology.link(A, C)

    topology.unlink(B, A)

    assert topology.links(A) == (C,)


def test_each_monitor_is_independent() -> None:
    """Each `monitor` call is independent: two monitors, two EXITs."""
    topology = Topology()
    one, two = topology.monitor(A, B), topology.monitor(A, B)

    assert one != two
    assert topology.refs(A, B) == [one, two]
    assert topology.watchers(B) == (A, A)
    assert topology.watching(A) == (B, B)
    assert topology.ended(B) == ((one, two), ())
    assert len(topology) == 0


def test_monitoring_oneself_is_not_kept() -> None:
    """Monitoring oneself never fires."""
    topology = Topology()

    ref = topology.monitor(A, A)

    assert A not in topology
    assert topology.unmonitor(ref) is False


def test_unmonitor_takes_back_that_one_only() -> None:
    topology = Topology()
    one, two = topology.monitor(A, B), topology.monitor(A, B)

    assert topology.unmonitor(one) is True
    assert topology.unmonitor(one) is False
    assert topology.ended(B) == ((two,), ())


def test_a_ref_that_is_not_in_force_is_one_of_a_kind() -> None:
    topology = Topology()

    one, two = topology.make_ref(A, None), topology.make_ref(A, None)

    assert one != two
    assert topology.unmonitor(one) is False
    assert A not in topology


def test_a_watcher_that_ends_is_forgotten_by_its_targets() -> None:
    topology = Topology()
    topology.monitor(A, B)
    kept = topology.monitor(C, B)

    assert topology.ended(A) == ((), ())
    assert topology.ended(B) == ((kept,), ())


def test_an_ending_names_its_links_in_the_order_of_making() -> None:
    topology = Topology()
    topology.link(A, C)
    topology.link(A, B)

    assert topology.ended(A) == ((), (C, B))
    assert B not in topology
    assert C not in topology


def test_containment_sees_either_side_of_each_relation() -> None:
    topology = Topology()
    topology.monitor(A, B)

    assert A in topology
    assert B in topology
    assert C not in topology


PIDS = st.sampled_from([Pid("n", "h", number) for number in range(5)])


class TopologyMachine(RuleBasedStateMachine):
    """Against sets: both sides of each relation agree, and an ending leaves no trace."""

    def __init__(self) -> None:
        super().__init__()
        self.topology = Topology()
        self.links: set[frozenset[Pid]] = set()
        self.monitors: dict[MonitorRef, None] = {}

    @rule(one=PIDS, other=PIDS)
    def link(self, one: Pid, other: Pid) -> None:
        self.topology.link(one, other)
        if one != other:
            self.links.add(frozenset((one, other)))

    @rule(one=PIDS, other=PIDS)
    def unlink(self, one: Pid, other: Pid) -> None:
        self.topology.unlink(one, other)
        self.links.discard(frozenset((one, other)))

    @rule(watcher=PIDS, watched=PIDS)
    def monitor(self, watcher: Pid, watched: Pid) -> None:
        ref = self.topology.monitor(watcher, watched)
        assert ref not in self.monitors
        if watcher != watched:
            self.monitors[ref] = None

    @rule(data=st.data())
    def unmonitor(self, data: st.DataObject) -> None:
        if self.monitors:
            ref = data.draw(st.sampled_from(list(self.monitors)))
            assert self.topology.unmonitor(ref)
            del self.monitors[ref]

    @rule(pid=PIDS)
    def end(self, pid: Pid) -> None:
        fired, linked = self.topology.ended(pid)

        assert list(fired) == [ref for ref in self.monitors if ref.target == pid]
        assert set(linked) == {
            other for pair in self.links if pid in pair for other in pair - {pid}
        }
        self.monitors = {ref: None for ref in self.monitors if pid not in (ref.target, ref.watcher)}
        self.links = {pair for pair in self.links if pid not in pair}
        assert pid not in self.topology

    @invariant()
    def both_sides_agree(self) -> None:
        linked = {pid for pair in self.links for pid in pair}
        watched = {ref.target for ref in self.monitors}
        watching = {ref.watcher for ref in self.monitors}
        assert len(self.topology) == len(linked) + len(watched) + len(watching)


TopologyMachine.TestCase.settings = settings(max_examples=50, stateful_step_count=30)
TestTopologyMachine = TopologyMachine.TestCase


class CountedPid(Pid):
    """A PID that counts how often it is compared with another."""

    __slots__ = ()
    compared = 0

    def __eq__(self, other: object) -> bool:
        CountedPid.compared += 1
        return str.__eq__(self, str(other))

    def __hash__(self) -> int:
        return str.__hash__(self)


def test_the_monitors_of_a_pair_are_found_among_few_where_either_has_few() -> None:
    one, many = CountedPid("n", "h", "one"), [Pid("n", "h", number) for number in range(1000)]
    topology = Topology()
    refs = [topology.monitor(A, each) for each in (*many, one)]
    for each in many:
        topology.monitor(each, B)
    CountedPid.compared = 0

    found = topology.refs(A, one)

    assert found == refs[-1:]
    assert CountedPid.compared < 10
