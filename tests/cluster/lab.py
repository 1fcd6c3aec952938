"""A real engine of one test, which may come to harm, and nodes on it: here and as OS processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import greenrelay as gr
from greenrelay.cluster import server as module
from greenrelay.cluster.server import DevelopmentServer
from tests.cluster.far import PATIENCE, Far
from tests.cluster.joined import mesh_of
from tests.probe import Probe, wait_for

APP = "lab"
# Leases as short as they may be: a test waits for their end.
OPTIONS = "?lease=2s"
LOOPBACK = "127.0.0.1"


class Lab:
    """The server and what was started on it; all of it ends with the test.

    The server listens on ``address``.
    """

    def __init__(self, folder: Path, stack: ExitStack, address: str = LOOPBACK) -> None:
        configuration = module._CONFIGURATION.replace(LOOPBACK, address)
        self.server = DevelopmentServer(configuration=configuration)
        self.url = self.server.url.replace(LOOPBACK, address) + OPTIONS
        self._folder = folder
        self._stack = stack
        self._numbers = count(1)
        stack.callback(self._stop)

    def near(self, name: str = "near", url: str = "", **options: Any) -> gr.Node:
        """Start a node in this OS process."""
        node = gr.Node(name, cluster=url or self.url, app=APP, **options)
        self._stack.callback(node.shutdown, 1.0)
        return node

    def far(self, name: str = "far", url: str = "", *before: str) -> Far:
        """Start a node in an OS process of its own; ``before`` stands before its command."""
        path = self._folder / f"{name}-{next(self._numbers)}"
        return self._stack.enter_context(Far(path, url or self.url, APP, name, *before))

    def probe(self, node: gr.Node) -> Probe:
        """Start a probe."""
        return self._stack.enter_context(Probe(node))

    def kill_engine(self) -> None:
        """End the server at once, as a crash would."""
        self.server.kill()

    def start_engine(self) -> None:
        """Start it anew at the same address; it knows nothing of before."""
        self.server = DevelopmentServer(port=self.server.port, password=self.server.password)

    def _stop(self) -> None:
        self.server.stop()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """A server of this test's own, and no node yet."""
    with ExitStack() as stack:
        yield Lab(tmp_path, stack)


@pytest.fixture
def near(lab: Lab) -> gr.Node:
    """A node of this OS process."""
    return lab.near()


@pytest.fixture
def far(lab: Lab, near: gr.Node) -> Far:
    """A node of another, which this one can reach."""
    far = lab.far()
    meet(near, far.pid)
    return far


@pytest.fixture
def here(lab: Lab, near: gr.Node) -> Probe:
    """A process of this OS process."""
    return lab.probe(near)


def meet(node: gr.Node, *others: gr.Pid) -> None:
    """Wait until ``node`` can send to the nodes of the processes ``others``, and they to it."""

    def are_open() -> bool:
        links = mesh_of(node).links
        return all(pid.node in links and links[pid.node].session.is_open for pid in others)

    wait_for(are_open, PATIENCE)


def noconnections(probe: Probe, count: int) -> list[gr.Exit | gr.LinkDown]:
    """Wait for so many endings, which must all be ``noconnection``; return them."""
    wait_for(lambda: len(probe.items) >= count, PATIENCE)
    events = [each for each in probe.items if isinstance(each, (gr.Exit, gr.LinkDown))]
    assert len(events) == len(probe.items) == count
    assert {event.result.reason for event in events} == {"noconnection"}
    probe.items.clear()
    return events


def is_registered(probe: Probe, name: str) -> bool:
    """Register a name in the cluster, unless somebody has it or the engine is away."""
    try:
        probe.do(gr.register, name, scope="cluster")
    except (gr.NameTaken, gr.EngineError):
        return False
    return True
