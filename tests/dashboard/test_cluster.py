"""A dashboard over a cluster. Source: Operations, "Dashboard"; Cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import greenrelay as gr
from greenrelay.cluster.local import Bus, LocalEngine
from greenrelay.dashboard.observer import GROUP
from greenrelay.http.state import state_of
from greenrelay.reload.apply import reload
from greenrelay.web import GreenRelay
from tests.dashboard.page import Page, dashboard, entries
from tests.probe import end, wait, wait_for
from tests.serving import connected, http, serving


@pytest.fixture
def bus() -> Bus:
    return Bus()


@pytest.fixture
def near(bus: Bus) -> Iterator[tuple[str, gr.Node]]:
    """A node with a dashboard: its address and itself."""
    with gr.Node("near", cluster=LocalEngine(bus)) as node, dashboard(node=node) as (address, _):
        yield address, node


@pytest.fixture
def far(bus: Bus) -> Iterator[tuple[str, gr.Node]]:
    """Another one."""
    with gr.Node("far", cluster=LocalEngine(bus)) as node, dashboard(node=node) as (address, _):
        yield address, node


@pytest.fixture
def bare(bus: Bus) -> Iterator[gr.Node]:
    """A node without a dashboard, such as a script."""
    with gr.Node("bare", cluster=LocalEngine(bus)) as node:
        yield node


def rows_of(page: Page) -> dict[str, dict[str, Any]]:
    return {row["node"]: row for row in page.ask("cluster")["nodes"]}


def told(page: Page, node: gr.Node, is_so: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    """Wait until the page shows of a node what is to be so, and return it."""
    wait_for(lambda: is_so(rows_of(page).get(node.id, {})))
    return rows_of(page)[node.id]


def test_without_an_engine_there_is_one_node() -> None:
    with dashboard() as (address, app):
        found = Page(address).ask("cluster")

        assert found["is_alone"]
        (row,) = found["nodes"]
        assert (row["node"], row["state"]) == (state_of(app).node.id, "here")
        assert row["processes"] >= 2


def test_every_node_is_there_with_what_it_tells_of_itself(
    near: tuple[str, gr.Node], far: tuple[str, gr.Node], bare: gr.Node
) -> None:
    with connected(far[0], "/chat"):
        page = Page(near[0])

        row = told(page, far[1], lambda row: row.get("sockets") == 1)
        silent = told(page, bare, lambda row: row.get("state") == "connected")

        assert row["state"] == "connected"
        assert row["incarnation"]
        assert row["processes"] == len(far[1].processes)
        assert GROUP in row["groups"]
        # Nobody tells of a node without a dashboard.
        assert "processes" not in silent


def test_names_of_the_cluster_have_their_owners(near: tuple[str, gr.Node], bare: gr.Node) -> None:
    def named() -> None:
        gr.register("the one", scope="cluster")
        gr.receive()

    pid = bare.spawn(named)
    page = Page(near[0])

    wait_for(lambda: page.ask("cluster")["names"] == [{"name": "the one", "pid": pid}])

    assert rows_of(page)[bare.id]["name_count"] == 1
    end(bare, pid)
    wait_for(lambda: page.ask("cluster")["names"] == [])


def test_sockets_and_processes_of_another_node_are_listed(
    near: tuple[str, gr.Node], far: tuple[str, gr.Node]
) -> None:
    with connected(far[0], "/chat"):
        page = Page(near[0])
        told(page, far[1], lambda row: row.get("sockets") == 1)

        sockets = page.ask("sockets", node=far[1].id)
        processes = page.ask("processes", node=far[1].id, text="page:room")
        (row,) = sockets["rows"]
        socket = page.ask("socket", pid=row["pid"], tail=True)

        assert row["path"] == "/chat"
        assert processes["rows"][0]["names"] == ["room"]
        assert socket["socket"]["metadata"]["token"] == "***"
        # Nobody there looks at it for a page here.
        assert socket["seen"] == []


def test_a_process_of_another_node_is_shown_where_a_pid_names_it(
    near: tuple[str, gr.Node], far: tuple[str, gr.Node], bare: gr.Node
) -> None:
    page = Page(near[0])
    told(page, far[1], lambda row: row.get("processes"))
    one, other = far[1].spawn(wait), bare.spawn(wait)

    by_observer = page.ask("process", pid=one)["process"]
    by_node = page.ask("process", pid=other)["process"]

    assert by_observer["entry"] == by_node["entry"] == "tests.probe:wait"
    assert "in wait" in by_node["stack"]
    end(far[1], one)
    assert page.ask("process", pid=one) == {"process": None, "seen": [], "missed": 0}
    end(bare, other)
    assert page.ask("process", pid=other)["process"] is None


def test_a_group_has_the_members_of_all_nodes(
    near: tuple[str, gr.Node], far: tuple[str, gr.Node]
) -> None:
    page = Page(near[0])
    told(page, far[1], lambda row: row.get("groups"))

    members = page.ask("group", group=GROUP)
    (group,) = [each for each in page.ask("cluster")["groups"] if each["name"] == GROUP]

    assert members["total"] == 2
    assert group["nodes"] == {near[1].id: 1, far[1].id: 1}


def test_a_process_of_another_node_can_be_ended(near: tuple[str, gr.Node], bare: gr.Node) -> None:
    pid = bare.spawn(wait)
    page = Page(near[0])
    wait_for(lambda: bare.id in rows_of(page))

    assert page.do("kill", pid=pid)["data"]["said"] == "Killed."

    wait_for(lambda: pid not in bare.processes)


def test_a_node_without_a_dashboard_is_asked_in_vain(
    near: tuple[str, gr.Node], bare: gr.Node
) -> None:
    page = Page(near[0])

    answer = page.request(ask="sockets", **{"with": {"node": bare.id}})

    assert answer["error"] == (
        f"node {bare.id} is not there, or has no dashboard that could tell of it"
    )


def test_what_makes_no_sense_abroad_is_an_error_here(
    near: tuple[str, gr.Node], far: tuple[str, gr.Node]
) -> None:
    page = Page(near[0])
    told(page, far[1], lambda row: row.get("processes"))

    answer = page.request(ask="sockets", **{"with": {"node": far[1].id, "order": "colour"}})

    assert answer["error"].startswith("order: it must be one of oldest, newest")


def test_a_node_that_is_gone_is_not_shown(near: tuple[str, gr.Node], bus: Bus) -> None:
    page = Page(near[0])
    with gr.Node("brief", cluster=LocalEngine(bus)) as brief:
        wait_for(lambda: brief.id in rows_of(page))

    wait_for(lambda: brief.id not in rows_of(page))


def test_a_reload_lets_other_nodes_know_of_a_dashboard(
    near: tuple[str, gr.Node], bus: Bus, tmp_path: Path
) -> None:
    file, app = tmp_path / "config.yaml", Flask("late")
    file.write_text(json.dumps(entries()[:1]))
    with gr.Node("late", cluster=LocalEngine(bus)) as late:
        GreenRelay(app, str(file), node=late)
        with serving(app):
            page = Page(near[0])
            assert "processes" not in told(page, late, lambda row: row.get("state") == "connected")

            # Twice: it comes back after it was taken away.
            for _ in range(2):
                reload_with(app, file, entries())

                row = told(page, late, lambda row: "processes" in row)
                assert row["groups"] == {GROUP: 1}
                assert late.watchdog is not None
                assert late.watchdog.is_running

                reload_with(app, file, entries()[:1])

                told(page, late, lambda row: row and "processes" not in row)
                answer = page.request(ask="sockets", **{"with": {"node": late.id}})
                assert "has no dashboard" in answer["error"]


def reload_with(app: Flask, file: Path, configuration: list[dict[str, object]]) -> None:
    file.write_text(json.dumps(configuration))
    reload(app)


def test_another_dashboard_more_or_less_changes_nothing(
    near: tuple[str, gr.Node], bus: Bus, tmp_path: Path
) -> None:
    file, app = tmp_path / "config.yaml", Flask("late")
    second = {**entries()[1], "name": "second", "path": "/second/"}
    file.write_text(json.dumps(entries()))
    with gr.Node("late", cluster=LocalEngine(bus)) as late:
        GreenRelay(app, str(file), node=late)
        # Before anything runs as well.
        reload_with(app, file, [*entries(), second])
        with serving(app):
            page = Page(near[0])
            told(page, late, lambda row: "processes" in row)

            reload_with(app, file, [entries()[0], second])

            assert page.ask("sockets", node=late.id)["total"] == 0
            assert late.groups.members(GROUP) == (late.names.owner(GROUP),)

            reload_with(app, file, entries()[:1])

            wait_for(lambda: not late.groups.members(GROUP))


def test_a_node_that_is_cut_off_says_so(near: tuple[str, gr.Node], bus: Bus, bare: gr.Node) -> None:
    page = Page(near[0])
    wait_for(lambda: bare.id in rows_of(page))

    bus.cut(near[1].id)
    wait_for(lambda: not page.ask("cluster")["is_reachable"])

    bus.mend(near[1].id)
    wait_for(lambda: page.ask("cluster")["is_reachable"])
    assert http(near[0], "/start")[0] == 200
