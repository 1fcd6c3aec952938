"""A served app whose routers are guarded, and what its tests need to see of it.

Under ``/open`` anybody may look, under ``/api`` the policies say who may, and ``/ws`` and
``/events`` are relayed to the probe ``target``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from flask import Flask, g

import greenrelay as gr
from greenrelay.http.state import state_of
from greenrelay.runtime.node import Node
from greenrelay.security.authority import authority_of
from greenrelay.security.token_store import TokenStore
from greenrelay.web import GreenRelay, current_actor, is_allowed, relay, stream
from tests.probe import Probe
from tests.serving import http, serving

HERE = __name__
SECRET = "a secret of more than thirty-two bytes"
TARGET = "target"
Entries = Sequence[Mapping[str, object]]
ALLOW: Entries = (
    {
        "name": "members",
        "kind": "security.policy",
        "actions": ["access", "read.*"],
        "resources": ["app:*", "docs/*", "files/**"],
        "effect": "allow",
    },
)


def who() -> dict[str, object]:
    """Tell who makes the request."""
    actor = g.actor
    return {"id": None if actor is None else actor.id}


def live() -> Any:
    """Relay to the probe."""
    return relay(TARGET)


def events() -> Any:
    """Stream from the probe."""
    return stream(TARGET)


def spawning() -> dict[str, object]:
    """Ask a process, and a process of that process, who they run for."""
    return {"ids": gr.exec(parent, timeout=30)}


def parent() -> list[object]:
    """Tell who this process runs for, and who its child does."""
    return [*child(), *gr.exec(child)]


def child() -> list[object]:
    """Tell who this process runs for and what he may do."""
    actor = current_actor()
    return [actor and actor.id, is_allowed("access", "app:who"), is_allowed("drop", "app:who")]


def doc(id: str) -> dict[str, object]:
    """Answer with a document."""
    return {"id": id}


def file(rest: str) -> dict[str, object]:
    """Answer with a file."""
    return {"rest": rest}


def _router(name: str, prefix: str, post: Sequence[str], **options: object) -> dict[str, object]:
    return {
        "name": name,
        "kind": "http.router",
        "meta.server": "gateway",
        "prefix": prefix,
        "middleware": ["token_auth"],
        "options": {"token_auth.store": "tokens"},
        "post_middleware": list(post),
        "post_options": options,
    }


def _endpoint(name: str, router: str, path: str, view: str) -> dict[str, object]:
    return {
        "name": name,
        "kind": "http.endpoint",
        "meta.router": router,
        "path": path,
        "func": f"{HERE}:{view}",
    }


def entries(store: Mapping[str, object] | None = None, policies: Entries = ALLOW) -> list[Any]:
    """Return the configuration of the site; ``store`` are fields of its token store."""
    target = {"resource_firewall.action": "read.doc", "resource_firewall.target": "docs/{id}"}
    tail = {"resource_firewall.action": "read.file", "resource_firewall.target": "files/{rest}"}
    pings = {"wsrelay.ping.interval": 0, "wsrelay.ping.timeout": 0}
    return [
        {"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0"},
        {"name": "tokens", "kind": "security.token_store", **(store or {})},
        *policies,
        _router("open", "/open", []),
        _endpoint("anybody", "open", "/who", "who"),
        _router("api.v1", "/api", ["endpoint_firewall"]),
        _endpoint("who", "api.v1", "/who", "who"),
        _endpoint("who.else", "api.v1", "/else", "who"),
        _endpoint("spawning", "api.v1", "/spawning", "spawning"),
        _router("sockets", "/ws", ["endpoint_firewall", "websocket_relay"], **pings),
        _endpoint("live", "sockets", "/live", "live"),
        _router("inside", "/inside", ["websocket_relay", "endpoint_firewall"], **pings),
        _endpoint("inner", "inside", "/live", "live"),
        _router("streams", "/events", ["endpoint_firewall", "sse_relay"]),
        _endpoint("events", "streams", "/live", "events"),
        _router("inner_streams", "/inner", ["sse_relay", "endpoint_firewall"]),
        _endpoint("inner_events", "inner_streams", "/live", "events"),
        _router("docs", "/docs", ["resource_firewall"], **target),
        _endpoint("doc", "docs", "/{id}", "doc"),
        _router("files", "/files", ["resource_firewall"], **tail),
        _endpoint("file", "files", "/{rest...}", "file"),
    ]


@dataclass(slots=True)
class Site:
    """The served app: its address, and the probe that sockets and streams are relayed to."""

    app: Flask
    address: str
    target: Probe

    @property
    def node(self) -> Node:
        """The node of the app."""
        return state_of(self.app).node

    @property
    def tokens(self) -> TokenStore:
        """The token store of the site."""
        return authority_of(self.node).store("tokens")

    def token(self, actor_id: str = "ada", **options: Any) -> str:
        """Make a token."""
        return self.tokens.create(actor_id, **options)

    def get(self, path: str, token: str = "", **options: Any) -> tuple[int, dict[str, str], str]:
        """Make a request, with a token in its header if there is one."""
        return http(self.address, path, headers=bearer(token), **options)


@contextmanager
def site(store: Mapping[str, object] | None = None, policies: Entries = ALLOW) -> Iterator[Site]:
    """Serve the site."""
    app = Flask("tests.security.site", static_folder=None)
    GreenRelay(app, {"entries": entries(store, policies)})
    node = state_of(app).node
    with serving(app) as address, Probe(node, name=TARGET) as target:
        yield Site(app, address, target)


def bearer(token: str) -> dict[str, str]:
    """Return the header that carries a token; none for none."""
    return {"Authorization": f"Bearer {token}"} if token else {}
