"""Source: HTTP, "Middleware", around views that are ``async``: as Flask runs them without it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
from flask import Flask

from greenrelay.http.state import state_of
from greenrelay.web import (
    Actor,
    act_as,
    compress,
    cors,
    create_app,
    endpoint_firewall,
    metrics,
    otel,
    ratelimit,
    real_ip,
    relay,
    resource_firewall,
    sendfile,
    sse_relay,
    stream,
    token_auth,
    websocket_relay,
)
from tests.http.middleware.routed import target
from tests.serving import connected, relay_app, serving
from tests.streaming import EventClient

HERE = "tests.http.middleware.test_async_views"
STORE = {"name": "tokens", "kind": "security.token_store"}
POLICY = {
    "name": "all",
    "kind": "security.policy",
    "actions": "*",
    "resources": "*",
    "effect": "allow",
}
DECORATORS: dict[str, Callable[[], Any]] = {
    "compress": compress,
    "cors": cors,
    "endpoint_firewall": endpoint_firewall,
    "metrics": metrics,
    "otel": otel,
    "ratelimit": ratelimit,
    "real_ip": real_ip,
    "resource_firewall": lambda: resource_firewall(target="hello"),
    "sendfile": lambda: sendfile(directory="."),
    "sse_relay": sse_relay,
    "token_auth": lambda: token_auth(store="tokens"),
    "websocket_relay": websocket_relay,
}


async def hello() -> str:
    """Answer, later."""
    await asyncio.sleep(0)
    return "hello"


def run_to_the_end(view: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., Any]:
    """What Flask has asgiref for."""
    return lambda *args, **kwargs: asyncio.run(view(*args, **kwargs))


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    with relay_app("tests.async", [STORE, POLICY]) as app:
        monkeypatch.setattr(app, "async_to_sync", run_to_the_end)
        app.before_request(lambda: act_as(Actor("ada")))
        yield app


@pytest.mark.parametrize("name", DECORATORS)
def test_a_decorator_stands_around_an_async_view(app: Flask, name: str) -> None:
    app.get("/")(DECORATORS[name]()(hello))

    answer = app.test_client().get("/")

    assert (answer.status_code, answer.text) == (200, "hello")


@pytest.mark.parametrize("post", ["websocket_relay", "sse_relay", ""])
def test_a_router_stands_around_an_async_view(post: str, monkeypatch: pytest.MonkeyPatch) -> None:
    router = {"name": "r", "kind": "http.router", "meta.server": "gateway", "middleware": "cors"}
    view = {"name": "v", "kind": "http.endpoint", "meta.router": "r", "path": "/"}
    app = create_app([{**router, "post_middleware": post}, {**view, "func": f"{HERE}:hello"}])
    monkeypatch.setattr(app, "async_to_sync", run_to_the_end)

    answer = app.test_client().get("/")
    state_of(app).node.shutdown(0.5)

    assert (answer.status_code, answer.text) == (200, "hello")


def test_an_async_view_relays(app: Flask) -> None:
    names = [app.extensions["greenrelay"].node.spawn(target) for _ in range(2)]

    @app.get("/socket")
    @websocket_relay()
    async def socket() -> Any:
        return relay(str(names[0]))

    @app.get("/stream")
    @sse_relay()
    async def events() -> Any:
        return stream(str(names[1]))

    with serving(app) as address:
        with connected(address, "/socket") as client:
            client.send("hi")
            assert client.recv() == "hi"
        listener = EventClient(address, "/stream")
        assert listener.event().data == "127.0.0.1"
        listener.drop()
