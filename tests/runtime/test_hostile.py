"""What an enemy would try: races, half-done things, leftovers. Each was a bug or could be one."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
import textwrap
import weakref
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Any

import gevent
import pytest
from gevent.event import Event as Flag
from greenlet import getcurrent

import greenrelay as gr
from greenrelay.runtime.process import Process
from greenrelay.runtime.task import READY, Task
from greenrelay.runtime.timers import Timers
from greenrelay.runtime.waiter import Waiter
from tests.probe import Probe, assert_nothing, assert_receive, settle, wait, wait_for, wait_for_ever
from tests.threads import NativeThread


def in_thread(function: Callable[[], Any]) -> Any:
    """Run ``function`` in a thread of its own while this one runs its hub; return its value."""
    done = Flag()
    found: list[Any] = []
    loop = gevent.get_hub().loop

    def run() -> None:
        try:
            found.append(function())
        except BaseException as error:
            found.append(error)
        loop.run_callback_threadsafe(done.set)

    thread = NativeThread(run)
    thread.start()
    assert done.wait(30)
    thread.join()
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


class TestThreads:
    def test_a_message_from_another_thread_arrives(self, probe: Probe) -> None:
        assert in_thread(lambda: probe.node.send(probe.pid, "topic", 7)) is True
        assert in_thread(lambda: gr.send(probe.pid, "topic", 8)) is True

        assert [assert_receive(probe).payload for _ in range(2)] == [7, 8]

    def test_what_cannot_arrive_is_said_at_once(self, probe: Probe) -> None:
        dead = probe.do(gr.exec, gr.pid)

        assert in_thread(lambda: gr.send(dead, "topic")) is False
        with pytest.raises(gr.UnknownName):
            in_thread(lambda: gr.send("nobody", "topic"))
        with pytest.raises(gr.ReservedTopic):
            in_thread(lambda: gr.send(probe.pid, "@topic"))
        with pytest.raises(gr.ReservedTopic):
            in_thread(lambda: gr.send(probe.pid, None))  # type: ignore[arg-type]

    def test_33_another_thread_can_end_a_process(self, node: gr.Node, probe: Probe) -> None:
        asleep = probe.do(gr.spawn_monitored, wait_for_ever)
        asked = probe.do(gr.spawn_monitored, lambda: list(gr.inbox()))
        settle(node)

        assert in_thread(lambda: gr.terminate(asleep, "boom")) is True
        assert assert_receive(probe, kind="EXIT").result.reason == "boom"
        assert in_thread(lambda: gr.cancel(asked)) is True
        assert assert_receive(probe, kind="EXIT").result.value == []

    def test_another_thread_can_send_later_and_take_it_back(self, probe: Probe) -> None:
        in_thread(lambda: gr.send_after(0, probe.pid, "late"))

        assert assert_receive(probe).topic == "late"
        assert in_thread(lambda: gr.send_after(3600, probe.pid, "never").cancel()) is True

    def test_another_thread_can_look(self, probe: Probe) -> None:
        probe.do(gr.register, "probe")

        assert in_thread(lambda: gr.whereis("probe")) == probe.pid
        assert [each.pid for each in in_thread(gr.processes)] == [probe.pid]

    def test_another_thread_cannot_spawn(self, node: gr.Node) -> None:
        node.run(lambda: None)

        for call in (lambda: node.spawn(wait), lambda: gr.spawn(wait), lambda: node.run(wait)):
            with pytest.raises(gr.NotInProcess, match="this thread is not its node's"):
                in_thread(call)

        assert not node.processes

    def test_a_thread_may_have_a_node_of_its_own(self) -> None:
        def main() -> object:
            with gr.Node("threaded") as node:
                value = node.run(lambda: gr.exec(lambda: 7))
            gevent.get_hub().destroy()
            return value

        assert in_thread(main) == 7


def run_script(script: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        # A runner in the background may have it ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


class TestOtherWorlds:
    def test_a_patched_interpreter_knows_its_own_thread(self) -> None:
        out = run_script("""
            from gevent import monkey
            monkey.patch_all()
            import gevent, threading, greenrelay as gr
            from greenrelay.testing import wait_for

            got = []
            with gr.Node() as node:
                def echo():
                    for message in gr.inbox():
                        print(message.payload)
                        got.append(message)
                pid = node.spawn(echo)
                gevent.spawn(lambda: print(node.is_foreign_thread(), gr.send(pid, "t", 1))).join()
                thread = threading.Thread(target=lambda: gr.spawn(gr.send, pid, "t", 2))
                thread.start()
                thread.join()
                gevent.get_hub().threadpool.apply(lambda: gr.send(pid, "t", 3))
                wait_for(lambda: len(got) == 3)
        """)

        assert out == "False True\n1\n2\n3\n"

    def test_a_forked_child_is_another_node_and_nobody_in_it_runs(self) -> None:
        out = run_script("""
            import os, gc, gevent, greenrelay as gr
            from greenrelay.testing import wait_for

            got = []

            def loop():
                try:
                    for message in gr.inbox():
                        got.append(message)
                        print("parent" if os.getpid() == parent else "CHILD", flush=True)
                finally:
                    assert os.getpid() == parent, "unwound in the child"

            def fork():
                gr.send(pid, "before")
                gr.send_after(0.001, pid, "timer")
                child = os.fork()
                if child:
                    wait_for(lambda: len(got) == 2)
                    assert os.waitpid(child, 0)[1] == 0
                    return
                gevent.reinit()
                try:
                    gr.pid()
                except gr.NotInProcess:
                    pass
                assert node.id != old
                assert not node.processes and gr.whereis("loop") is None
                assert gr.send(pid, "after") is False
                assert [host.count for host in node.hosts.values()] == [0]
                gc.collect()
                value = node.run(lambda: gr.exec(lambda: 7))
                # The parent's timer would be due within this time: here it must not fire.
                gevent.sleep(0.01)
                gc.collect()
                os._exit(0 if value == 7 else 1)

            parent = os.getpid()
            with gr.Node() as node:
                old = node.id
                pid = node.spawn(loop, name="loop")
                node.run(fork)
                assert node.id == old
        """)

        assert out == "parent\nparent\n"

    def test_a_node_made_before_a_fork_serves_in_the_child(self) -> None:
        out = run_script("""
            import os, greenrelay as gr

            node = gr.Node("pre")
            old = node.id
            child = os.fork()
            if not child:
                assert node.id != old and node.id.startswith("pre.")
                with node:
                    assert node.run(lambda: gr.exec(gr.pid)).node == node.id
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
            assert node.id == old
            node.shutdown()
            print("done")
        """)

        assert out == "done\n"

    def test_33_an_interpreter_that_ends_with_live_processes_says_nothing(self) -> None:
        out = run_script("""
            import greenrelay as gr
            from greenrelay.testing import settle

            node = gr.Node()
            for _ in range(3):
                node.spawn(gr.receive, name=None)
            settle(node)
            print("end")
        """)

        assert out == "end\n"

    def test_33_a_signal_handler_can_end_a_process(self) -> None:
        out = run_script("""
            import os, signal, gevent, greenrelay as gr
            from greenrelay.testing import settle

            def main():
                child = gr.spawn_monitored(gevent.sleep, 60, name="child")
                gevent.signal_handler(signal.SIGUSR1, lambda: gr.terminate("child", "signal"))
                settle(node)
                os.kill(os.getpid(), signal.SIGUSR1)
                print(gr.receive(timeout=30).result.reason)

            with gr.Node() as node:
                node.run(main)
        """)

        assert out == "signal\n"

    def test_37_a_real_ctrl_c_ends_a_script_in_order(self) -> None:
        out = run_script("""
            import os, signal, gevent, greenrelay as gr
            from greenrelay.testing import settle

            def tidy():
                for message in gr.inbox():
                    pass
                print("tidied")

            def main():
                gr.spawn(tidy)
                settle(node)
                os.kill(os.getpid(), signal.SIGINT)
                gevent.sleep(3600)

            try:
                with gr.Node() as node:
                    node.run(main)
            except KeyboardInterrupt:
                print("interrupted", len(node.processes))
        """)

        assert out == "tidied\ninterrupted 0\n"


def raising_task(error: BaseException) -> Task:
    """A task that raises in the run queue itself, when it is to be resumed."""

    def resume() -> None:
        raise error

    task = Task(READY)
    task.greenlet = getcurrent()
    task.resume = resume
    return task


class TestScheduler:
    def test_ctrl_c_in_the_run_queue_itself_does_not_stop_it(
        self, node: gr.Node, probe: Probe
    ) -> None:
        settle(node)
        node.scheduler.enqueue(raising_task(KeyboardInterrupt()))
        kept = node.spawn(lambda: gr.send(probe.pid, "ran"))

        with pytest.raises(KeyboardInterrupt):
            wait_for(lambda: False)

        assert assert_receive(probe).sender == kept

    def test_an_error_in_the_run_queue_is_logged_and_the_others_run(
        self, node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
    ) -> None:
        settle(node)
        node.scheduler.enqueue(raising_task(ValueError("bad task")))
        node.spawn(lambda: gr.send(probe.pid, "ran"))

        assert assert_receive(probe).topic == "ran"
        assert "bad task" in caplog.text

    def test_a_gevent_kill_of_a_process_is_a_kill(self, node: gr.Node, probe: Probe) -> None:
        child = probe.do(gr.spawn_monitored, wait)
        settle(node)
        target = node.processes[child].greenlet

        gevent.kill(target)  # type: ignore[arg-type]

        assert assert_receive(probe, kind="EXIT").result.reason == "killed"

    def test_another_greenlet_may_not_wait_on_the_inbox_of_a_process(self, node: gr.Node) -> None:
        def main() -> None:
            box = gr.inbox()

            def steal() -> None:
                with pytest.raises(gr.NotInProcess, match="itself may wait"):
                    box.receive()

            gevent.spawn(steal).get()
            gr.send(gr.pid(), "topic")
            assert box.receive(timeout=1).topic == "topic"

        node.run(main)

    def test_a_task_killed_while_ready_runs_no_further_line(
        self, node: gr.Node, probe: Probe
    ) -> None:
        ran: list[object] = []

        def main() -> None:
            ran.append(gr.receive())

        child = probe.do(gr.spawn_monitored, main)
        settle(node)
        gr.send(child, "topic")
        node.terminate(child, "boom")
        gr.send(child, "topic")

        assert assert_receive(probe, kind="EXIT").result.reason == "boom"
        assert ran == []


class TestReaper:
    def test_a_process_told_late_keeps_its_grace(self, node: gr.Node, probe: Probe) -> None:
        node.grace = 0
        cleaned: list[bool] = []

        def main() -> None:
            try:
                gr.receive()
            finally:
                cleaned.append(True)

        for _ in range(20):
            probe.do(gr.spawn_monitored, main)
        settle(node)
        for pid in tuple(node.processes):
            if pid != probe.pid:
                node.terminate(pid, "boom")

        reasons = [assert_receive(probe, kind="EXIT").result.reason for _ in range(20)]
        assert reasons == ["boom"] * 20
        assert cleaned == [True] * 20
        assert node.take_place(None).count == 1

    def test_it_keeps_nothing_of_who_has_ended(self, node: gr.Node) -> None:
        for _ in range(100):
            with pytest.raises(gr.ProcessFailed):
                node.run(gr.exit, "boom")

        assert len(node.reaper) == 0

    def test_one_that_was_given_up_ends_once(
        self, node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
    ) -> None:
        node.grace = 0.001
        release = Flag()

        def main() -> None:
            try:
                wait_for_ever()
            finally:
                release.wait()

        child = probe.do(gr.spawn_monitored, main)
        settle(node)
        node.terminate(child, "boom")

        assert assert_receive(probe, kind="EXIT").result.reason == "boom"
        assert node.take_place(None).count == 1
        release.set()
        settle(node)
        assert node.take_place(None).count == 1
        assert_nothing(probe)
        assert "did not end within 0.001 s of being told to (boom)" in caplog.text

    def test_a_shutdown_leaves_the_stuck_behind(self, caplog: pytest.LogCaptureFixture) -> None:
        release = Flag()
        node = gr.Node("stuck", grace=0.001)

        def refuse() -> None:
            while not release.is_set():
                try:
                    release.wait()
                except BaseException:
                    continue

        node.spawn(refuse)
        settle(node)
        node.shutdown(0.001)

        assert not node.processes
        assert "did not end within" in caplog.text
        release.set()


class Sleeper:
    def __init__(self) -> None:
        self.deadline: float | None = None
        self.alarm: Any = None
        self.rung = 0

    def deadline_passed(self) -> None:
        self.rung += 1


class TestTimers:
    def test_calls_happen_in_order_of_time_and_then_of_making(self) -> None:
        timers = Timers()
        called: list[str] = []
        for name, delay in (("c", 0.002), ("a", 0.0), ("b", 0.001), ("d", 0.002)):
            timers.call_after(delay, partial(called.append, name))

        wait_for(lambda: len(called) == 4)

        assert called == ["a", "b", "c", "d"]
        timers.close()

    def test_a_call_that_raises_stops_no_other(self, caplog: pytest.LogCaptureFixture) -> None:
        timers = Timers()
        called: list[bool] = []
        timers.call_after(0, lambda: 1 / 0)
        timers.call_after(0, lambda: called.append(True))

        wait_for(lambda: called)

        assert "a timer's call raised" in caplog.text
        timers.close()

    def test_ctrl_c_in_a_call_stops_no_other(self) -> None:
        timers = Timers()
        called: list[bool] = []

        def strike() -> None:
            raise KeyboardInterrupt

        timers.call_after(0, strike)
        timers.call_after(0.001, lambda: called.append(True))
        with pytest.raises(KeyboardInterrupt):
            wait_for(lambda: False)

        wait_for(lambda: called)
        timers.close()

    def test_a_deadline_that_moves_later_rings_once(self) -> None:
        timers, sleeper = Timers(), Sleeper()
        start = monotonic()
        timers.wake_at(sleeper, start + 0.001)
        timers.wake_at(sleeper, start + 0.003)

        wait_for(lambda: sleeper.rung)

        assert monotonic() >= start + 0.003
        assert sleeper.alarm is None
        timers.close()

    def test_a_deadline_that_moves_earlier_rings_early_and_once(self) -> None:
        timers, sleeper = Timers(), Sleeper()
        start = monotonic()
        timers.wake_at(sleeper, start + 3600)
        timers.wake_at(sleeper, start + 0.001)

        wait_for(lambda: sleeper.rung)

        assert sleeper.rung == 1
        timers.close()

    def test_a_deadline_that_was_unset_does_not_ring(self) -> None:
        timers, sleeper = Timers(), Sleeper()
        rung: list[bool] = []
        timers.wake_at(sleeper, monotonic() + 0.001)
        sleeper.deadline = None
        timers.call_after(0.002, lambda: rung.append(True))

        wait_for(lambda: rung)

        assert sleeper.rung == 0
        timers.close()

    def test_a_process_that_ended_is_not_kept_until_its_deadline(self, node: gr.Node) -> None:
        def main() -> None:
            gr.send(gr.pid(), "topic")
            gr.receive(timeout=3600)
            child = gr.spawn(lambda: gr.reply(gr.inbox().receive()))
            gr.call(child, "topic", timeout=3600)

        pid = node.spawn(main)
        wait_for(lambda: not node.processes)
        settle(node)
        gc.collect()

        assert not [each for each in gc.get_objects() if is_process(each, pid)]


def is_process(each: object, pid: gr.Pid) -> bool:
    return issubclass(type(each), Process) and each.pid == pid  # type: ignore[attr-defined]


class TestWaiters:
    def test_only_the_first_answer_counts(self) -> None:
        woken: list[bool] = []
        waiter = Waiter(lambda: woken.append(True))

        assert waiter.answer(1) is True
        assert waiter.answer(2) is False
        assert waiter.fail(ValueError()) is False
        assert waiter.down(gr.Result(), None) is False

        assert (waiter.value, waiter.error, woken) == (1, None, [True])

    def test_a_dropped_waiter_takes_nothing(self) -> None:
        waiter = Waiter(lambda: 1 / 0)
        waiter.drop()

        assert waiter.answer(1) is False
        assert waiter.is_done is False

    def test_calls_leave_no_waiters_at_their_target(self, node: gr.Node, probe: Probe) -> None:
        def server() -> None:
            for message in gr.inbox():
                if message.topic == "answer":
                    gr.reply(message)

        pid = node.spawn(server)

        def caller() -> None:
            gr.call(pid, "answer")
            with pytest.raises(gr.Timeout):
                gr.call(pid, "ignore", timeout=0.001)
            with pytest.raises(gevent.Timeout), gevent.Timeout(0.001):
                gr.call(pid, "ignore")
            with pytest.raises(gr.InvalidDuration):
                gr.call(pid, "ignore", timeout="soon")

        node.run(caller)

        assert not node.processes[pid].waiters
        node.terminate(pid)

    def test_one_waiter_that_raises_keeps_no_exit_from_anybody(
        self, node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
    ) -> None:
        child = probe.do(gr.spawn_monitored, wait)
        node.processes[child].waiters = {Waiter(lambda: 1 / 0): None}

        node.terminate(child)

        assert assert_receive(probe, kind="EXIT").pid == child
        assert "telling who waited for it failed" in caplog.text

    def test_a_kind_of_process_that_raises_keeps_no_exit_from_the_others(
        self, node: gr.Node, probe: Probe, caplog: pytest.LogCaptureFixture
    ) -> None:
        class Bad(Process):
            __slots__ = ()

            def deliver_event(self, event: object) -> None:
                raise ValueError("bad kind")

        place = node.take_place(None)
        bad = Bad(node, place, node.new_pid(place), "bad")
        node.admit(bad)
        child = node.spawn(wait)
        node.monitor(bad, child)
        node.monitor(node.processes[probe.pid], child)

        node.terminate(child)

        assert assert_receive(probe, kind="EXIT").pid == child
        assert "bad kind" in caplog.text
        bad.finish(gr.Result())
        bad.finish(gr.Result())
        assert place.count == 1


class TestShutdown:
    def test_messages_and_replies_still_go_during_it(self) -> None:
        node = gr.Node()
        seen: list[object] = []

        def server() -> None:
            event = gr.events()
            for message in gr.inbox():
                gr.reply(message, "still here")
                return
            assert event

        def client(pid: gr.Pid) -> None:
            gr.receive()
            seen.append(gr.call(pid, "ask"))
            try:
                gr.spawn(wait)
            except gr.NodeStopped as error:
                seen.append(str(error))

        node.spawn(client, node.spawn(server))
        settle(node)
        node.shutdown(5)

        assert seen == ["still here", f"node {node.id!r} is shut down"]

    def test_after_it_nothing_is_taken(self) -> None:
        node = gr.Node()
        pid = node.spawn(lambda: list(gr.inbox()))
        node.shutdown()

        assert node.send(pid, "topic") is False
        assert node.terminate(pid) is False
        with pytest.raises(gr.NodeStopped):
            node.run(wait)

    def test_a_timer_of_a_stopped_node_fires_no_more(self) -> None:
        with gr.Node() as node:
            timer = node.send_after(0.001, "nobody", "topic")

        # It would be due within this time, and nothing tells that it did not fire.
        gevent.sleep(0.002)

        assert timer.cancel() is True

    def test_many_nodes_come_and_go(self) -> None:
        for _ in range(50):
            with gr.Node("x") as node:
                assert node.run(lambda: gr.exec(lambda: 7)) == 7


class TestMemory:
    def test_what_has_ended_is_gone(self, node: gr.Node) -> None:
        """no greenlet, monitor, link, name or group entry outlives its process; memory after a
        million spawns is flat."""

        def main(how: int) -> None:
            child = gr.spawn_linked_monitored(wait, name=f"child{how}")
            gr.set_options(trap_links=True)
            gr.send_after(3600, child, "never").cancel()
            (gr.terminate if how % 2 else gr.cancel)(child)
            assert gr.receive().kind == "EXIT"  # type: ignore[union-attr]

        def spawn_many() -> None:
            for how in range(500):
                gr.exec(main, how)

        node.run(spawn_many)
        settle(node)
        gc.collect()

        assert not node.processes
        assert len(node.names) == len(node.topology) == len(node.reaper) == 0
        assert [each for each in gc.get_objects() if issubclass(type(each), Process)] == []

    def test_a_crash_pins_no_frame(self, node: gr.Node) -> None:
        class Big:
            pass

        kept: list[weakref.ref[Big]] = []

        def main() -> None:
            big = Big()
            kept.append(weakref.ref(big))
            raise ValueError(big)

        pid = node.spawn(main)
        wait_for(lambda: pid not in node.processes)
        settle(node)
        gc.collect()

        assert kept[0]() is None
