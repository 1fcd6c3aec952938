"""The rules of the page "Processes" on groups, each quoted by the test that holds it."""

from __future__ import annotations

import threading

import pytest

import greenrelay as gr
from greenrelay.runtime.host import Host
from tests.probe import Probe, assert_nothing, assert_receive, settle, wait, wait_for, wait_for_ever


def join_and_wait(group: str) -> None:
    gr.join(group)
    gr.receive()


class TestMembership:
    def test_members_are_those_who_joined_in_order(self, probe: Probe) -> None:
        """`join(group, dest=None)`, `members(group)`, `groups()`."""
        other = probe.do(gr.spawn, wait)
        probe.do(gr.join, "room", other)
        probe.do(gr.join, "room")
        probe.do(gr.join, "hall")

        assert gr.members("room") == (other, probe.pid)
        assert gr.members("nobody") == ()
        assert set(probe.do(gr.groups)) == {"room", "hall"}
        gr.send(other, "end")

    def test_join_twice_leave_twice(self, probe: Probe) -> None:
        """join twice, leave twice."""
        probe.do(gr.join, "room")
        probe.do(gr.join, "room")
        assert gr.members("room") == (probe.pid,)

        probe.do(gr.leave, "room")
        assert gr.members("room") == (probe.pid,)
        probe.do(gr.leave, "room")

        assert gr.members("room") == ()
        with pytest.raises(gr.NotMember):
            probe.do(gr.leave, "room")

    def test_info_tells_the_groups(self, probe: Probe) -> None:
        """`info(dest) -> ProcessInfo`: … names, groups."""
        probe.do(gr.join, "room")
        probe.do(gr.join, "hall")

        seen = gr.info(probe.pid)

        assert seen is not None
        assert seen.groups == ("room", "hall")

    def test_membership_ends_with_the_process_before_exit_is_told(self, node: gr.Node) -> None:
        """names and groups release, EXIT goes to each watcher exactly once."""

        def main() -> tuple[gr.Pid, ...]:
            child = gr.spawn_monitored(join_and_wait, "room")
            settle(node)
            assert gr.members("room") == (child,)
            gr.terminate(child)
            gr.events().receive()
            return gr.members("room")

        assert node.run(main) == ()
        assert len(node.groups) == 0

    def test_a_process_nobody_else_knows_of_leaves_its_groups(self, node: gr.Node) -> None:
        """no … group entry outlives its process."""
        node.run(gr.join, "room")

        wait_for(lambda: not len(node.groups))

    def test_a_gone_process_cannot_join(self, probe: Probe) -> None:
        gone = probe.do(gr.exec, gr.pid)

        with pytest.raises(gr.ProcessDown):
            probe.do(gr.join, "room", gone)
        with pytest.raises(gr.UnknownName):
            probe.do(gr.join, "room", "nobody")

    @pytest.mark.parametrize("group", ["", None, 7])
    def test_a_group_is_text(self, probe: Probe, group: str) -> None:
        with pytest.raises(ValueError, match="must be text"):
            probe.do(gr.join, group)

    def test_the_rest_raise_outside_a_process(self, node: gr.Node) -> None:
        """the rest raise `NotInProcess`."""
        for call in (gr.join, gr.leave, gr.watch):
            with pytest.raises(gr.NotInProcess):
                call("room")
        with pytest.raises(gr.NotInProcess):
            gr.groups()


class TestBroadcast:
    def test_each_member_gets_it_once_and_they_are_counted(self, node: gr.Node) -> None:
        """`broadcast(group, topic, payload) -> int`."""
        with Probe(node) as one, Probe(node) as other:
            one.do(gr.join, "room")
            one.do(gr.join, "room")
            other.do(gr.join, "room")

            assert one.do(gr.broadcast, "room", "news", 7) == 2
            for each in (one, other):
                assert assert_receive(each, topic="news") == gr.Message("news", 7, one.pid)
                assert_nothing(each)

    def test_it_works_outside_a_process(self, node: gr.Node, probe: Probe) -> None:
        """`broadcast`, `members` … also work outside a process."""
        probe.do(gr.join, "room")

        assert gr.broadcast("room", "news") == 1
        assert gr.broadcast("nobody", "news") == 0
        assert assert_receive(probe, topic="news").sender is None

    def test_it_works_in_another_thread(self, node: gr.Node, probe: Probe) -> None:
        probe.do(gr.join, "room")
        counts: list[int] = []
        thread = threading.Thread(target=lambda: counts.append(gr.broadcast("room", "news")))
        thread.start()

        assert_receive(probe, topic="news")
        thread.join()
        assert counts == [1]

    def test_a_full_member_and_a_gone_one_do_not_stop_it(self, node: gr.Node) -> None:
        node.add_host(Host("small", inbox_limit=1))
        full = node.spawn(join_and_sleep, "room", host="small")
        gone = node.spawn(join_and_wait, "room")
        settle(node)
        with Probe(node) as probe:
            probe.do(gr.join, "room")
            gr.send(full, "first")

            # It has ended, and nobody has been told yet.
            node.terminate(gone)
            assert gr.broadcast("room", "news") == 1

            assert_receive(probe, topic="news")
        node.terminate(full)

    def test_the_context_of_the_sender_goes_along(self, node: gr.Node, probe: Probe) -> None:
        probe.do(gr.join, "room")

        node.spawn(gr.broadcast, "room", "news", context={"request": 7})

        assert assert_receive(probe, topic="news").context == {"request": 7}

    def test_a_reserved_topic_is_refused(self, node: gr.Node) -> None:
        with pytest.raises(gr.ReservedTopic):
            gr.broadcast("room", "@pg")


def join_and_sleep(group: str) -> None:
    gr.join(group)
    wait_for_ever()


class TestWatch:
    def test_snapshot_and_what_follows_it(self, node: gr.Node) -> None:
        """`watch(group) -> (members, channel)`."""

        def main() -> list[object]:
            first = gr.spawn(join_and_wait, "room")
            settle(node)
            seen, channel = gr.watch("room")
            assert seen == (first,)
            second = gr.spawn(join_and_wait, "room")
            third = channel.receive(timeout=1)
            gr.terminate(first)
            fourth = channel.receive(timeout=1)
            gr.join("room")
            gr.join("room")
            gr.leave("room")
            gr.leave("room")
            mine = [channel.get_nowait(), channel.get_nowait()]
            assert len(channel) == 0
            with pytest.raises(gr.Timeout):
                channel.receive(timeout=0.001)
            gr.terminate(second)
            assert [third, fourth] == [gr.Joined("room", second), gr.Left("room", first)]
            assert (third.kind, fourth.kind) == ("JOINED", "LEFT")
            assert mine == [gr.Joined("room", gr.pid()), gr.Left("room", gr.pid())]
            return [*gr.members("room")]

        node.run(main)

    def test_close_stops_watching(self, node: gr.Node) -> None:
        def main() -> None:
            _, channel = gr.watch("room")
            _, other = gr.watch("room")
            gr.join("room")
            channel.close()
            channel.close()
            gr.leave("room")
            assert [other.get_nowait().kind, other.get_nowait().kind] == ["JOINED", "LEFT"]
            assert list(channel) == []
            with pytest.raises(ValueError, match="closed"):
                channel.receive()
            other.close()
            assert len(node.groups) == 0

        node.run(main)

    def test_it_can_be_used_in_a_with_statement(self, node: gr.Node) -> None:
        def main() -> int:
            with gr.watch("room")[1] as channel:
                assert channel
            return len(node.groups)

        assert node.run(main) == 0

    def test_iterating_ends_when_the_process_is_cancelled(self, node: gr.Node) -> None:
        def watcher() -> list[gr.GroupEvent]:
            return list(gr.watch("room")[1])

        def main() -> object:
            child = gr.spawn_monitored(watcher)
            settle(node)
            gr.join("room")
            gr.cancel(child)
            event = gr.events().receive()
            assert isinstance(event, gr.Exit)
            return event.result.value == [gr.Joined("room", gr.pid())]

        assert node.run(main)

    def test_a_watcher_that_ends_leaves_nothing(self, node: gr.Node) -> None:
        node.run(gr.watch, "room")

        wait_for(lambda: not len(node.groups))
        settle(node)

    def test_a_watcher_is_told_in_the_same_order_as_the_members_list(self, node: gr.Node) -> None:
        def main() -> None:
            seen, channel = gr.watch("room")
            known = list(seen)
            children = [gr.spawn_monitored(join_and_wait, "room") for _ in range(20)]
            settle(node)
            for child in children[::2]:
                gr.send(child, "end")
            for _ in children[::2]:
                gr.events().receive()
            while len(channel):
                change = channel.get_nowait()
                if isinstance(change, gr.Joined):
                    known.append(change.pid)
                else:
                    known.remove(change.pid)
            assert tuple(known) == gr.members("room") == tuple(children[1::2])
            for child in children[1::2]:
                gr.send(child, "end")

        node.run(main)
