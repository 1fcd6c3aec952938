"""What a running program does for the command line. Source: Operations, "Command line"."""

from __future__ import annotations

import gevent

from greenrelay.admin.command import Program, drain
from tests.relaying import relaying


def test_a_drain_tells_the_clients_of_all_servers_at_once() -> None:
    with (
        relaying(drain_period=20) as one,
        relaying(drain_period=20) as other,
        one.connect() as slow,
        other.connect() as quick,
    ):
        one.joined(), other.joined()
        draining = gevent.spawn(drain, Program([one.app, other.app]), {})

        assert quick.wait_closed()[0] == 1012
        # Its client has not answered yet.
        assert one.connections()
        assert slow.wait_closed()[0] == 1012
        assert draining.get(timeout=30) == {"closed": 2}
