from __future__ import annotations

from pathlib import Path

import pytest
from gevent.event import Event as Flag

import greenrelay as gr
from tests.cluster.joined import Joined, mesh_of, wire_of
from tests.probe import Probe, assert_event, assert_receive, wait_for

ENTRY = "app:worker"
# Of a module that takes its time.
LOADING, MAY_LOAD = Flag(), Flag()


@pytest.fixture
def here(joined: Joined, one: gr.Node, two: gr.Node) -> Probe:
    """A process of the first node; the second declares an entry."""
    two.entries.declare(ENTRY, f"{__name__}:worker")
    two.entries.declare("app:dies", f"{__name__}:dies")
    return joined.probe(one)


def worker(pid: gr.Pid, word: str = "hello") -> None:
    """Say a word to ``pid`` and wait."""
    gr.send(pid, word, dict(gr.context()))
    gr.receive("stop")


def dies() -> None:
    """Crash in the first line."""
    raise RuntimeError("at once")


def test_a_declared_entry_is_started_on_another_node(here: Probe, two: gr.Node) -> None:
    """spawn(…, node=…) for declared entries"""
    pid = here.do(gr.spawn, ENTRY, here.pid, word="hi", node=two.id)

    assert pid in two.processes
    assert assert_receive(here, topic="hi").sender == pid
    two.send(pid, "stop")


def test_the_own_node_is_no_other(one: gr.Node, here: Probe) -> None:
    pid = here.do(gr.spawn, worker, here.pid, node=one.id)

    assert pid in one.processes
    one.send(pid, "stop")


def test_name_host_and_context_go_along(here: Probe, two: gr.Node) -> None:
    def start() -> gr.Pid:
        spawner = gr.with_context(request="r1")
        return spawner.spawn(ENTRY, here.pid, node=two.id, name="the worker", host="processes")

    pid = here.do(start)

    assert two.names.owner("the worker") == pid
    assert assert_receive(here, topic="hello").payload == {"request": "r1"}
    two.send(pid, "stop")


def test_relations_are_in_force_before_the_first_line_runs(here: Probe, two: gr.Node) -> None:
    """relation and name are in force before its first line runs"""
    pid = here.do(gr.spawn_linked_monitored, "app:dies", node=two.id)

    exit = assert_event(here, kind="EXIT", pid=pid)
    down = assert_event(here, kind="LINK_DOWN", pid=pid)
    assert exit.result.reason == down.result.reason == "RuntimeError: at once"


def test_the_child_ends_with_a_parent_it_is_linked_to(
    here: Probe, one: gr.Node, two: gr.Node
) -> None:
    pid = here.do(gr.spawn_linked, ENTRY, here.pid, node=two.id)

    one.terminate(here.pid)

    wait_for(lambda: pid not in two.processes)


def test_what_is_not_declared_there_is_not_started(here: Probe, two: gr.Node) -> None:
    """a remote node can only name a declared entry"""
    for entry in (f"{__name__}:worker", "os:system", "app:other"):
        with pytest.raises(gr.UnknownEntry, match="not declared there"):
            here.do(gr.spawn, entry, here.pid, node=two.id)

    assert not two.processes


def test_a_callable_stays_on_its_node(here: Probe, two: gr.Node) -> None:
    with pytest.raises(gr.UnknownEntry, match="ids of its declared entries"):
        here.do(gr.spawn, worker, here.pid, node=two.id)


def test_what_is_wrong_there_is_raised_here(here: Probe, two: gr.Node) -> None:
    with pytest.raises(gr.UnknownHost):
        here.do(gr.spawn, ENTRY, here.pid, node=two.id, host="nowhere")
    two.hosts["processes"].max_processes = 0
    with pytest.raises(gr.HostFull):
        here.do(gr.spawn, ENTRY, here.pid, node=two.id)


def test_a_child_is_ended_whose_parent_ended_before_it_heard_of_it(
    here: Probe, one: gr.Node, two: gr.Node
) -> None:
    def start() -> None:
        gr.spawn_linked_monitored(ENTRY, here.pid, node=two.id)

    wire_of(two).hold()
    parent = one.spawn(start)
    wait_for(lambda: two.processes)

    one.terminate(parent)
    wait_for(lambda: parent not in one.processes)
    wire_of(two).let_go()

    wait_for(lambda: not two.processes)
    wait_for(lambda: not len(one.topology) and not len(two.topology))
    assert mesh_of(one).links[two.id].calls == {}


def test_an_entry_that_cannot_be_loaded_says_why(
    here: Probe, two: gr.Node, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "broken_entry.py").write_text("raise LookupError('at the first line')\n")
    two.entries.declare("app:broken", "broken_entry:run")

    with pytest.raises(LookupError, match="at the first line"):
        here.do(gr.spawn, "app:broken", node=two.id)

    assert not two.processes


def test_nothing_is_started_for_who_has_heard_that_it_was_not(
    here: Probe,
    one: gr.Node,
    two: gr.Node,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    text = (
        f"from {__name__} import LOADING, MAY_LOAD, worker as run\nLOADING.set()\nMAY_LOAD.wait()\n"
    )
    (tmp_path / "slow_entry.py").write_text(text)
    two.entries.declare("app:slow", "slow_entry:run")
    heard: list[str] = []

    def start() -> None:
        try:
            gr.spawn("app:slow", here.pid, node=two.id)
        except gr.ProcessDown as error:
            heard.append(error.reason)

    one.spawn(start)
    LOADING.wait()
    mesh_of(two).links[one.id].session.reset()
    wait_for(lambda: heard == ["noconnection"])
    MAY_LOAD.set()

    wait_for(lambda: not mesh_of(two)._greenlets)
    assert not two.processes


def test_arguments_must_be_plain(here: Probe, two: gr.Node) -> None:
    with pytest.raises(gr.UnsendablePayload) as raised:
        here.do(gr.spawn, ENTRY, object(), node=two.id)

    assert raised.value.text == "arguments[0]['args'][0]"
    assert mesh_of(here.node).links[two.id].calls == {}


def test_a_node_that_is_not_there_says_so(here: Probe) -> None:
    with pytest.raises(gr.ProcessDown, match="noconnection"):
        here.do(gr.spawn, ENTRY, here.pid, node="nobody.1")


def test_a_node_without_a_cluster_reaches_no_other() -> None:
    with gr.Node() as node, Probe(node) as probe, pytest.raises(gr.ProcessDown):
        probe.do(gr.spawn, ENTRY, node="nobody.1")
