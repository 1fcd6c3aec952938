"""Whoever asks for the metrics holds nobody up. Source: Operations, "Metrics and health"."""

from __future__ import annotations

import socket

import gevent

from greenrelay.http.state import state_of
from greenrelay.metrics.publisher import publisher
from greenrelay.metrics.snapshot import STRIDE
from tests.metrics.test_publisher import shown
from tests.probe import end, wait
from tests.serving import serving


def test_sockets_are_read_between_two_parts_of_a_look_at_everything() -> None:
    app = shown()
    one, other = socket.socketpair()
    came: list[bool] = []
    watcher = gevent.get_hub().loop.io(one.fileno(), 1)
    with serving(app), one, other:
        node = state_of(app).node
        pids = [node.spawn(wait) for _ in range(3 * STRIDE)]
        watcher.start(came.append, True)
        other.send(b"x")

        publisher().publish()

        watcher.close()
        end(node, *pids)
        assert came
