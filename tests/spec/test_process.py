"""The rules of the page "Processes", each quoted by the test that holds it."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from typing import Any

import pytest
from gevent.event import Event as Flag

import greenrelay as gr
from greenrelay.runtime.host import Host
from tests.probe import Probe, assert_nothing, assert_receive, settle, wait, wait_for, wait_for_ever

# Entries and what they need. At the top, so that "module:callable" finds them.


def add(one: int, other: int = 0) -> int:
    return one + other


def crash(text: str = "boom") -> None:
    raise ValueError(text)


NOT_CALLABLE = 7
SELF = __name__


class TestEntries:
    def test_spawn_takes_a_callable(self, node: gr.Node) -> None:
        """`spawn` takes a callable or an id `namespace:name`."""
        assert node.run(add, 1, other=2) == 3

    def test_an_id_is_an_import_path_with_no_entry_at_all(self, node: gr.Node) -> None:
        """so `spawn("app.ws:handler", host="app:processes")` runs `handler` of `app/ws.py`."""
        assert node.run(f"{SELF}:add", 1, 2) == 3

    def test_declared_entries_come_first(self, node: gr.Node) -> None:
        """An id is looked up among the YAML entries first, then as an import path."""
        node.entries.declare(f"{SELF}:crash", f"{SELF}:add")
        node.entries.declare("app:add", f"{SELF}:add")

        assert node.run("app:add", 1, 2) == 3
        assert node.run(f"{SELF}:crash", 1, 2) == 3

    def test_a_redeclared_entry_is_looked_up_again(self, node: gr.Node) -> None:
        node.entries.declare("app:add", f"{SELF}:crash")
        with pytest.raises(TypeError):
            node.run("app:add", 1, 2, 3)

        node.entries.declare("app:add", f"{SELF}:add")

        assert node.run("app:add", 1, 2) == 3

    @pytest.mark.parametrize(
        ("entry", "why"),
        [
            ("no colon", "an id namespace:name or module:callable"),
            (f"{SELF}:", "an id namespace:name or module:callable"),
            (":add", "an id namespace:name or module:callable"),
            ("no.such.module:f", "there is no module 'no.such.module'"),
            (f"{SELF}:missing", "has no 'missing'"),
            (f"{SELF}:add.missing", "has no 'add.missing'"),
            (f"{SELF}:NOT_CALLABLE", "is not callable"),
            (7, "an entry is a callable or an id"),
        ],
    )
    def test_an_unknown_entry_says_what_is_missing(
        self, node: gr.Node, entry: object, why: str
    ) -> None:
        """`UnknownEntry`."""
        with pytest.raises(gr.UnknownEntry, match=why):
            node.spawn(entry)

    def test_an_error_of_the_imported_module_itself_goes_through(
        self, node: gr.Node, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "imports_nothing.py").write_text("import no_such_dependency\n")
        monkeypatch.syspath_prepend(tmp_path)

        with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
            node.spawn("imports_nothing:f")


class TestSpawn:
    def test_spawn_starts_a_process_and_returns_its_pid(self, probe: Probe) -> None:
        """start a process."""
        child = probe.do(gr.spawn, lambda: gr.send(probe.pid, "born", gr.pid()))

        assert assert_receive(probe, topic="born") == gr.Message("born", child, child)

    def test_relation_and_name_are_in_force_before_its_first_line(self, node: gr.Node) -> None:
        """relation and name are in force before its first line runs."""

        def child() -> gr.ProcessInfo | None:
            return gr.info(gr.pid())

        def main() -> None:
            child_pid = gr.spawn_linked_monitored(child, name="worker")
            event = gr.receive()
            assert isinstance(event, gr.Exit)
            seen = event.result.value
            assert isinstance(seen, gr.ProcessInfo)
            assert seen.pid == child_pid
            assert seen.names == ("worker",)
            assert seen.links == seen.monitored_by == (gr.pid(),)

        node.run(main)

    @pytest.mark.parametrize(
        ("function", "kinds"),
        [
            (gr.spawn, []),
            (gr.spawn_linked, ["LINK_DOWN"]),
            (gr.spawn_monitored, ["EXIT"]),
            (gr.spawn_linked_monitored, ["EXIT", "LINK_DOWN"]),
        ],
    )
    def test_the_four_forms(self, probe: Probe, function: Any, kinds: list[str]) -> None:
        """`spawn_linked`, `spawn_monitored`, `spawn_linked_monitored`: the same with the flags."""
        probe.do(function, gr.exit, "boom")

        assert [assert_receive(probe).kind for _ in kinds] == kinds
        assert_nothing(probe)

    def test_a_failed_spawn_leaves_no_trace(self, node: gr.Node, probe: Probe) -> None:
        """`UnknownEntry`, `UnknownHost`, `HostFull`, `NameTaken`."""
        node.add_host(Host("small", max_processes=0))
        probe.do(gr.register, "taken")

        with pytest.raises(gr.UnknownHost, match="known: processes, small"):
            probe.do(gr.spawn_linked, wait, host="missing")
        with pytest.raises(gr.HostFull) as full:
            probe.do(gr.spawn_linked, wait, host="small", name="free")
        with pytest.raises(gr.NameTaken) as taken:
            probe.do(gr.spawn_linked_monitored, wait, name="taken")
        with pytest.raises(ValueError, match="must be text"):
            probe.do(gr.spawn_linked, wait, name="")

        assert (full.value.host, full.value.limit) == ("small", 0)
        assert (taken.value.name, taken.value.owner) == ("taken", probe.pid)
        assert list(node.processes) == [probe.pid]
        assert len(node.topology) == 0
        assert gr.whereis("free") is None
        assert [host.count for host in node.hosts.values()] == [1, 0]

    def test_a_host_has_room_again_when_a_process_has_ended(self, node: gr.Node) -> None:
        """`process.host` entries bound their processes: `max_processes`."""
        node.add_host(Host("small", max_processes=1))

        first = node.spawn(wait, host="small")
        with pytest.raises(gr.HostFull):
            node.spawn(wait, host="small")
        node.terminate(first)
        wait_for(lambda: first not in node.processes)
        node.terminate(node.spawn(wait, host="small"))

    def test_the_pid_says_where_the_process_lives(self, node: gr.Node) -> None:
        """`node` names one running OS process; `host` is a `process.host` entry id."""
        node.add_host(Host("app:processes"), default=True)
        pid = node.spawn(wait)

        assert (pid.node, pid.host) == (node.id, "app:processes")
        node.terminate(pid)

    def test_a_link_outside_a_process_starts_nothing(self, node: gr.Node) -> None:
        with pytest.raises(gr.NotInProcess):
            gr.spawn_linked(wait)

        assert not node.processes


class TestExec:
    def test_it_returns_the_value(self, probe: Probe) -> None:
        """`exec`: spawn, wait, return its value."""
        assert probe.do(gr.exec, add, 1, other=2) == 3

    def test_its_exception_is_raised_here(self, probe: Probe) -> None:
        """its exception is raised here."""
        with pytest.raises(ValueError, match="boom") as caught:
            probe.do(gr.exec, crash)

        failure = caught.value.__cause__
        assert isinstance(failure, gr.ProcessFailed)
        assert failure.reason == "ValueError: boom"
        assert "in crash" in failure.traceback

    def test_an_ending_without_exception_is_process_failed(self, probe: Probe) -> None:
        """`ProcessFailed`."""
        with pytest.raises(gr.ProcessFailed, match="failed: boom") as caught:
            probe.do(gr.exec, gr.exit, "boom")

        assert caught.value.reason == "boom"

    def test_a_clean_exit_has_no_value(self, probe: Probe) -> None:
        assert probe.do(gr.exec, gr.exit, "shutdown") is None

    def test_the_child_ends_with_the_timeout(self, node: gr.Node, probe: Probe) -> None:
        """`Timeout`."""
        with pytest.raises(gr.Timeout, match=r"exec of .*:wait: nothing came within 0\.001 s"):
            probe.do(gr.exec, wait, timeout="1ms")

        wait_for(lambda: list(node.processes) == [probe.pid])

    def test_it_dies_with_the_caller(self, node: gr.Node) -> None:
        """it dies with the caller."""
        caller = node.spawn(lambda: gr.exec(wait))
        wait_for(lambda: len(node.processes) == 2)

        node.terminate(caller)

        wait_for(lambda: not node.processes)

    def test_a_bad_timeout_starts_nothing(self, node: gr.Node, probe: Probe) -> None:
        with pytest.raises(gr.InvalidDuration):
            probe.do(gr.exec, wait, timeout="soon")

        assert list(node.processes) == [probe.pid]

    def test_it_takes_host_name_and_context(self, node: gr.Node, probe: Probe) -> None:
        node.add_host(Host("other"))

        def child() -> tuple[str, gr.Pid | None, Mapping[str, object]]:
            return gr.pid().host, gr.whereis("child"), dict(gr.context())

        host, owner, context = probe.do(
            gr.exec, child, host="other", name="child", context={"request_id": 7}
        )

        assert host == "other"
        assert owner is not None
        assert context == {"request_id": 7}


class TestOutside:
    def test_some_work_outside_a_process(self, node: gr.Node, caplog: Any) -> None:
        """`spawn`, `send`, `send_after`, `lookup`, `whereis`, `cancel`, `terminate`, `info` and
        `processes` also work outside a process, on the only node there is."""
        pid = gr.spawn(wait, name="waiter")

        assert gr.lookup("waiter") == gr.whereis("waiter") == pid
        info = gr.info("waiter")
        assert info is not None
        assert info.pid == pid
        assert [each.pid for each in gr.processes()] == [pid]
        assert gr.send_after("1h", pid, "topic").cancel() is True
        assert gr.send("waiter", "topic") is True
        wait_for(lambda: not node.processes)
        assert gr.send(pid, "topic") is False
        assert gr.cancel(pid) is False
        assert gr.terminate(pid) is False

    @pytest.mark.parametrize(
        "call",
        [
            gr.pid,
            gr.inbox,
            gr.events,
            gr.receive,
            gr.context,
            gr.get_options,
            gr.set_options,
            gr.exit,
            lambda: gr.exec(add, 1),
            lambda: gr.call("x", "t"),
            lambda: gr.reply(gr.Message("t")),
            lambda: gr.reply_error(gr.Message("t"), ValueError()),
            lambda: gr.monitor("x"),
            lambda: gr.unmonitor("x"),
            lambda: gr.link("x"),
            lambda: gr.unlink("x"),
            lambda: gr.register("x"),
            lambda: gr.register("x", "y"),
            lambda: gr.unregister("x"),
        ],
    )
    def test_the_rest_raise_and_name_the_way_out(self, node: gr.Node, call: Any) -> None:
        """the rest raise `NotInProcess`, which names the way out."""
        with pytest.raises(gr.NotInProcess, match=r"outside a process; run it with node\.run"):
            call()

    def test_no_node_and_many_nodes_say_so(self) -> None:
        with pytest.raises(gr.NotInProcess, match="there is no node yet"):
            gr.spawn(wait)

        with gr.Node("a"), gr.Node("b"), pytest.raises(gr.NotInProcess, match="2 nodes: call"):
            gr.spawn(wait)


class TestMessages:
    def test_send_says_whether_an_inbox_took_it(self, node: gr.Node, probe: Probe) -> None:
        """True when an inbox took it; never for a dead PID: False."""
        dead = probe.do(gr.exec, gr.pid)

        assert probe.do(gr.send, probe.pid, "topic", 7) is True
        assert probe.do(gr.send, dead, "topic", 7) is False
        assert probe.do(gr.send, str(dead), "topic", 7) is False
        assert assert_receive(probe) == gr.Message("topic", 7, probe.pid)

    def test_dest_is_a_pid_its_text_or_a_name(self, probe: Probe) -> None:
        """All take a PID, its text, or a registered name wherever `dest` stands."""
        probe.do(gr.register, "probe")

        for dest in (probe.pid, "".join(probe.pid), "probe"):
            assert gr.send(dest, "topic", dest)
            assert assert_receive(probe).payload == dest

    def test_bad_topics_and_names_raise_in_the_sender(self, probe: Probe) -> None:
        """`ReservedTopic` (`@…`), `UnknownName`."""
        with pytest.raises(gr.ReservedTopic):
            probe.do(gr.send, probe.pid, "@exit")
        with pytest.raises(gr.ReservedTopic):
            probe.do(gr.send, probe.pid, None)
        with pytest.raises(gr.ReservedTopic):
            probe.do(gr.send_after, 0, probe.pid, "@exit")
        with pytest.raises(gr.UnknownName, match="'nobody' is not known"):
            probe.do(gr.send, "nobody", "topic")
        with pytest.raises(gr.InvalidPid):
            probe.do(gr.send, "{nobody", "topic")
        assert_nothing(probe)

    def test_a_payload_is_passed_by_reference(self, probe: Probe) -> None:
        """Payloads are passed by reference inside a node."""
        payload = object()

        gr.send(probe.pid, "topic", payload)

        assert assert_receive(probe).payload is payload

    def test_send_after_sends_later(self, probe: Probe) -> None:
        """`send_after(delay, dest, topic, payload) -> Timer`: later."""
        probe.do(gr.send_after, "200ms", probe.pid, "late", 2)
        probe.do(gr.send_after, 0.001, probe.pid, "early", 1)

        assert [assert_receive(probe).topic for _ in range(2)] == ["early", "late"]

    def test_a_timer_is_cancelled_once(self, probe: Probe) -> None:
        """`Timer.cancel() -> bool`."""
        timer = probe.do(gr.send_after, 0, probe.pid, "topic")
        assert timer.cancel() is True
        assert timer.cancel() is False

        fired = probe.do(gr.send_after, 0, probe.pid, "other")
        assert assert_receive(probe).topic == "other"
        assert fired.cancel() is False

    def test_a_late_message_for_nobody_is_dropped(self, probe: Probe, caplog: Any) -> None:
        probe.do(gr.send_after, 0, "nobody", "lost")
        probe.do(gr.send_after, 0, probe.pid, "after")

        assert assert_receive(probe).topic == "after"
        assert "message 'lost' to nobody was lost" in caplog.text

    def test_receive_gives_inbox_and_events_in_arrival_order(self, node: gr.Node) -> None:
        """the next of inbox and events in arrival order."""

        def main() -> list[str]:
            gr.send(gr.pid(), "one")
            gr.monitor("nobody")
            gr.send(gr.pid(), "two")
            gr.cancel(gr.pid())
            items = [gr.receive() for _ in range(4)]
            return [getattr(item, "topic", None) or item.kind for item in items]  # type: ignore[union-attr]

        assert node.run(main) == ["one", "EXIT", "two", "CANCEL"]

    def test_receive_with_topics_leaves_the_rest_in_order(self, node: gr.Node) -> None:
        """with topics, the first match, the rest stay in order."""

        def main() -> list[str]:
            me = gr.pid()
            gr.send(me, "a")
            gr.monitor("nobody")
            for topic in "bcd":
                gr.send(me, topic)
            items = [gr.receive("d", "c"), gr.receive("d"), *(gr.receive() for _ in range(3))]
            return [getattr(item, "topic", None) or item.kind for item in items]  # type: ignore[union-attr]

        assert node.run(main) == ["c", "d", "a", "EXIT", "b"]

    def test_a_topic_that_is_no_text_is_refused(self, node: gr.Node) -> None:
        """Who means a timeout would wait for ever."""

        def main() -> None:
            with pytest.raises(TypeError, match=r"topic 5 is no text; a timeout is timeout=5"):
                gr.receive(5)  # type: ignore[call-overload]

        node.run(main)

    def test_receive_times_out(self, node: gr.Node) -> None:
        """`Timeout`."""

        def main() -> None:
            for call in (gr.receive, gr.inbox().receive, gr.events().receive):
                with pytest.raises(gr.Timeout):
                    call(timeout=0)
                with pytest.raises(gr.Timeout):
                    call(timeout="1ms")
            gr.send(gr.pid(), "other")
            with pytest.raises(gr.Timeout, match=r"receive\('topic',\): nothing came"):
                gr.receive("topic", timeout=0.001)
            with pytest.raises(gr.InvalidDuration):
                gr.receive(timeout="soon")
            assert gr.receive(timeout=0).topic == "other"  # type: ignore[union-attr]

        node.run(main)

    def test_the_inbox_has_its_methods(self, node: gr.Node) -> None:
        """`inbox() -> Inbox`: iterate it, `.receive(timeout=None)`, `.get_nowait()`, `len()`."""

        def main() -> None:
            box = gr.inbox()
            for number in range(4):
                gr.send(gr.pid(), "topic", number)
            gr.monitor("nobody")
            assert len(box) == 4
            assert box
            assert box.receive().payload == 0
            assert box.receive(timeout="1s").payload == 1
            assert box.get_nowait().payload == 2
            assert next(iter(box)).payload == 3
            with pytest.raises(gr.Timeout):
                box.get_nowait()

        node.run(main)

    def test_events_are_a_channel_of_their_own(self, node: gr.Node) -> None:
        """`events() -> Events`: lifecycle events as a channel of their own, same methods."""

        def main() -> None:
            channel = gr.events()
            gr.send(gr.pid(), "topic")
            for _ in range(4):
                gr.monitor("nobody")
            assert len(channel) == 4
            assert channel
            assert channel.receive().kind == "EXIT"
            assert channel.receive(timeout="1s").kind == "EXIT"
            assert channel.get_nowait().kind == "EXIT"
            assert next(iter(channel)).kind == "EXIT"
            with pytest.raises(gr.Timeout):
                channel.get_nowait()
            assert len(gr.inbox()) == 1

        node.run(main)

    def test_a_plain_loop_is_a_graceful_process(self, node: gr.Node) -> None:
        """`for message in inbox()` ends when the process is cancelled."""

        def loop() -> list[object]:
            return [message.payload for message in gr.inbox()]

        def main() -> object:
            child = gr.spawn_monitored(loop)
            gr.send(child, "topic", 1)
            gr.send(child, "topic", 2)
            gr.cancel(child)
            gr.send(child, "topic", 3)
            event = gr.receive()
            assert isinstance(event, gr.Exit)
            return event.result

        assert node.run(main) == gr.Result([1, 2], None, "normal")

    def test_a_process_that_reads_events_handles_cancel_itself(self, node: gr.Node) -> None:
        """unless the process reads `events()` and so handles CANCEL itself."""

        def main() -> None:
            channel = gr.events()
            gr.cancel(gr.pid())
            gr.send(gr.pid(), "topic")
            assert next(gr.inbox()).topic == "topic"
            assert channel.get_nowait().kind == "CANCEL"

        node.run(main)


class TestCalls:
    def test_call_and_reply(self, node: gr.Node) -> None:
        """`call(...) -> reply`, `reply(message, value)`: request and reply."""

        def server() -> None:
            message = gr.inbox().receive()
            assert message.payload == 21
            assert gr.reply(message, 42) is True
            assert gr.reply(message, "again") is False

        def main() -> object:
            return gr.call(gr.spawn_linked(server), "double", 21)

        assert node.run(main) == 42

    def test_reply_error_raises_in_the_caller(self, node: gr.Node) -> None:
        def server() -> None:
            assert gr.reply_error(gr.inbox().receive(), KeyError("missing")) is True

        def main() -> None:
            with pytest.raises(KeyError, match="missing"):
                gr.call(gr.spawn(server), "get")

        node.run(main)

    def test_only_a_call_can_be_answered(self, probe: Probe) -> None:
        with pytest.raises(ValueError, match="was sent, not called"):
            probe.do(gr.reply, gr.Message("topic"))

    def test_a_target_that_dies_half_way_is_noticed(self, probe: Probe) -> None:
        """safe when the target dies half way: `ProcessDown(reason)`."""

        def dies() -> None:
            gr.receive()
            gr.exit("half way")

        with pytest.raises(gr.ProcessDown) as caught:
            probe.do(lambda: gr.call(gr.spawn(dies), "topic", timeout=None))

        assert caught.value.reason == "half way"

    def test_a_dead_target_and_oneself_are_noticed_at_once(self, probe: Probe) -> None:
        dead = probe.do(gr.exec, gr.pid)

        with pytest.raises(gr.ProcessDown, match="noproc"):
            probe.do(gr.call, dead, "topic")
        with pytest.raises(gr.ProcessDown, match="calling_self"):
            probe.do(gr.call, probe.pid, "topic")
        with pytest.raises(gr.UnknownName):
            probe.do(gr.call, "nobody", "topic")

    def test_a_late_reply_is_never_seen_by_a_later_call(self, node: gr.Node) -> None:
        """a late reply is dropped, never seen by a later call."""

        def server() -> None:
            late = gr.inbox().receive()
            second = gr.inbox().receive()
            assert gr.reply(late, "late") is False
            gr.reply(second, "second")

        def main() -> None:
            pid = gr.spawn_linked(server)
            with pytest.raises(gr.Timeout, match="call of"):
                gr.call(pid, "first", timeout="1ms")
            assert gr.call(pid, "second") == "second"
            assert len(gr.inbox()) == 0

        node.run(main)

    def test_a_bad_timeout_sends_nothing(self, node: gr.Node, probe: Probe) -> None:
        def main() -> None:
            with pytest.raises(gr.InvalidDuration):
                gr.call(probe.pid, "topic", timeout="soon")

        node.run(main)
        assert_nothing(probe)

    def test_ten_thousand_waiting_messages_do_not_slow_or_confuse_a_call(
        self, node: gr.Node, probe: Probe
    ) -> None:
        def echo() -> None:
            for message in gr.inbox():
                gr.reply(message, message.payload)

        def main() -> None:
            server = gr.spawn(echo)
            for _ in range(9_999):
                gr.send(gr.pid(), "noise")
            assert [gr.call(server, "echo", number) for number in range(5)] == [0, 1, 2, 3, 4]
            gr.cancel(server)

        node.run(main)


class TestRelations:
    def test_each_monitor_gives_one_exit(self, probe: Probe) -> None:
        """Each `monitor` call is independent: two monitors, two EXITs."""
        child = probe.do(gr.spawn, wait)
        refs = [probe.do(gr.monitor, child), probe.do(gr.monitor, child)]

        gr.send(child, "end")

        assert [assert_receive(probe, kind="EXIT").ref for _ in refs] == refs
        assert_nothing(probe)

    def test_a_dead_or_unknown_target_gives_exit_noproc_at_once(self, probe: Probe) -> None:
        """a dead or unknown PID gives EXIT with reason `noproc` at once, never an error."""
        dead = probe.do(gr.exec, gr.pid)
        elsewhere = gr.Pid("other", "host", 1)

        for dest in (dead, elsewhere, "nobody"):
            ref = probe.do(gr.monitor, dest)
            event = assert_receive(probe, kind="EXIT")
            assert (event.pid, event.result.reason, event.ref) == (dest, "noproc", ref)
        assert_nothing(probe)

    def test_unmonitor_takes_it_back(self, probe: Probe) -> None:
        child = probe.do(gr.spawn, wait)
        ref = probe.do(gr.monitor, child)

        assert probe.do(gr.unmonitor, ref) is True
        assert probe.do(gr.unmonitor, ref) is False
        gr.send(child, "end")

        assert_nothing(probe)

    def test_unmonitor_of_a_dest_takes_all_back(self, probe: Probe) -> None:
        """`unmonitor(ref or dest, flush=True)`."""
        child = probe.do(gr.spawn, wait, name="child")
        probe.do(gr.monitor, child)
        probe.do(gr.monitor, child)

        assert probe.do(gr.unmonitor, "child") is True
        assert probe.do(gr.unmonitor, child) is False
        gr.send(child, "end")

        assert_nothing(probe)

    def test_unmonitor_flushes_unless_told_otherwise(self, node: gr.Node) -> None:
        def main() -> None:
            refs = [gr.monitor("a"), gr.monitor("b"), gr.monitor("c"), gr.monitor("d")]
            assert gr.unmonitor(refs[0]) is False
            assert gr.unmonitor(refs[1], flush=False) is False
            assert gr.unmonitor("c") is False
            assert gr.unmonitor("d", flush=False) is False
            assert [event.pid for event in (gr.receive(), gr.receive())] == ["b", "d"]  # type: ignore[union-attr]
            assert not gr.events()._process.mailbox.events

        node.run(main)

    def test_a_monitor_of_another_process_cannot_be_taken_back(self, probe: Probe) -> None:
        with Probe(probe.node) as other:
            ref = probe.do(gr.monitor, other.pid)

            assert other.do(gr.unmonitor, ref) is False
            assert probe.do(gr.unmonitor, ref) is True

    def test_monitoring_oneself_never_fires(self, node: gr.Node, probe: Probe) -> None:
        """Monitoring oneself never fires; linking oneself does nothing."""

        def main() -> None:
            gr.monitor(gr.pid())
            gr.link(gr.pid())
            gr.exit("boom")

        child = probe.do(gr.spawn_monitored, main)

        assert assert_receive(probe, kind="EXIT").pid == child
        assert_nothing(probe)

    def test_linked_processes_share_their_fate(self, node: gr.Node) -> None:
        """`link(dest)`, `unlink(dest)`: shared fate; idempotent."""
        one = node.spawn(wait)

        def main() -> None:
            gr.link(one)
            gr.link(one)
            gr.receive()

        other = node.spawn(main)
        settle(node)
        node.terminate(one, "boom")

        wait_for(lambda: other not in node.processes)

    def test_a_clean_ending_spreads_along_no_link(self, node: gr.Node, probe: Probe) -> None:
        """then, if abnormal, LINK_DOWN to each linked process."""
        for reason in ("normal", "shutdown"):
            probe.do(gr.spawn_linked, gr.exit, reason)

        assert_nothing(probe)

    def test_unlink_ends_the_sharing(self, node: gr.Node, probe: Probe) -> None:
        child = probe.do(gr.spawn_linked, wait)
        probe.do(gr.link, child)

        probe.do(gr.unlink, child)
        probe.do(gr.unlink, child)
        node.terminate(child)

        assert_nothing(probe)

    def test_linking_a_dead_pid_delivers_link_down_noproc(self, probe: Probe) -> None:
        """linking a dead PID delivers LINK_DOWN `noproc`."""
        dead = probe.do(gr.exec, gr.pid)

        for dest in (dead, "nobody"):
            probe.do(gr.link, dest)
            event = assert_receive(probe, kind="LINK_DOWN")
            assert (event.pid, event.result.reason) == (dest, "noproc")

    def test_linking_a_dead_pid_ends_who_does_not_trap(self, probe: Probe) -> None:
        dead = probe.do(gr.exec, gr.pid)

        with pytest.raises(gr.ProcessFailed, match="noproc"):
            probe.do(gr.exec, gr.link, dead)

    def test_trapping_is_looked_at_when_the_signal_is_delivered(self, node: gr.Node) -> None:
        """Trapping is looked at when the signal is delivered, not when the link was made."""

        def main() -> None:
            child = gr.spawn_linked(wait)
            assert gr.get_options() == {"trap_links": False}
            gr.set_options(trap_links=True)
            assert gr.get_options() == {"trap_links": True}
            gr.terminate(child, "boom")
            event = gr.receive()
            assert isinstance(event, gr.LinkDown)
            assert (event.pid, event.result.reason) == (child, "boom")

        node.run(main)

    def test_unknown_options_are_refused(self, probe: Probe) -> None:
        """`UnknownOption`."""
        with pytest.raises(gr.UnknownOption, match="known: trap_links"):
            probe.do(gr.set_options, trap_exit=True)
        with pytest.raises(TypeError, match="must be True or False"):
            probe.do(gr.set_options, trap_links="yes")
        probe.do(gr.set_options)

        assert probe.do(gr.get_options) == {"trap_links": True}


class TestEnding:
    def test_the_return_value_is_in_the_result(self, probe: Probe) -> None:
        """Returning ends a process normally; its return value is `event.result.value`."""
        probe.do(gr.spawn_monitored, add, 1, 2)

        assert assert_receive(probe, kind="EXIT").result == gr.Result(3, None, "normal")

    def test_an_exception_ends_it_abnormally(self, probe: Probe, caplog: Any) -> None:
        """`event.result.error` is an `ExitError` with type name, message and traceback text."""
        child = probe.do(gr.spawn_monitored, crash, "bad")

        result = assert_receive(probe, kind="EXIT").result

        assert (result.error.type, result.error.message) == ("ValueError", "bad")
        assert "in crash" in result.error.traceback
        assert result.reason == "ValueError: bad"
        assert [record.levelno for record in caplog.records] == [logging.ERROR]
        assert f"{child} ({SELF}:crash) crashed" in caplog.text

    def test_the_order_on_an_ending(self, node: gr.Node) -> None:
        """the PID stops accepting messages, names and groups release, EXIT goes to each watcher
        exactly once, then, if abnormal, LINK_DOWN to each linked process."""
        seen: list[object] = []

        def watch(child: gr.Pid) -> None:
            gr.set_options(trap_links=True)
            gr.link(child)
            gr.monitor(child)
            ready.set()
            for _ in range(2):
                event = gr.receive()
                seen.append((event.kind, gr.send(child, "t"), gr.whereis("name")))  # type: ignore[union-attr]

        ready = Flag()
        child = node.spawn(wait, name="name")
        node.spawn(watch, child)
        assert ready.wait(30)

        node.terminate(child, "boom")
        wait_for(lambda: not node.processes)

        assert seen == [("EXIT", False, None), ("LINK_DOWN", False, None)]

    def test_every_process_sees_endings_in_one_order(self, node: gr.Node) -> None:
        """so every process sees endings in one order."""
        targets = [node.spawn(wait) for _ in range(10)]
        probes = [Probe(node) for _ in range(3)]
        for probe in probes:
            for target in targets if probe is probes[0] else reversed(targets):
                probe.do(gr.monitor, target)

        for target in targets[::2] + targets[1::2]:
            node.terminate(target, "boom")
        orders = [[assert_receive(probe).pid for _ in targets] for probe in probes]

        assert orders[0] == orders[1] == orders[2]
        for probe in probes:
            probe.close()

    def test_the_root_cause_travels_along_the_whole_chain(self, node: gr.Node) -> None:
        """LINK_DOWN ends the linked process with the same reason (the root cause travels along
        the whole chain) unless it traps links."""

        def chain(depth: int) -> None:
            if not depth:
                crash("root")
            gr.spawn_linked(chain, depth - 1)
            gr.receive()

        with Probe(node) as probe:
            probe.do(gr.spawn_monitored, chain, 20)

            result = assert_receive(probe, kind="EXIT").result

        assert result.reason == "ValueError: root"
        assert result.error.type == "ValueError"
        assert "in crash" in result.error.traceback

    def test_peers_of_a_killed_process_can_trap_it(self, node: gr.Node, probe: Probe) -> None:
        """peers of a killed process see `killed`, an ordinary reason that can be trapped."""
        child = probe.do(gr.spawn_linked, wait)

        node.terminate(child)

        assert assert_receive(probe, kind="LINK_DOWN").result.reason == "killed"

    def test_terminate_cannot_be_trapped(self, node: gr.Node, probe: Probe) -> None:
        """`terminate(dest, reason="killed")`: end it now; cannot be trapped."""

        def stubborn() -> None:
            gr.set_options(trap_links=True)
            gr.receive()

        for reason, asked in (("killed", {}), ("mine", {"reason": "mine"})):
            child = probe.do(gr.spawn_monitored, stubborn)
            settle(node)
            assert node.terminate(child, **asked) is True
            assert assert_receive(probe, kind="EXIT").result.reason == reason

    def test_terminating_oneself_ends_at_once(self, probe: Probe) -> None:
        def main() -> None:
            gr.terminate(gr.pid(), "mine")
            raise AssertionError("it went on")

        probe.do(gr.spawn_monitored, main)

        assert assert_receive(probe, kind="EXIT").result.reason == "mine"

    @pytest.mark.parametrize("reason", ["normal", "shutdown", "boom"])
    def test_exit_ends_me(self, probe: Probe, reason: str) -> None:
        """`exit(reason="normal")`: end me; `normal` and `shutdown` are clean."""
        probe.do(gr.spawn_monitored, gr.exit, reason)

        result = assert_receive(probe, kind="EXIT").result

        assert result.reason == reason
        assert result.is_normal is (reason != "boom")

    def test_cancel_asks(self, probe: Probe) -> None:
        """`cancel(dest, deadline="10s", reason=None)`: ask it to end: CANCEL event."""
        with Probe(probe.node) as other:
            assert other.do(gr.cancel, probe.pid, reason="enough") is True

            assert assert_receive(probe) == gr.Cancel(other.pid, "enough", 10.0)

    def test_who_does_not_listen_is_killed_at_the_deadline(self, probe: Probe) -> None:
        """and killed at the deadline."""
        child = probe.do(gr.spawn_monitored, wait_for_ever)

        probe.do(gr.cancel, child, deadline="1ms")

        assert assert_receive(probe, kind="EXIT").result.reason == "killed"

    def test_a_deadline_that_comes_after_the_ending_hurts_nobody(self, probe: Probe) -> None:
        child = probe.do(gr.spawn_monitored, wait)

        probe.do(gr.cancel, child, deadline="1ms")

        assert assert_receive(probe, kind="EXIT").result.reason == "normal"
        probe.do(gr.send_after, "2ms", probe.pid, "after")
        assert assert_receive(probe).topic == "after"

    def test_except_exception_cannot_swallow_it(self, node: gr.Node, probe: Probe) -> None:
        """Termination uses a `BaseException`: `except Exception` in user code cannot swallow it.
        `finally` blocks run."""
        cleaned = []

        def main() -> None:
            try:
                while True:
                    try:
                        wait_for_ever()
                    except Exception:
                        continue
            finally:
                cleaned.append(True)

        child = probe.do(gr.spawn_monitored, main)
        settle(node)
        node.terminate(child)

        assert assert_receive(probe, kind="EXIT").result.reason == "killed"
        assert cleaned == [True]

    def test_who_refuses_to_end_is_reported_and_its_ending_delivered(
        self, probe: Probe, caplog: Any
    ) -> None:
        """a process that refuses to end within the grace period is reported by PID and stack,
        and its ending is delivered."""
        probe.node.grace = 0.001
        release = Flag()

        def refuse() -> None:
            while not release.is_set():
                try:
                    release.wait()
                except BaseException:
                    continue

        child = probe.do(gr.spawn_monitored, refuse)
        settle(probe.node)
        probe.node.terminate(child)

        assert assert_receive(probe, kind="EXIT").result.reason == "killed"
        assert f"{child} ({SELF}:" in caplog.text
        assert "release.wait()" in caplog.text
        release.set()

    def test_a_message_is_received_before_the_ending_of_its_sender(self, probe: Probe) -> None:
        """A message sent before an ending by one process to another is received before that
        ending (per-pair order)."""

        def main() -> None:
            for number in range(3):
                gr.send(probe.pid, "topic", number)
            gr.exit("boom")

        probe.do(gr.spawn_linked_monitored, main)

        items = [assert_receive(probe) for _ in range(5)]
        assert [getattr(item, "payload", None) for item in items[:3]] == [0, 1, 2]
        assert [item.kind for item in items[3:]] == ["EXIT", "LINK_DOWN"]


class TestNames:
    def test_a_name_goes_with_its_process(self, probe: Probe) -> None:
        child = probe.do(gr.spawn_monitored, wait, name="child")
        assert gr.lookup("child") == child

        gr.send("child", "end")
        assert_receive(probe, kind="EXIT")

        with pytest.raises(gr.UnknownName):
            gr.lookup("child")
        assert gr.whereis("child") is None

    def test_register_names_oneself_or_another(self, probe: Probe) -> None:
        """`register(name, dest=None, scope="local")`, `lookup(name)`, `unregister(name)`."""
        with Probe(probe.node) as other:
            probe.do(gr.register, "mine")
            probe.do(gr.register, "its", other.pid)

            assert gr.lookup("mine") == probe.pid
            assert gr.lookup("its") == other.pid
            with pytest.raises(gr.NotOwner):
                probe.do(gr.unregister, "its")
            with pytest.raises(gr.NameTaken):
                other.do(gr.register, "mine")
            probe.do(gr.unregister, "mine")
            with pytest.raises(gr.UnknownName):
                probe.do(gr.unregister, "mine")

    def test_a_name_needs_somebody_and_a_known_scope(self, probe: Probe) -> None:
        dead = probe.do(gr.exec, gr.pid)

        with pytest.raises(gr.ProcessDown):
            probe.do(gr.register, "name", dead)
        with pytest.raises(ValueError, match="it must be 'local'"):
            probe.do(gr.register, "name", scope="global")

        assert gr.whereis("name") is None


class TestInfo:
    def test_info_shows_a_process(self, node: gr.Node, probe: Probe) -> None:
        """entry, host, state, age, inbox depth, high-water mark, links, monitors, names, groups,
        messages in and out, greenlet stack on request."""
        child = probe.do(gr.spawn_linked_monitored, wait_for_ever, name="child")
        settle(node)
        gr.send(child, "topic")

        info = gr.info("child", stack=True)

        assert info is not None
        assert (info.pid, info.host, info.state) == (child, "processes", "running")
        assert info.entry.endswith(":wait_for_ever")
        assert (info.depth, info.high_water, info.messages_in, info.messages_out) == (1, 1, 1, 0)
        assert info.links == info.monitored_by == (probe.pid,)
        assert (info.names, info.monitors, info.groups) == (("child",), (), ())
        assert info.age >= 0
        assert "sleep" in (info.stack or "")
        probed = gr.info(probe.pid)
        assert probed is not None
        assert probed.monitors == (child,)
        assert probed.stack is None
        node.terminate(child)
        wait_for(lambda: gr.info(child) is None)

    def test_a_process_sees_its_own_stack(self, node: gr.Node) -> None:
        def main() -> str:
            info = gr.info(gr.pid(), stack=True)
            assert info is not None
            return info.stack or ""

        assert "in main" in node.run(main)

    def test_processes_shows_all_oldest_first(self, node: gr.Node) -> None:
        pids = [node.spawn(wait) for _ in range(3)]

        shown = gr.processes()

        assert [each.pid for each in shown] == pids
        assert {each.state for each in shown} == {"new"}
        for pid in pids:
            node.terminate(pid)


class TestContext:
    def test_children_inherit_and_messages_carry(self, node: gr.Node, probe: Probe) -> None:
        """values (request id, actor, trace) that children inherit and messages carry."""

        def child() -> None:
            gr.send(probe.pid, "sent")
            gr.send_after(0, probe.pid, "later")

        def parent() -> None:
            assert gr.context() == {"request_id": 7}
            gr.spawn(child, context={"actor": "me"})

        node.spawn(parent, context={"request_id": 7})

        for topic in ("sent", "later"):
            assert assert_receive(probe, topic=topic).context == {"request_id": 7, "actor": "me"}

    def test_nobody_can_change_the_context_of_another(self, node: gr.Node) -> None:
        mine = {"request_id": 7}

        def main() -> None:
            with pytest.raises(TypeError):
                gr.context()["request_id"] = 8  # type: ignore[index]

        node.spawn(lambda: gr.exec(main), context=mine)
        gr.spawn(main, context=mine)
        settle(node)

    def test_a_process_has_no_context_unless_given(self, node: gr.Node) -> None:
        assert node.run(lambda: dict(gr.context())) == {}


class TestNode:
    def test_run_returns_the_value_or_raises_the_error(self, node: gr.Node) -> None:
        """`node.run(entry, *args)` (spawn, wait, return its value or raise its error)."""
        assert node.run(add, 1, 2) == 3
        with pytest.raises(ValueError, match="boom"):
            node.run(crash)
        with pytest.raises(gr.ProcessFailed, match="boom"):
            node.run(gr.exit, "boom")

    def test_run_kills_what_takes_too_long(self, node: gr.Node) -> None:
        with pytest.raises(gr.Timeout):
            node.run(wait, timeout=0.001)

        wait_for(lambda: not node.processes)

    def test_it_is_a_context_manager_that_shuts_down(self) -> None:
        """a context manager that shuts down."""
        with gr.Node() as node:
            node.spawn(lambda: list(gr.inbox()))

        assert not node.processes
        with pytest.raises(gr.NodeStopped):
            node.spawn(wait)
        with pytest.raises(gr.NodeStopped):
            node.send_after(1, "{a@b|1}", "topic")
        node.shutdown()

    def test_a_node_that_never_ran_shuts_down_too(self) -> None:
        with gr.Node("unused") as node:
            assert repr(node) == f"<Node {node.id} with 0 processes>"

    def test_shutdown_asks_first_and_kills_then(self) -> None:
        node = gr.Node()
        seen: list[object] = []

        def polite() -> None:
            seen.append(gr.receive())

        def deaf() -> None:
            try:
                wait_for_ever()
            except gr.ProcessExit as error:
                seen.append(error.reason)
                raise

        node.spawn(polite)
        node.spawn(deaf)
        node.shutdown(0.01)

        assert seen == [gr.Cancel(None, "shutdown", 0.01), "killed"]

    def test_a_process_cannot_wait_for_its_own_ending(self, node: gr.Node) -> None:
        with pytest.raises(RuntimeError, match="cannot shut down its own node"):
            node.run(node.shutdown)

    def test_the_readme_script_works(self, tmp_path: Any) -> None:
        """a script says `with greenrelay.Node() as node: node.run(main)`."""
        script = textwrap.dedent("""
            import greenrelay

            def main():
                child = greenrelay.spawn_monitored(lambda: "done")
                print(greenrelay.receive().result.value)

            with greenrelay.Node() as node:
                node.run(main)
        """)
        path = tmp_path / "script.py"
        path.write_text(script)

        done = subprocess.run(
            [sys.executable, "-W", "error", path], capture_output=True, text=True, timeout=60
        )

        assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
