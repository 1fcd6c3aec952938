"""One node is cut off from the engine, all others go on: by a proxy, and by a network of its own.

With the proxy the bytes stop and the connections stay, on any machine. With a network namespace it
is the kernel that lets nothing through; that takes root.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

import greenrelay as gr
from tests.cluster.far import PATIENCE, Far
from tests.cluster.joined import mesh_of
from tests.cluster.lab import Lab, is_registered, meet, noconnections
from tests.cluster.namespace import Namespace, can_make_namespaces
from tests.cluster.proxy import Proxy
from tests.probe import Probe, assert_nothing, wait_for


@dataclass(frozen=True)
class Setting:
    """Three nodes, of which ``far`` hangs on a cable that can be cut."""

    cable: Proxy | Namespace
    near: gr.Node
    far: Far
    other: Far
    here: Probe


@pytest.fixture(params=["proxy", "namespace"])
def setting(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Setting]:
    """Three nodes that have met."""
    with ExitStack() as stack:
        cable: Proxy | Namespace
        before: tuple[str, ...] = ()
        if request.param == "proxy":
            lab = Lab(tmp_path, stack)
            cable = stack.enter_context(Proxy(lab.server.port))
            url = cable.url(lab.url)
        elif can_make_namespaces():
            cable = stack.enter_context(Namespace())
            lab = Lab(tmp_path, stack, cable.address)
            url, before = lab.url, cable.command
        else:
            pytest.skip("only root can make namespaces; the proxy has shown the same")
        near, other = lab.near(), lab.far("other")
        far = lab.far("far", url, *before)
        meet(near, far.pid, other.pid)
        wait_for(lambda: far.pid.node in other.all_told("up"), PATIENCE)
        yield Setting(cable, near, far, other, lab.probe(near))
        # What is held up would hold the end of the test up.
        cable.mend()


def test_a_node_that_is_cut_off_is_gone_and_works_on_alone(setting: Setting) -> None:
    """A node that cannot reach the engine for 3 s counts all others as noconnection, keeps working
    locally, drops its cluster names by its own monotonic clock, and comes back with a new
    incarnation.
    """
    near, far, other, here = setting.near, setting.far, setting.other, setting.here
    here.do(gr.monitor, far.pid)
    here.do(gr.link, far.pid)
    far.do("watch", here.pid)
    far.do("own", "leader")
    far.told("watches")
    far.wait_for("owns leader")
    before = mesh_of(near).links[far.pid.node].member

    setting.cable.cut()
    noconnections(here, 3)
    far.wait_for("lost leader None")
    wait_for(lambda: is_registered(here, "leader"), PATIENCE)
    far.do("work", 100)
    assert far.told("worked") == "100"
    wait_for(lambda: len(far.all_told("heard")) == 2, PATIENCE)
    assert sorted(far.all_told("down")) == sorted([near.id, other.pid.node])
    assert here.do(gr.call, other.pid, "ask", "there") == "there"
    assert near.id not in other.all_told("down")
    setting.cable.mend()

    meet(near, far.pid)
    assert mesh_of(near).links[far.pid.node].member != before
    wait_for(lambda: here.do(gr.call, far.pid, "ask", "again") == "again", PATIENCE)
    far.do("whereis", "leader")
    assert far.told("whereis") == f"leader {here.pid}"
    assert sorted(far.all_told("heard")) == ["EXIT noconnection", "LINK_DOWN noconnection"]
    assert_nothing(here)


def test_a_short_cut_loses_nothing(setting: Setting) -> None:
    """a hole always shows …; an engine restart or fail-over loses nothing"""
    far, here = setting.far, setting.here
    got: list[object] = []
    collector = setting.near.spawn(
        lambda: got.extend(gr.receive("number").payload for _ in range(500))
    )
    far.do("collect", 500)
    there = gr.Pid.parse(far.told("collects"))
    here.do(gr.monitor, there)

    setting.cable.cut()
    far.do("flood", collector, 10_000, 500)
    for number in range(500):
        here.do(gr.send, there, "number", number)
    assert far.told("flooded") == "500 0"
    assert got == []
    setting.cable.mend()

    assert far.told("collected") == "True"
    wait_for(lambda: len(got) == 500, PATIENCE)
    assert got == list(range(500))
    wait_for(lambda: collector not in setting.near.processes)
    assert far.all_told("more") == far.all_told("down") == []
    assert_nothing(here)


def test_others_reach_each_other_while_one_is_cut_off(setting: Setting) -> None:
    """telling a cut network from a death is not promised; what is not cut goes on"""
    here, other = setting.here, setting.other
    here.do(gr.monitor, other.pid)
    other.do("own", "other")
    other.wait_for("owns other")

    setting.cable.cut()
    wait_for(lambda: setting.far.pid.node not in mesh_of(setting.near).links, PATIENCE)

    assert here.do(gr.call, other.pid, "ask", "there") == "there"
    wait_for(lambda: here.do(gr.whereis, "other") is not None)
    here.do(gr.register, "new", scope="cluster")
    other.do("whereis", "new")
    assert other.told("whereis") == f"new {here.pid}"
    assert other.all_told("lost") == []
    assert_nothing(here)
