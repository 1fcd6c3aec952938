"""A served app whose routers all have the same pre-match middleware, and the views behind it.

::

    with routed("cors", {"cors.allow.origins": "*"}) as site:
        status, headers, body = site.get("/api/plain")

Below ``/api`` are plain views, below ``/ws`` and ``/sse`` those of the relays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from flask import Flask, Response, abort, request

from greenrelay import inbox, send, spawn
from greenrelay.http.state import state_of
from greenrelay.runtime.node import Node
from greenrelay.web import create_app, relay, stream
from tests.serving import Refused, WebSocketClient, http, serving

HERE = "tests.http.middleware.routed"
# Every view that has run.
calls: list[str] = []


def target() -> None:
    """Send each message of a WebSocket back, and tell streams who they are."""
    for message in inbox():
        payload: Any = message.payload
        if message.topic == "ws.message":
            send(payload["client_pid"], "ws.send", payload["data"])
        elif message.topic == "sse.join":
            send(payload["client_pid"], "sse.message", payload["remote_addr"])


def plain() -> str:
    """Answer."""
    calls.append("plain")
    return "plain"


def peer() -> list[str | None]:
    """Tell whose request it is, in both places that say so."""
    return [request.remote_addr, request.environ.get("REMOTE_ADDR")]


def missing() -> str:
    """Abort."""
    abort(404)


def crash() -> str:
    """Fail."""
    raise LookupError("of the view")


def own() -> Response:
    """Answer with headers of its own."""
    headers = {name: request.args[name] for name in request.args}
    return Response("own", headers=headers)


def echo() -> Any:
    """Relay to a target of its own."""
    calls.append("echo")
    return relay(spawn(target))


def events() -> Any:
    """Stream from a target of its own."""
    calls.append("events")
    return stream(spawn(target))


class Site:
    """What a test has in hand."""

    def __init__(self, app: Flask, address: str) -> None:
        self.app = app
        self.address = address

    @property
    def node(self) -> Node:
        """The node of the app."""
        return state_of(self.app).node

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], str]:
        """Make a GET; ``X_Real_IP`` is the header X-Real-IP."""
        return self.request("GET", path, **headers)

    def request(self, method: str, path: str, /, **headers: str) -> tuple[int, dict[str, str], str]:
        """Make a request with another method."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return http(self.address, path, method=method, headers=fields)

    def peer(self, **headers: str) -> str:
        """Return the address that a view sees, by either way."""
        seen, in_environ = json.loads(self.get("/api/peer", **headers)[2])
        assert seen == in_environ
        return str(seen)

    def refusal(self, path: str = "/ws/echo", **options: Any) -> Refused:
        """Open a WebSocket that must be refused, and return how it was."""
        try:
            WebSocketClient(self.address, path, **options).drop()
        except Refused as refused:
            return refused
        raise AssertionError("the handshake was not refused")


def entries(
    middleware: str, options: Mapping[str, object], post_options: Mapping[str, object]
) -> list[dict[str, object]]:
    """Return the configuration of the routers."""
    found: list[dict[str, object]] = []
    views: dict[str, list[Callable[[], object]]] = {
        "api": [plain, peer, missing, crash, own],
        "ws": [echo],
        "sse": [events],
    }
    for name, functions in views.items():
        router: dict[str, object] = {
            "name": name,
            "kind": "http.router",
            "meta.server": "gateway",
            "prefix": f"/{name}",
            "middleware": middleware,
            "options": dict(options),
        }
        if name != "api":
            start = {"ws": "wsrelay.", "sse": "sserelay."}[name]
            router["post_middleware"] = {"ws": "websocket_relay", "sse": "sse_relay"}[name]
            mine = {key: value for key, value in post_options.items() if key.startswith(start)}
            router["post_options"] = mine
        found += [router, *(endpoint(name, function.__name__) for function in functions)]
    return found


def endpoint(router: str, function: str) -> dict[str, object]:
    """Return the endpoint of one view."""
    return {
        "name": function,
        "kind": "http.endpoint",
        "meta.router": router,
        "path": f"/{function}",
        "func": f"{HERE}:{function}",
    }


@contextmanager
def routed(
    middleware: str,
    options: Mapping[str, object] | None = None,
    post_options: Mapping[str, object] | None = None,
) -> Iterator[Site]:
    """Serve the views behind ``middleware``, a comma list, with its options."""
    calls.clear()
    app = create_app(entries(middleware, options or {}, post_options or {}))
    with serving(app) as address:
        yield Site(app, address)
