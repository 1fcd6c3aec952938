"""Source: Operations, "Dashboard" (the live process tree, one process, a growing inbox)."""

from __future__ import annotations

import greenrelay as gr
from greenrelay import Child, Node, Supervisor, receive
from greenrelay.dashboard.processes import (
    ALL_RELATED,
    Depths,
    details,
    find,
    groups,
    names,
    row,
    services,
)
from greenrelay.process import join, register, spawn_linked
from tests.probe import Probe, assert_receive, wait, wait_for


def test_an_inbox_that_is_not_read_is_seen_to_grow() -> None:
    with Node() as node, Probe(node) as probe, Probe(node):
        depths = Depths()
        depths.look(list(node.processes.values()), 10.0)
        for number in range(30):
            node.send(probe.pid, "unread", number)

        depths.look(list(node.processes.values()), 12.0)
        depths.look(list(node.processes.values()), 12.1)  # too soon: the last look still holds

        assert depths.growth == {probe.pid: 15.0}
        assert find(node, "", "growth", depths.growth).pids[0] == probe.pid
        assert find(node, "", "inbox", {}).pids[0] == probe.pid


def test_an_inbox_that_is_read_shrinks() -> None:
    with Node() as node, Probe(node) as probe:
        node.send(probe.pid, "unread", 1)
        depths = Depths()
        depths.look(list(node.processes.values()), 10.0)
        assert_receive(probe, topic="unread")

        depths.look(list(node.processes.values()), 11.0)

        assert depths.growth == {probe.pid: -1.0}


def events_of(node: Node, pid: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = details(node.processes[pid])["events"]
    return found


def test_the_last_events_that_were_not_read_are_shown(node: gr.Node) -> None:
    """one process (inbox, context, last events, stack)"""

    def watch() -> None:
        for number in range(60):
            gr.spawn_monitored(gr.exit, f"reason {number}")
        gr.receive("end")

    watcher = node.spawn(watch)
    wait_for(lambda: [each["reason"] for each in events_of(node, watcher)[-1:]] == ["reason 59"])
    node.cancel(watcher, sender=None, deadline=60.0, reason="enough")
    found = events_of(node, watcher)

    assert len(found) == 50
    assert [each["kind"] for each in found[-2:]] == ["EXIT", "CANCEL"]
    assert [each["reason"] for each in found[-3:]] == ["reason 58", "reason 59", "enough"]
    assert found[-1]["pid"] is None
    node.send(watcher, "end")


def test_unread_messages_are_shown_cut_and_masked() -> None:
    with Node() as node, Probe(node) as probe:
        node.send(probe.pid, "login", {"password": "hush", "text": "x" * 10_000})

        unread = details(node.processes[probe.pid])["unread"]

        assert [each["topic"] for each in unread] == ["login"]
        assert "hush" not in unread[0]["payload"]
        assert len(unread[0]["payload"]) < 500


def test_children_stand_below_their_supervisor() -> None:
    with Node() as node, Probe(node):
        plan = Supervisor([Child("one", wait), Child("two", wait)])
        supervisor = node.spawn(plan)
        wait_for(lambda: len(services(node)) == 2 and all(each["pid"] for each in services(node)))

        found = find(node, "", "tree", {})

        assert [found.levels.get(pid, 0) for pid in found.pids] == [0, 1, 1, 0]
        assert found.pids[0] == supervisor
        shown = row(node.processes[supervisor], 0, {})
        assert (shown["is_supervisor"], shown["link_count"]) == (True, 2)
        assert [each["id"] for each in services(node)] == ["one", "two"]


def test_of_many_relations_the_first_are_shown_and_all_are_counted() -> None:
    with Node() as node, Probe(node) as probe:
        children = [probe.do(spawn_linked, wait) for _ in range(ALL_RELATED + 5)]

        shown = details(node.processes[probe.pid])

        assert [each["pid"] for each in shown["links"]] == children[:ALL_RELATED]
        assert (shown["links_count"], shown["monitors_count"]) == (ALL_RELATED + 5, 0)


def test_of_many_children_the_first_are_shown_and_all_are_counted() -> None:
    with Node() as node:
        plan = Supervisor([Child(f"child {number}", wait) for number in range(ALL_RELATED + 5)])
        supervisor = node.spawn(plan)
        wait_for(lambda: len(node.processes) == ALL_RELATED + 6)

        shown = details(node.processes[supervisor])

        assert len(shown["children"]) == ALL_RELATED
        assert (shown["children_count"], shown["links_count"]) == (ALL_RELATED + 5,) * 2


def member() -> None:
    join("team")
    register("captain")
    receive()


def test_groups_and_names_are_listed() -> None:
    with Node() as node:
        pid = node.spawn(member)
        wait_for(lambda: node.names.owner("captain"))

        assert groups(node) == [{"name": "team", "count": 1}]
        assert [(each["name"], each["pid"]) for each in names(node)] == [("captain", pid)]
        assert find(node, "team", "newest", {}).pids == [pid]
