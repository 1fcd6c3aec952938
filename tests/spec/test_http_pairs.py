"""HTTP, "Middleware": every pair around each relay, in either order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import Any

import pytest

from greenrelay.http.registry import SPECS
from greenrelay.web import create_app, token_store
from tests.http.middleware.routed import HERE
from tests.serving import Refused, WebSocketClient, connected, serving
from tests.streaming import EventClient

RELAYS = {"websocket_relay": "echo", "sse_relay": "events"}
PRE = sorted(name for name, spec in SPECS.items() if spec.stage == "pre")
POST = sorted(name for name, spec in SPECS.items() if spec.stage == "post" and name not in RELAYS)
Stack = tuple[tuple[str, ...], tuple[str, ...]]
# What each is given, so that it has something to do.
OPTIONS: dict[str, dict[str, object]] = {
    "cors": {"cors.allow.origins": "https://app.example.com"},
    "ratelimit": {"ratelimit.requests": 1000, "ratelimit.burst": 1000},
    "compress": {"compress.min.length": 0},
    "real_ip": {"real_ip.trust_all": True},
    "token_auth": {"token_auth.store": "tokens"},
    "sendfile": {"sendfile.directory": "."},
    "resource_firewall": {"resource_firewall.target": "everything"},
}
# What each leaves in the head of an answer that it has let through.
TRACES = {
    "cors": ("access-control-allow-origin", "https://app.example.com"),
    "ratelimit": ("x-ratelimit-limit", "1000"),
}


def stacks(relay: str) -> Iterator[Stack]:
    """Yield every order in which two of them can stand around a relay."""
    for one, other in permutations(PRE, 2):
        yield (one, other), (relay,)
    for one, other in product(PRE, POST):
        yield (one,), (other, relay)
        yield (one,), (relay, other)
    for order in permutations([*POST, relay]):
        yield (), order


ALL = [(relay, stack) for relay in RELAYS for stack in stacks(relay)]


def entries(relay: str, stack: Stack) -> list[dict[str, object]]:
    pre, post = stack
    # A firewall lets in nobody without an actor.
    pre = pre if "token_auth" in pre or not set(POST) & set(post) else ("token_auth", *pre)
    return [
        {"name": "tokens", "kind": "security.token_store"},
        {
            "name": "everybody",
            "kind": "security.policy",
            "actions": "access",
            "resources": "*",
            "effect": "allow",
        },
        {
            "name": "router",
            "kind": "http.router",
            "meta.server": "gateway",
            "middleware": list(pre),
            "options": _options(pre),
            "post_middleware": list(post),
            "post_options": {**_options(post), **_origins(relay)},
        },
        {
            "name": "view",
            "kind": "http.endpoint",
            "meta.router": "router",
            "path": "/live",
            "func": f"{HERE}:{RELAYS[relay]}",
        },
    ]


def _options(names: Sequence[str]) -> dict[str, object]:
    return {key: value for name in names for key, value in OPTIONS.get(name, {}).items()}


def _origins(relay: str) -> dict[str, object]:
    prefix = {"websocket_relay": "wsrelay", "sse_relay": "sserelay"}[relay]
    return {f"{prefix}.allowed.origins": "https://app.example.com"}


@pytest.mark.parametrize(
    ("relay", "stack"), ALL, ids=[f"{'+'.join(pre)}|{'+'.join(post)}" for _, (pre, post) in ALL]
)
def test_no_pair_breaks_an_upgrade_or_a_stream(relay: str, stack: Stack) -> None:
    """Any of them may stand around ``websocket_relay`` and ``sse_relay`` and must not break an
    upgrade or a stream."""
    app = create_app(entries(relay, stack))
    with serving(app) as address:
        with app.app_context():
            token = token_store("tokens").create("ada")
        headers = {"Authorization": f"Bearer {token}", "Origin": "https://app.example.com"}

        if relay == "websocket_relay":
            with connected(address, "/live", headers=headers) as client:
                client.send("through")
                assert client.recv() == "through"
                answered = {name.lower(): value for name, value in client.response.headers.items()}
        else:
            wanted = {**headers, "Accept-Encoding": "gzip, br, zstd"}
            listener = EventClient(address, "/live", headers=wanted)
            assert listener.event().name == "sse.message"
            answered = listener.headers
            listener.drop()

    assert "content-encoding" not in answered
    for name in stack[0]:
        if name in TRACES:
            header, value = TRACES[name]
            assert answered[header] == value


@pytest.mark.parametrize("relay", RELAYS)
@pytest.mark.parametrize("firewall", POST)
def test_a_firewall_on_either_side_of_a_relay_lets_in_nobody_else(
    relay: str, firewall: str
) -> None:
    """401 without an actor"""
    for post in ((firewall, relay), (relay, firewall)):
        with serving(create_app(entries(relay, ((), post)))) as address:
            assert _status(relay, address) == 401


def _status(relay: str, address: str) -> int:
    if relay == "sse_relay":
        client: Any = EventClient(address, "/live")
        client.drop()
        return int(client.status)
    with pytest.raises(Refused) as refused:
        WebSocketClient(address, "/live")
    return refused.value.status
