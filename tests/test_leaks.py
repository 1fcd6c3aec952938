"""The leak check itself: it must see what it is there for."""

from __future__ import annotations

import gc
import socket

import gevent
import pytest
from gevent.event import Event as Flag

from greenrelay.proving import leaks
from greenrelay.runtime.messaging import receive
from greenrelay.runtime.node import Node, open_nodes
from greenrelay.runtime.relations import monitor
from tests.leaks import LeakCheck, no_leaks
from tests.probe import Probe


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "SETTLE_SECONDS", 0.02)


def test_a_leaked_process_fails_the_test(node: Node) -> None:
    left = []

    with pytest.raises(AssertionError, match=r"1 process\(es\) of test\..*receive"), no_leaks():
        left.append(node.spawn(receive))

    node.terminate(left[0])


def test_a_leaked_monitor_fails_the_test(node: Node) -> None:
    one, other = Probe(node), Probe(node)

    with pytest.raises(AssertionError, match="links or monitors"), no_leaks():
        one.do(monitor, other.pid)

    one.close()
    other.close()


def test_a_leaked_name_fails_the_test(node: Node, probe: Probe) -> None:
    with pytest.raises(AssertionError, match=r"1 name\(s\)"), no_leaks():
        node.register("left", node.processes[probe.pid])


def test_a_leaked_socket_fails_the_test() -> None:
    left = []

    with pytest.raises(AssertionError, match=r"file \d+ is open: socket"), no_leaks():
        left.append(socket.socket())

    left[0].close()


def test_a_leaked_greenlet_fails_the_test() -> None:
    flag = Flag()
    left = []

    with pytest.raises(AssertionError, match=r"greenlet .* lives"), no_leaks():
        left.append(gevent.spawn(flag.wait))

    flag.set()
    left[0].join()


def test_a_node_left_open_fails_the_test() -> None:
    left = []

    with pytest.raises(AssertionError, match=r"node left.* is open"), no_leaks():
        left.append(Node("left"))

    left[0].shutdown()
    assert left[0] not in open_nodes


def test_what_ends_by_itself_soon_is_no_leak(node: Node) -> None:
    with no_leaks():
        gevent.spawn(gevent.sleep, 0.001)
        node.spawn(gevent.sleep, 0.001)


def test_a_body_that_raises_keeps_its_own_error() -> None:
    flag = Flag()
    left: list[gevent.Greenlet[..., object]] = []

    def leave_greenlet() -> None:
        with no_leaks():
            left.append(gevent.spawn(flag.wait))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        leave_greenlet()

    flag.set()
    left[0].join()


def test_the_objects_made_before_are_collected_again_afterwards() -> None:
    check = LeakCheck()
    frozen = gc.get_freeze_count()
    LeakCheck._depth, depth = 1, LeakCheck._depth

    check.close()

    LeakCheck._depth = depth - 1
    assert frozen > 0
    assert gc.get_freeze_count() == 0
