"""Nasty scenarios of endings and of what processes leave behind, each with its expected end."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag

import greenrelay as gr
from greenrelay.runtime.host import Host
from tests.probe import (
    Probe,
    assert_nothing,
    assert_receive,
    ends,
    settle,
    wait,
    wait_for,
    wait_for_ever,
)


class Dying:
    """A process that was told to end with ``boom`` and stays in its cleanup until release()."""

    def __init__(self, probe: Probe, **options: Any) -> None:
        self._flag = Flag()
        self.pid = probe.do(gr.spawn, self._run, **options)
        settle(probe.node)
        probe.node.terminate(self.pid, "boom")
        settle(probe.node)

    def _run(self) -> None:
        try:
            gr.receive()
        finally:
            self._flag.wait()

    def release(self) -> None:
        self._flag.set()


@pytest.fixture
def unraised(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException]]:
    """The kinds of what was raised where nobody could catch it."""
    found: list[type[BaseException]] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda args: found.append(args.exc_type))
    return found


class TestDyingTargets:
    def test_monitoring_a_process_that_is_dying_gives_its_one_exit(
        self, node: gr.Node, probe: Probe
    ) -> None:
        """monitors a PID that is dying."""
        dying = Dying(probe)

        probe.do(gr.monitor, dying.pid)
        assert_nothing(probe)
        dying.release()

        assert ends(probe, dying.pid).reason == "boom"
        assert_nothing(probe)

    def test_linking_a_process_that_is_dying_shares_its_end(
        self, node: gr.Node, probe: Probe
    ) -> None:
        dying = Dying(probe)

        probe.do(gr.link, dying.pid)
        dying.release()

        assert assert_receive(probe, kind="LINK_DOWN").result.reason == "boom"
        assert_nothing(probe)

    @pytest.mark.parametrize("overflow", ["refuse", "drop_oldest", "drop_newest", "block"])
    def test_the_full_inbox_of_a_dying_process_takes_nothing_and_refuses_nothing(
        self, node: gr.Node, probe: Probe, overflow: str
    ) -> None:
        """sends to a full inbox of a dying process; InboxFull never for a dead PID: False."""
        node.add_host(Host("small", inbox_limit=1, overflow=overflow))
        release = Flag()

        def main() -> None:
            try:
                wait_for_ever()
            finally:
                release.wait()

        pid = probe.do(gr.spawn_monitored, main, host="small")
        settle(node)
        assert probe.do(gr.send, pid, "fills it") is True
        node.terminate(pid, "boom")
        settle(node)

        assert probe.do(gr.send, pid, "one more") is False

        release.set()
        ends(probe, pid)
        assert probe.do(gr.send, pid, "one more") is False
        assert node.hosts["small"].dropped == 0

    def test_30_a_dying_process_joins_no_group(self, node: gr.Node, probe: Probe) -> None:
        """30 group join by a dying process."""
        raised: list[type[BaseException]] = []

        def main() -> None:
            gr.join("before")
            try:
                gr.receive()
            finally:
                try:
                    gr.join("after")
                except BaseException as error:
                    raised.append(type(error))

        pid = probe.do(gr.spawn_monitored, main)
        settle(node)
        node.terminate(pid, "boom")

        assert ends(probe, pid).reason == "boom"
        assert raised == [gr.ProcessExit]
        assert len(node.groups) == 0

    def test_30_whoever_joins_a_dying_process_leaves_no_entry_of_it(
        self, node: gr.Node, probe: Probe
    ) -> None:
        """30 group join by a dying process; membership ends with the process."""
        dying = Dying(probe)
        try:
            probe.do(gr.join, "group", dying.pid)
        except gr.GreenRelayError:
            assert gr.members("group") == ()
        dying.release()
        wait_for(lambda: dying.pid not in node.processes)
        settle(node)

        assert gr.members("group") == ()
        assert len(node.groups) == 0

    def test_a_name_given_to_a_dying_process_goes_with_it(
        self, node: gr.Node, probe: Probe
    ) -> None:
        """no name entry outlives its process."""
        dying = Dying(probe)
        probe.do(gr.register, "late", dying.pid)
        dying.release()
        wait_for(lambda: dying.pid not in node.processes)
        settle(node)

        assert gr.whereis("late") is None
        assert len(node.names) == 0


class TestOneself:
    def test_who_kills_itself_twice_is_killed_once(self, probe: Probe) -> None:
        """a process that kills itself twice."""

        def main() -> None:
            try:
                gr.terminate(gr.pid())
            finally:
                gr.terminate(gr.pid())

        assert ends(probe, probe.do(gr.spawn_linked_monitored, main)).reason == "killed"
        assert assert_receive(probe, kind="LINK_DOWN").result.reason == "killed"
        assert_nothing(probe)

    def test_who_exits_twice_keeps_the_first_reason(self, probe: Probe) -> None:
        """The first reason wins."""

        def main() -> None:
            me = gr.pid()
            try:
                gr.terminate(me, "first")
            finally:
                gr.exit("second")

        assert ends(probe, probe.do(gr.spawn_monitored, main)).reason == "first"

    def test_who_swallows_exception_ends_all_the_same(self, node: gr.Node, probe: Probe) -> None:
        """a process that swallows `Exception`."""

        def main() -> None:
            while True:
                try:
                    gr.receive()
                except Exception:
                    continue

        pid = probe.do(gr.spawn_monitored, main)
        settle(node)
        node.terminate(pid, "boom")

        assert ends(probe, pid).reason == "boom"

    def test_who_blocks_in_finally_is_reported_and_its_ending_delivered(
        self, node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
    ) -> None:
        """a process that blocks in `finally`."""
        node.grace = 0.001
        dying = Dying(probe)
        probe.do(gr.monitor, dying.pid)

        assert assert_receive(probe, kind="EXIT").result.reason in ("boom", "noproc")
        assert f"{dying.pid} (" in caplog.text
        assert "in _run" in caplog.text
        dying.release()
        assert_nothing(probe)

    def test_a_greenlet_a_process_spawned_may_raise(
        self, node: gr.Node, probe: Probe, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """a process that raises in a greenlet it spawned itself."""

        def main() -> str:
            gevent.spawn(lambda: 1 / 0).join()
            gr.send(gr.pid(), "goes on")
            return gr.receive("goes on").topic

        assert ends(probe, probe.do(gr.spawn_monitored, main)).value == "goes on"
        assert "ZeroDivisionError" in capfd.readouterr().err

    def test_a_greenlet_a_process_spawned_is_no_process(self, node: gr.Node, probe: Probe) -> None:
        def main() -> object:
            try:
                return gevent.spawn(gr.pid).get()
            except gr.NotInProcess:
                return "no process"

        node.run(lambda: None)
        with pytest.MonkeyPatch.context() as patch:
            # gevent prints what a greenlet raises.
            patch.setattr(gevent.get_hub(), "NOT_ERROR", (gr.NotInProcess,))
            assert node.run(main) == "no process"


class SendsAtItsEnd:
    """Sends when it is thrown away."""

    def __init__(self, send: Callable[[], object]) -> None:
        self.send = send

    def __del__(self) -> None:
        self.send()


class TestDel:
    """35 `__del__` that sends."""

    def test_35_one_in_the_frame_of_a_process_sends_as_that_process(
        self, node: gr.Node, probe: Probe
    ) -> None:
        def main() -> None:
            kept = SendsAtItsEnd(lambda: gr.send(probe.pid, "last words"))
            assert kept

        pid = probe.do(gr.spawn_monitored, main)

        assert assert_receive(probe, topic="last words").sender == pid
        assert ends(probe, pid).is_normal

    def test_35_one_in_the_frame_of_a_crash_sends_before_the_exit(
        self, node: gr.Node, probe: Probe
    ) -> None:
        def main() -> None:
            kept = SendsAtItsEnd(lambda: gr.send(probe.pid, "last words"))
            raise ValueError(str(bool(kept)))

        pid = probe.do(gr.spawn_monitored, main)
        settle(node)
        gc.collect()

        kinds = [getattr(item, "topic", None) or item.kind for item in probe.items]  # type: ignore[union-attr]
        assert kinds == ["last words", "EXIT"]
        assert probe.items[0].sender == pid  # type: ignore[union-attr]
        probe.items.clear()

    @pytest.mark.parametrize("reason", ["killed", "boom"])
    def test_35_one_in_the_frame_of_a_terminated_process_sends_nothing(
        self, node: gr.Node, probe: Probe, unraised: list[type[BaseException]], reason: str
    ) -> None:
        """it cannot send."""

        def main() -> None:
            kept = SendsAtItsEnd(lambda: gr.send(probe.pid, "last words"))
            gr.receive()
            assert kept

        pid = probe.do(gr.spawn_monitored, main)
        settle(node)
        node.terminate(pid, reason)

        assert ends(probe, pid).reason == reason
        settle(node)
        # Nothing is left for the collector, which would send as nobody and later.
        gc.collect()
        assert_nothing(probe)
        assert set(unraised) <= {gr.ProcessExit}

    @pytest.mark.parametrize("dest", ["probe", "victim", "nobody"])
    def test_35_one_in_the_inbox_of_a_process_that_ends_disturbs_nothing(
        self, node: gr.Node, probe: Probe, unraised: list[type[BaseException]], dest: str
    ) -> None:
        probe.do(gr.register, "probe")
        victim = probe.do(gr.spawn_monitored, wait_for_ever, name="victim")
        for _ in range(10):
            node.send(victim, "topic", SendsAtItsEnd(lambda: node.send(dest, "last words")))
        settle(node)

        node.terminate(victim, "boom")

        assert ends(probe, victim).reason == "boom"
        got = [assert_receive(probe, topic="last words") for _ in range(10 * (dest == "probe"))]
        assert len(got) == 10 * (dest == "probe")
        # The name of the victim is free by then or not yet, depending on who is first.
        assert set(unraised) <= {gr.UnknownName}
        assert_nothing(probe)

    def test_35_one_that_ends_processes_and_spawns_more_disturbs_nothing(
        self, node: gr.Node, probe: Probe
    ) -> None:
        peer = node.spawn(wait)
        probe.do(gr.monitor, peer)
        victim = probe.do(gr.spawn_monitored, wait_for_ever)
        payload = SendsAtItsEnd(
            lambda: (node.terminate(peer, "with it"), node.spawn(node.send, probe.pid, "new"))
        )
        node.send(victim, "topic", payload)
        del payload
        settle(node)

        node.terminate(victim, "boom")

        reasons = {assert_receive(probe, kind="EXIT").result.reason for _ in range(2)}
        assert reasons == {"boom", "with it"}
        assert assert_receive(probe, topic="new")

    def test_35_ten_thousand_sent_by_the_garbage_collector_all_arrive(
        self, node: gr.Node, probe: Probe, low_threshold: None
    ) -> None:
        """A collection may start anywhere, so those sends come in the middle of others."""
        count = 10_000
        arrived: list[int] = []

        def collect() -> None:
            for message in gr.inbox():
                if message.topic == "late":
                    arrived.append(message.payload)  # type: ignore[arg-type]

        node.add_host(Host("wide", inbox_limit=10 * count))
        collector = node.spawn(collect, host="wide")

        def litter(numbers: range) -> None:
            for number in numbers:
                one = SendsAtItsEnd(lambda number=number: node.send(collector, "late", number))  # type: ignore[misc]
                one.itself = one  # type: ignore[attr-defined]
                gr.send(collector, "noise", [number])
                gr.exec(lambda: None)

        for start in range(0, count, count // 4):
            node.spawn(litter, range(start, start + count // 4))
        wait_for(lambda: len(node.processes) == 2, timeout=60)
        gc.collect()
        wait_for(lambda: len(arrived) >= count)

        assert sorted(arrived) == list(range(count))
        gr.cancel(collector)


@pytest.fixture
def low_threshold() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(20)
    yield
    gc.set_threshold(*before)


class Unequal:
    """Unequal to itself, unhashable, unpicklable, and huge."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self) -> None:
        self.bulk = bytearray(10_000_000)

    def __eq__(self, other: object) -> bool:
        return False

    def __reduce__(self) -> Any:
        raise TypeError("no pickle")

    def __repr__(self) -> str:
        raise ValueError("no text")


def test_36_a_value_that_cannot_be_compared_or_pickled_is_handed_on_as_it_is(
    node: gr.Node, probe: Probe
) -> None:
    """36 huge, unpicklable, unequal-to-itself reason."""
    value = Unequal()

    pid = probe.do(gr.spawn_monitored, lambda: value)

    assert ends(probe, pid).value is value
    assert node.run(lambda: value) is value
    assert node.run(lambda: gr.exec(lambda: value)) is value


def test_36_an_exception_with_such_an_argument_is_a_crash_like_any_other(probe: Probe) -> None:
    """36 huge, unpicklable, unequal-to-itself reason."""

    class Odd(Exception):
        pass

    def main() -> None:
        raise Odd(Unequal())

    result = ends(probe, probe.do(gr.spawn_linked_monitored, main))

    assert result.error is not None
    assert result.error.type == "Odd"
    assert assert_receive(probe, kind="LINK_DOWN").result.reason == result.reason


def test_34_a_pending_kill_of_a_process_that_is_over_strikes_nobody_else(node: gr.Node) -> None:
    """34 recycled worker: leaked timeout, kill handle, local, context never reach the next."""
    kills: list[Callable[[], object]] = []

    def first() -> None:
        me = gr.pid()
        kills.append(lambda: node.terminate(me))
        gr.cancel(me, deadline=0)
        gr.send_after(0, me, "late")

    def following() -> list[object]:
        kills[-1]()
        wait_for(lambda: not node.timers.pending())
        settle(node)
        assert len(gr.inbox()) == len(gr.events()) == 0
        return list(gr.context())

    for _ in range(50):
        node.run(first)
        assert node.run(following) == []


def test_39_a_node_with_10_000_processes_of_every_kind_stops() -> None:
    """39 stop with 10,000 live processes within the deadline."""
    node = gr.Node("crowd", grace=0.5)
    ended: list[str] = []

    class Room(gr.Server):
        def terminate(self, reason: str) -> None:
            ended.append(reason)

    def member(number: int) -> None:
        gr.join(f"group{number % 100}")
        gr.register(f"name{number}")
        gr.monitor("name0") if number else None
        list(gr.inbox())

    for number in range(2_500):
        node.spawn(member, number)
        node.spawn(Room)
        node.spawn(wait_for_ever)
    node.spawn(gr.Supervisor([gr.Child(str(n), wait, shutdown="1s") for n in range(2_499)]))
    wait_for(lambda: len(node.processes) == 10_000)
    settle(node)

    node.shutdown(2)

    assert not node.processes
    assert ended == ["shutdown"] * 2_500
    assert len(node.names) == len(node.topology) == len(node.groups) == 0
    assert not node.supervised
