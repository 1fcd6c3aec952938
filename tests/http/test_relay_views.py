"""Both relays around the views of one blueprint: WebSocket Relay, "Refusals before the upgrade"."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from greenrelay.http.state import state_of
from greenrelay.runtime.node import Node
from greenrelay.web import create_app
from tests.http.relay_views import spawned
from tests.probe import wait_for
from tests.serving import Refused, WebSocketClient, connected, http, serving
from tests.streaming import EventClient


class Site:
    """An app under both relays, that is served."""

    def __init__(self, address: str, node: Node) -> None:
        self.address = address
        self.node = node

    def lives(self, pid: str) -> bool:
        return pid in self.node.processes


@pytest.fixture(params=["websocket_relay, sse_relay", "sse_relay, websocket_relay"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    spawned.clear()
    router = {
        "name": "both",
        "kind": "http.router",
        "meta.server": "gateway",
        "prefix": "/x",
        "post_middleware": request.param,
        "blueprint": "tests.http.relay_views:both",
    }
    app = create_app([router])
    with serving(app) as address:
        yield Site(address, state_of(app).node)


def refused(site: Site, path: str) -> Refused:
    with pytest.raises(Refused) as caught:
        WebSocketClient(site.address, path)
    return caught.value


def test_a_view_may_answer_with_either(site: Site) -> None:
    with connected(site.address, "/x/either") as client:
        assert client.recv() == "hello"
        assert client.response.headers["X-Seen"] == "yes"
    listener = EventClient(site.address, "/x/either", headers={"Accept": "text/event-stream"})

    assert listener.event().data == "hello"
    assert listener.headers["x-seen"] == "yes"
    listener.drop()


def test_any_other_answer_passes_both(site: Site) -> None:
    assert http(site.address, "/x/plain")[2] == "plain"
    assert refused(site, "/x/plain").body == "plain"


def test_a_websocket_is_no_stream_and_a_stream_no_websocket(site: Site) -> None:
    assert http(site.address, "/x/socket")[0] == 426
    assert refused(site, "/x/stream").status == 400

    wait_for(lambda: not any(map(site.lives, spawned)))
    assert len(spawned) == 2


def test_options_are_flasks_and_run_no_view(site: Site) -> None:
    status, headers, _ = http(site.address, "/x/either", method="OPTIONS")

    assert (status, sorted(headers["allow"].split(", "))) == (200, ["GET", "HEAD", "OPTIONS"])
    assert spawned == []


def test_head_is_answered_where_there_is_no_relay_and_refused_where_there_is(site: Site) -> None:
    assert http(site.address, "/x/plain", method="HEAD")[0] == 200
    assert http(site.address, "/x/socket", method="HEAD")[0] == 426
    assert http(site.address, "/x/stream", method="HEAD")[0] == 400

    wait_for(lambda: not any(map(site.lives, spawned)))


def test_the_blueprint_may_refuse_before_the_view(site: Site) -> None:
    assert http(site.address, "/x/stream?out=1")[0] == 401
    assert refused(site, "/x/socket?out=1").status == 401
    assert spawned == []


@pytest.mark.parametrize(
    ("what", "status"), [("handled", 409), ("aborted", 403), ("unhandled", 500)]
)
@pytest.mark.parametrize("how", ["socket", "stream"])
def test_a_view_that_fails_after_it_has_named_its_target_leaves_none_behind(
    site: Site, how: str, what: str, status: int
) -> None:
    """a target that this very request spawned and nobody else has been told of is cancelled"""
    path = f"/x/fails/{how}/{what}"

    found = refused(site, path).status if how == "socket" else http(site.address, path)[0]

    assert found == status
    other, named = spawned
    wait_for(lambda: not site.lives(named))
    # Nobody was to relay to this one.
    assert site.lives(other)
