"""Source: HTTP, "Servers it must run on": each socket gets 1012 within the drain period, and the
worker leaves early when none is left. And what an idle connection costs."""

from __future__ import annotations

import signal

import pytest

from tests.servers.conftest import Site
from tests.servers.crowd import crowd, part
from tests.servers.http import get
from tests.servers.kinds import SERVERS, address_of
from tests.servers.running import running

COUNT = 500
# With its target, a server: what a connection may cost under our own server.
IDLE_BYTES = 5_000


@pytest.mark.parametrize("kind", ["run", "worker", "gevent-websocket", "gevent+door"])
def test_500_connections_drain_within_the_period_and_the_worker_is_gone(kind: str) -> None:
    """``wsrelay.drain.code``, ``wsrelay.drain.period``: spread over the period with jitter"""
    with running(SERVERS[kind]) as server:
        site = Site(kind, address_of(server), server)
        with crowd(site, "/brief/quiet", COUNT) as clients:
            server.signal(signal.SIGTERM)

            assert part(clients, timeout=10) == {1012: COUNT}
            assert server.wait() == 0
        assert "graceful timeout" not in server.output
        assert not server.trouble
        assert not server.has_left_processes


def test_an_idle_connection_with_its_target_costs_little_memory() -> None:
    count = 1500
    with running(SERVERS["run"]) as server:
        site = Site("run", address_of(server), server)
        # What the first connections bring about once and for all is not counted.
        with crowd(site, "/brief/quiet", 200) as clients:
            for client in clients:
                client.sock.close()
        before = int(get(site.address, "/memory").body)

        with crowd(site, "/brief/quiet", count):
            each = (int(get(site.address, "/memory").body) - before) / count

        assert each <= IDLE_BYTES, f"an idle connection costs {each:.0f} bytes"
        print(f"an idle connection costs {each:.0f} bytes")
