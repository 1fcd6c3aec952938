"""Nasty scenarios of endings, by number, each with its expected end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from itertools import pairwise
from typing import Any

import gevent
import gevent.socket
import pytest
from gevent.event import Event as Flag
from gevent.lock import Semaphore

import greenrelay as gr
from greenrelay.core.topology import Topology
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
from tests.threads import NativeFlag


def test_01_a_self_link_does_nothing(probe: Probe) -> None:
    def main() -> None:
        gr.link(gr.pid())
        gr.exit("boom")

    assert ends(probe, probe.do(gr.spawn_monitored, main)).reason == "boom"
    assert_nothing(probe)


def test_02_in_a_link_cycle_each_dies_once_with_the_same_reason(
    node: gr.Node, probe: Probe
) -> None:
    pids = [probe.do(gr.spawn_monitored, wait) for _ in range(3)]
    for one, other in zip(pids, pids[1:] + pids[:1], strict=True):
        node.link(node.processes[one], node.processes[other])

    node.terminate(pids[1], "boom")

    events = [assert_receive(probe, kind="EXIT") for _ in pids]
    assert {event.pid for event in events} == set(pids)
    assert {event.result.reason for event in events} == {"boom"}
    assert_nothing(probe)


def test_03_a_clique_of_200_dies_of_one_reason(node: gr.Node, probe: Probe) -> None:
    pids = [probe.do(gr.spawn_monitored, wait) for _ in range(200)]
    for index, one in enumerate(pids):
        for other in pids[:index]:
            node.link(node.processes[one], node.processes[other])

    node.terminate(pids[77], "boom")

    events = [assert_receive(probe, kind="EXIT") for _ in pids]
    assert {event.pid for event in events} == set(pids)
    assert {event.result.reason for event in events} == {"boom"}


def test_04_a_chain_of_100_000_ends_without_recursion(node: gr.Node) -> None:
    """Deadlocks of a kill wave do not exist: 10,000 linked processes end and are reported once."""
    node.add_host(Host("big", max_processes=200_000))
    pids = [node.spawn(wait, host="big") for _ in range(100_000)]
    for one, other in pairwise(pids):
        node.link(node.processes[one], node.processes[other])

    node.terminate(pids[0], "boom")

    wait_for(lambda: not node.processes and not len(node.supervisor), timeout=60)


def test_04_ten_thousand_started_processes_die_in_a_wave(node: gr.Node, probe: Probe) -> None:
    pids = [probe.do(gr.spawn_monitored, wait) for _ in range(10_000)]
    for one, other in pairwise(pids):
        node.link(node.processes[one], node.processes[other])
    settle(node)

    node.terminate(pids[5_000], "boom")
    wait_for(lambda: len(probe.items) == 10_000, timeout=30)

    assert {event.pid for event in probe.items} == set(pids)  # type: ignore[union-attr]
    probe.items.clear()


def test_05_ended_before_its_first_line_it_never_runs(node: gr.Node, probe: Probe) -> None:
    ran: list[bool] = []

    def main() -> gr.Pid:
        child = gr.spawn_linked_monitored(lambda: ran.append(True), name="child")
        gr.terminate(child, "boom")
        assert gr.send(child, "topic") is False
        return child

    child = probe.do(main)

    assert ends(probe, child).reason == "boom"
    assert assert_receive(probe, kind="LINK_DOWN").pid == child
    assert ran == []
    assert gr.whereis("child") is None


def test_06_a_linked_child_that_dies_at_once_takes_its_parent_along(probe: Probe) -> None:
    def parent() -> None:
        gr.spawn_linked(gr.exit, "boom")
        wait_for_ever()

    assert ends(probe, probe.do(gr.spawn_monitored, parent)).reason == "boom"


def test_07_a_parent_may_die_before_the_first_line_of_its_child(
    node: gr.Node, probe: Probe
) -> None:
    ran: list[bool] = []

    def parent() -> None:
        gr.spawn_linked(lambda: ran.append(True))
        gr.spawn(lambda: ran.append(True))
        gr.exit("boom")

    probe.do(gr.spawn_monitored, parent)
    settle(node)

    # The linked one may have run or not; either way both are gone.
    assert list(node.processes) == [probe.pid]
    assert ran
    assert_receive(probe, kind="EXIT")


def test_08_a_kill_in_finally_lets_the_cleanup_finish(node: gr.Node, probe: Probe) -> None:
    release = Flag()
    cleaned: list[str] = []

    def main() -> None:
        try:
            gr.receive()
        finally:
            release.wait()
            cleaned.append("slowly")

    child = probe.do(gr.spawn_monitored, main)
    settle(node)
    node.terminate(child, "first")
    settle(node)
    node.terminate(child)
    settle(node)
    release.set()

    assert ends(probe, child).reason == "killed"
    assert cleaned == ["slowly"]


def test_09_a_second_signal_during_cleanup_is_ignored(node: gr.Node, probe: Probe) -> None:
    release = Flag()
    cleaned: list[str] = []

    def main() -> None:
        try:
            gr.receive()
        finally:
            release.wait()
            cleaned.append("whole")

    child = probe.do(gr.spawn_monitored, main)
    peer = node.spawn(wait)
    node.link(node.processes[child], node.processes[peer])
    settle(node)
    node.terminate(child, "first")
    settle(node)
    node.terminate(child, "second")
    node.terminate(peer, "third")
    settle(node)
    release.set()

    assert ends(probe, child).reason == "first"
    assert cleaned == ["whole"]


def test_10_a_kill_during_cleanup_changes_the_reason(node: gr.Node, probe: Probe) -> None:
    """To a process already ending only a kill matters, and its reason becomes `killed`."""
    release = Flag()

    def main() -> None:
        try:
            gr.receive()
        finally:
            release.wait()

    child = probe.do(gr.spawn_linked_monitored, main)
    settle(node)
    node.terminate(child, "first")
    settle(node)
    node.terminate(child)
    release.set()

    assert ends(probe, child).reason == "killed"
    assert assert_receive(probe, kind="LINK_DOWN").result.reason == "killed"


def test_11_an_exception_in_cleanup_is_logged_and_the_first_reason_kept(
    node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    """The first reason wins."""

    def main() -> None:
        try:
            gr.receive()
        finally:
            raise ValueError("cleanup")

    child = probe.do(gr.spawn_monitored, main)
    settle(node)
    node.terminate(child, "first")

    assert ends(probe, child).reason == "first"
    assert "ValueError: cleanup" in caplog.text


def test_11_exec_reports_the_first_reason_too(node: gr.Node, probe: Probe) -> None:
    def main() -> None:
        try:
            gr.exit("first")
        finally:
            raise ValueError("cleanup")

    with pytest.raises(gr.ProcessFailed, match="first"):
        probe.do(gr.exec, main)


CALLS: list[Callable[[], object]] = [
    gr.pid,
    gr.receive,
    gr.inbox,
    gr.events,
    lambda: gr.receive("topic", timeout=1),
    lambda: gr.send("probe", "topic"),
    lambda: gr.send_after(0, "probe", "topic"),
    lambda: gr.spawn(wait),
    lambda: gr.exec(wait),
    lambda: gr.call("probe", "topic"),
    lambda: gr.register("again"),
    lambda: gr.monitor("probe"),
    lambda: gr.link("probe"),
    lambda: gr.cancel("probe"),
    lambda: gr.terminate("probe"),
    lambda: gr.exit(),
    lambda: gr.reply(gr.Message("t")),
]


def test_12_who_swallows_its_ending_meets_it_at_every_call(node: gr.Node, probe: Probe) -> None:
    """it cannot send, spawn, register."""
    probe.do(gr.register, "probe")
    raised: list[str] = []

    def main() -> None:
        box, channel = gr.inbox(), gr.events()
        gr.send(gr.pid(), "left")
        more = [box.receive, box.get_nowait, box.__next__, channel.receive, channel.get_nowait]
        try:
            wait_for_ever()
        except BaseException:
            for call in [*CALLS, *more]:
                try:
                    call()  # type: ignore[operator]
                except gr.ProcessExit as error:
                    raised.append(error.reason)

    child = probe.do(gr.spawn_monitored, main)
    settle(node)
    node.terminate(child, "boom")

    assert ends(probe, child).reason == "boom"
    assert raised == ["boom"] * (len(CALLS) + 5)
    assert_nothing(probe)


@pytest.mark.parametrize("name", ["receive", "inbox", "iteration", "events", "send", "now"])
def test_12_who_goes_on_in_a_loop_all_the_same_lets_others_run(
    node: gr.Node, probe: Probe, name: str
) -> None:
    """nothing a process does stops the supervisor greenlet."""
    is_over = Flag()
    noticed: list[str] = []

    def main() -> None:
        box, events = gr.inbox(), gr.events()
        calls: dict[str, Callable[[], object]] = {
            "receive": gr.receive,
            "inbox": box.receive,
            "iteration": box.__next__,
            "events": events.receive,
            "send": partial(gr.send, probe.pid, "topic"),
            "now": box.get_nowait,
        }
        try:
            wait_for_ever()
        except BaseException:
            for _ in range(1_000_000):
                if is_over.is_set():
                    noticed.append(name)
                    return
                with suppress(gr.ProcessExit):
                    calls[name]()
            raise AssertionError("nobody else has run") from None

    child = probe.do(gr.spawn_monitored, main)
    settle(node)
    node.terminate(child, "boom")
    gevent.spawn_later(0.01, is_over.set)

    assert ends(probe, child).reason == "boom"
    assert noticed == [name]


def test_12_a_channel_kept_over_ones_own_exit_brings_nobody_back(probe: Probe) -> None:
    def main() -> None:
        box = gr.inbox()
        try:
            gr.exit("boom")
        except gr.ProcessExit:
            box.receive()

    assert ends(probe, probe.do(gr.spawn_monitored, main)).reason == "boom"


def test_13_who_swallows_and_spins_is_reported_and_left_behind(
    node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
) -> None:
    """nothing a process does stops the supervisor greenlet."""
    node.grace = 0.001
    release = Flag()
    late: list[object] = []

    def main() -> None:
        while not release.is_set():
            try:
                gevent.sleep(0)
            except BaseException:
                continue
        try:
            gr.send(probe.pid, "from the dead")
        except gr.ProcessExit as error:
            late.append(error.reason)

    child = probe.do(gr.spawn_linked_monitored, main)
    settle(node)
    node.terminate(child)

    assert ends(probe, child).reason == "killed"
    assert assert_receive(probe, kind="LINK_DOWN").result.reason == "killed"
    assert f"{child}" in caplog.text
    release.set()
    wait_for(lambda: late)
    assert late == ["killed"]
    assert_nothing(probe)


def test_14_a_target_that_ends_while_it_is_being_monitored_gives_one_exit(
    node: gr.Node, probe: Probe
) -> None:
    def main(reason: str) -> None:
        child = gr.spawn(wait)
        if reason == "boom":
            gr.monitor(child)
        gr.terminate(child, "boom")
        if reason == "noproc":
            gr.monitor(child)
        event = gr.receive()
        assert isinstance(event, gr.Exit)
        assert event.result.reason == reason
        with pytest.raises(gr.Timeout):
            gr.receive(timeout=0.001)

    for reason in ("boom", "noproc"):
        node.run(main, reason)


def test_15_a_hundred_thousand_monitors_fire_once_each(node: gr.Node, probe: Probe) -> None:
    target = node.spawn(wait)
    watched = node.spawn(wait)

    def monitor_all() -> None:
        for _ in range(100_000):
            gr.monitor(target)

    probe.do(monitor_all)
    many = node.processes[target]
    for _ in range(100_000):
        node.monitor(many, watched)
    node.terminate(target)
    wait_for(lambda: len(probe.items) == 100_000, timeout=30)

    assert len({event.ref for event in probe.items}) == 100_000  # type: ignore[union-attr]
    assert len(node.topology) == 0
    probe.items.clear()
    node.terminate(watched)


def test_16_unmonitor_flushes_an_exit_behind_10_000_messages(node: gr.Node) -> None:
    def main() -> None:
        target = gr.spawn(wait)
        ref = gr.monitor(target)
        for _ in range(5_000):
            gr.send(gr.pid(), "noise")
        gr.terminate(target)
        other = gr.spawn_monitored(lambda: None)
        for _ in range(4_999):
            gr.send(gr.pid(), "noise")
        wait_for(lambda: len(gr.events()) == 2)

        assert gr.unmonitor(ref) is False

        assert [event.pid for event in [gr.events().get_nowait()]] == [other]  # type: ignore[union-attr]
        assert len(gr.events()) == 0
        assert len(gr.inbox()) == 9_999

    node.run(main)


def test_17_unlink_while_the_ending_of_the_peer_is_pending(node: gr.Node, probe: Probe) -> None:
    def main() -> None:
        child = gr.spawn_linked_monitored(wait)
        gr.terminate(child, "boom")
        gr.unlink(child)

    probe.do(main)

    assert assert_receive(probe, kind="EXIT").result.reason == "boom"
    assert_nothing(probe)


def test_18_unlink_relink_and_the_late_ending(node: gr.Node, probe: Probe) -> None:
    def alive() -> None:
        child = gr.spawn_linked(wait)
        gr.unlink(child)
        gr.link(child)
        gr.terminate(child, "boom")

    def dead() -> None:
        child = gr.spawn_linked(wait)
        gr.terminate(child, "boom")
        gr.unlink(child)
        gr.link(child)

    probe.do(alive)
    assert assert_receive(probe, kind="LINK_DOWN").result.reason == "boom"
    probe.do(dead)
    assert assert_receive(probe, kind="LINK_DOWN").result.reason == "noproc"
    assert_nothing(probe)


def test_19_a_trap_toggled_around_the_signal(node: gr.Node, probe: Probe) -> None:
    def trapped_in_time() -> None:
        child = gr.spawn_linked(wait)
        gr.terminate(child, "boom")
        gr.set_options(trap_links=True)
        assert gr.receive().kind == "LINK_DOWN"  # type: ignore[union-attr]
        gr.set_options(trap_links=False)

    def untrapped_in_time() -> None:
        gr.set_options(trap_links=True)
        child = gr.spawn_linked(wait)
        gr.terminate(child, "boom")
        gr.set_options(trap_links=False)
        gr.receive()

    def kept_in_the_queue() -> None:
        gr.set_options(trap_links=True)
        gr.terminate(gr.spawn_linked_monitored(wait), "boom")
        assert gr.receive().kind == "EXIT"  # type: ignore[union-attr]
        gr.set_options(trap_links=False)
        assert gr.receive().kind == "LINK_DOWN"  # type: ignore[union-attr]

    node.run(trapped_in_time)
    with pytest.raises(gr.ProcessFailed, match="boom"):
        node.run(untrapped_in_time)
    node.run(kept_in_the_queue)


def test_20_a_message_that_comes_with_the_deadline_is_not_lost(node: gr.Node) -> None:
    def main() -> int:
        got = 0
        for _ in range(200):
            gr.send_after(0.0002, gr.pid(), "topic")
            try:
                gr.receive(timeout=0.0002)
            except gr.Timeout:
                gr.receive(timeout=30)
            got += 1
        assert len(gr.inbox()) == 0
        return got

    assert node.run(main) == 200


def test_21_a_gevent_timeout_around_receive(node: gr.Node, probe: Probe) -> None:
    def main() -> None:
        with pytest.raises(gevent.Timeout), gevent.Timeout(0.001):
            gr.receive(timeout=60)
        gr.send(gr.pid(), "topic")
        assert gr.receive().topic == "topic"  # type: ignore[union-attr]
        with pytest.raises(gr.Timeout):
            gr.receive(timeout=0.001)

    node.run(main)


def test_21_a_stale_entry_of_the_run_queue_wakes_nobody_elsewhere(node: gr.Node) -> None:
    def main() -> str:
        hub = gevent.get_hub()
        me, here = gr.pid(), gevent.getcurrent()

        def both() -> None:
            # READY and in the run queue, then out of receive by an exception: now it is stale.
            node.send(me, "topic")
            here.throw(gevent.Timeout(0))

        hub.loop.run_callback(both)
        with pytest.raises(gevent.Timeout):
            gr.receive()
        settle(node)
        return gr.receive(timeout=0).topic  # type: ignore[union-attr]

    assert node.run(main) == "topic"


def test_21_told_to_end_and_timed_out_at_once_it_ends_where_it_waits_next(
    node: gr.Node, probe: Probe
) -> None:
    ended: list[BaseException] = []

    def main() -> None:
        hub = gevent.get_hub()
        me, here = gr.pid(), gevent.getcurrent()

        def both() -> None:
            node.terminate(me, "boom")
            here.throw(gevent.Timeout(0))

        hub.loop.run_callback(both)
        with pytest.raises(gevent.Timeout):
            gr.receive()
        try:
            wait_for_ever()
        except BaseException as error:
            ended.append(error)
            raise

    child = probe.do(gr.spawn_monitored, main)

    assert ends(probe, child).reason == "boom"
    assert [type(each) for each in ended] == [gr.ProcessExit]


def blocked_in_recv() -> None:
    one, other = gevent.socket.socketpair()
    with one, other:
        one.recv(1)


def blocked_in_a_lock() -> None:
    Semaphore(0).acquire()


def blocked_in_a_flag() -> None:
    Flag().wait()


@pytest.mark.parametrize("blocked", [blocked_in_recv, blocked_in_a_lock, blocked_in_a_flag])
def test_22_blocked_in_gevent_it_ends_at_once(
    node: gr.Node, probe: Probe, blocked: Callable[[], None]
) -> None:
    child = probe.do(gr.spawn_monitored, blocked)
    settle(node)

    node.terminate(child)

    assert ends(probe, child).reason == "killed"


def test_22_blocked_in_the_thread_pool_it_ends_at_once(node: gr.Node, probe: Probe) -> None:
    release = NativeFlag()
    pool = gevent.get_hub().threadpool

    child = probe.do(gr.spawn_monitored, lambda: pool.apply(release.wait))
    settle(node)
    node.terminate(child)

    assert ends(probe, child).reason == "killed"
    release.set()
    pool.join()


def test_23_exit_from_inside_a_nested_call(probe: Probe) -> None:
    def deep(levels: int) -> None:
        if levels:
            deep(levels - 1)
        gr.exit("deep")

    assert ends(probe, probe.do(gr.spawn_monitored, deep, 100)).reason == "deep"


def test_24_a_process_that_blocks_in_gevent_stops_nobody(node: gr.Node, probe: Probe) -> None:
    blocked = node.spawn(wait_for_ever)
    probe.do(gr.spawn_monitored, lambda: [gr.exec(lambda: 1) for _ in range(100)])

    assert assert_receive(probe, kind="EXIT").result.value == [1] * 100
    node.terminate(blocked)


def test_24_busy_processes_starve_no_timer(node: gr.Node, probe: Probe) -> None:
    def spin(peer: str) -> None:
        while True:
            gr.send(peer, "ball")
            gr.receive()

    pids = [node.spawn(spin, "two", name="one"), node.spawn(spin, "one", name="two")]

    probe.do(gr.send_after, "1ms", probe.pid, "tick")

    assert assert_receive(probe, topic="tick", timeout=30)
    for pid in pids:
        node.terminate(pid)


def test_29_a_name_can_be_registered_in_the_handler_of_its_owners_exit(
    node: gr.Node, probe: Probe
) -> None:
    """a watcher that got EXIT finds the name free."""

    def main() -> None:
        for _ in range(3):
            old = gr.spawn_monitored(gr.exit, "boom", name="name")
            event = gr.receive()
            assert isinstance(event, gr.Exit)
            assert event.pid == old
        gr.register("name")
        assert gr.whereis("name") == gr.pid()

    node.run(main)


def test_31_a_server_that_dies_after_its_reply_has_replied(node: gr.Node) -> None:
    def server() -> None:
        gr.reply(gr.inbox().receive(), "answer")
        gr.exit("boom")

    assert node.run(lambda: gr.call(gr.spawn(server), "ask")) == "answer"


def test_33_ended_from_the_hub(node: gr.Node, probe: Probe) -> None:
    child = probe.do(gr.spawn_monitored, wait_for_ever)
    settle(node)

    gevent.get_hub().loop.run_callback(node.terminate, child)

    assert ends(probe, child).reason == "killed"


@pytest.mark.parametrize(
    "reason", ["x" * 1_000_000, "with\nlines and \x00", "€" * 10, "{n@h|1}", ""]
)
def test_36_a_strange_reason_travels_unchanged(probe: Probe, reason: str) -> None:
    probe.do(gr.spawn_linked_monitored, gr.exit, reason)

    assert assert_receive(probe, kind="EXIT").result.reason == reason
    assert assert_receive(probe, kind="LINK_DOWN").result.reason == reason


class Spiteful(Exception):
    """Raises wherever it can."""

    def __str__(self) -> str:
        raise ValueError("no text")

    def __eq__(self, other: object) -> bool:
        raise ValueError("no comparison")

    __hash__ = Exception.__hash__

    def __reduce__(self) -> Any:
        raise ValueError("no pickle")


def test_36_a_spiteful_exception_ends_its_process_like_any_other(
    node: gr.Node, probe: Probe
) -> None:
    def main() -> None:
        raise Spiteful

    result = ends(probe, probe.do(gr.spawn_monitored, main))

    assert result.error is not None
    assert result.error.type == "Spiteful"
    assert "its text cannot be had" in result.reason
    with pytest.raises(Spiteful):
        node.run(main)


@pytest.mark.parametrize("reason", [[], None, 7])
def test_36_a_reason_that_is_no_text_is_refused_and_a_raised_one_survived(
    probe: Probe, reason: Any
) -> None:
    with pytest.raises(TypeError, match="must be text"):
        probe.do(gr.terminate, probe.pid, reason)

    def main() -> None:
        raise gr.ProcessExit(reason)

    assert not ends(probe, probe.do(gr.spawn_monitored, main)).is_normal


def test_36_a_log_handler_that_raises_does_not_keep_a_crash_from_being_told(
    probe: Probe,
) -> None:
    class Broken(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise gr.ProcessExit("thrown while logging")

    handler = Broken()
    logging.getLogger("greenrelay.runtime").addHandler(handler)
    try:
        result = ends(probe, probe.do(gr.spawn_monitored, lambda: 1 / 0))
    finally:
        logging.getLogger("greenrelay.runtime").removeHandler(handler)

    assert result.reason.startswith("ZeroDivisionError")


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_37_ctrl_c_inside_a_process_ends_it_and_reaches_the_main_greenlet(
    node: gr.Node, probe: Probe, error: type[BaseException]
) -> None:
    def main() -> None:
        raise error

    child = node.spawn(main)
    node.monitor(node.processes[probe.pid], child)
    with pytest.raises(error):
        wait_for(lambda: False)

    assert ends(probe, child).reason == error.__name__


def test_37_the_node_goes_on_after_ctrl_c_in_its_supervisor(node: gr.Node, probe: Probe) -> None:
    class Struck(Topology):
        """Tables with Ctrl-C in them."""

        def concerns(self, pid: gr.Pid) -> bool:
            return True

        def ended(self, pid: gr.Pid) -> Any:
            node.topology = topology
            raise KeyboardInterrupt

    topology = node.topology
    probe.do(gr.register, "probe")
    lost = node.spawn(wait, name="lost")
    settle(node)
    node.topology = Struck()
    node.terminate(lost)
    with pytest.raises(KeyboardInterrupt):
        wait_for(lambda: False)

    child = probe.do(gr.spawn_monitored, lambda: 7)

    assert ends(probe, child).value == 7


def test_38_a_socket_closed_during_a_wait_ends_only_the_process_that_waits(
    node: gr.Node, probe: Probe
) -> None:
    one, other = gevent.socket.socketpair()

    def main() -> bytes:
        return one.recv(1)

    child = probe.do(gr.spawn_monitored, main)
    settle(node)
    one.close()

    assert ends(probe, child).error is not None
    other.close()


def test_38_a_caller_that_is_ended_during_a_call_leaves_nothing(
    node: gr.Node, probe: Probe
) -> None:
    def server() -> None:
        message = gr.inbox().receive()
        gr.receive("go on")
        gr.send(probe.pid, "replied", gr.reply(message, "late"))

    pid = node.spawn(server)
    caller = node.spawn(lambda: gr.call(pid, "ask"))
    settle(node)
    node.terminate(caller)
    settle(node)
    assert not node.processes[pid].waiters
    gr.send(pid, "go on")

    assert assert_receive(probe, topic="replied").payload is False


def test_39_a_node_with_10_000_live_processes_stops() -> None:
    ended: list[int] = []

    def polite(number: int) -> None:
        for _ in gr.inbox():
            pass
        ended.append(number)

    node = gr.Node("big")
    for number in range(10_000):
        node.spawn(polite, number)
    settle(node)

    node.shutdown(30)

    assert len(ended) == 10_000
    assert not node.processes
    assert len(node.names) == len(node.topology) == len(node.supervisor) == 0


def test_39_ten_thousand_that_do_not_listen_are_killed() -> None:
    node = gr.Node("deaf")
    for _ in range(10_000):
        node.spawn(wait_for_ever)
    settle(node)

    node.shutdown(0.001)

    assert not node.processes
