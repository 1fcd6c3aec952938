"""Against servers of other libraries, and ours: the same conversations."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from greenrelay import inbox, send, spawn
from greenrelay.client import connect
from greenrelay.web import GreenRelay, relay, websocket_relay
from tests.serving import serving

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def others() -> Iterator[dict[str, str]]:
    """The URLs of the servers of other libraries, each in an OS process of its own."""
    servers = {kind: _start(kind) for kind in ("websockets", "aiohttp")}
    try:
        yield {kind: f"ws://127.0.0.1:{_port(server)}/" for kind, server in servers.items()}
    finally:
        for server in servers.values():
            server.communicate()


def _start(kind: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.client.servers", kind]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)


def _port(server: subprocess.Popen[str]) -> int:
    assert server.stdout is not None
    return int(server.stdout.readline())


@pytest.fixture(params=["websockets", "aiohttp", "greenrelay"])
def url(request: pytest.FixtureRequest, others: dict[str, str]) -> Iterator[str]:
    """Each server in turn."""
    if request.param != "greenrelay":
        yield others[request.param]
        return
    with serving(_app()) as address:
        yield f"ws://{address}/"


def _app() -> Flask:
    app = Flask("tests.client")
    GreenRelay(app)

    @app.get("/")
    @websocket_relay(max_message_size="16MiB", compression="on", queue_bytes="64MiB")
    def view() -> Any:
        return relay(spawn(_echo), subprotocols=["chat"])

    return app


def _echo() -> None:
    for message in inbox():
        payload: Any = message.payload
        if message.topic == "ws.leave":
            return
        if message.topic != "ws.message":
            continue
        if payload["data"] == "close":
            send(payload["client_pid"], "ws.close", {"code": 4000, "reason": "as you wish"})
        else:
            send(payload["client_pid"], "ws.send", payload["data"])


@pytest.mark.parametrize("compression", [None, "deflate"])
def test_messages_go_there_and_back(url: str, compression: Any) -> None:
    messages: list[str | bytes] = ["größe", b"\0\xff", "x" * 70_000, b"y" * 3_000_000, ""]

    with connect(url, subprotocols=["soap", "chat"], compression=compression) as client:
        for message in messages:
            client.send(message)
            assert client.receive(timeout=30).data == message
        assert client.subprotocol == "chat"
        assert client.ping() > 0

    assert (client.code, client.reason) == (1000, "")


def test_a_hundred_messages_in_flight_keep_their_order(url: str) -> None:
    with connect(url, subprotocols=["chat"], compression="deflate") as client:
        for number in range(100):
            client.send(f"{number} " * 200)

        got = [client.receive(timeout=30).data for _ in range(100)]

    assert got == [f"{number} " * 200 for number in range(100)]


def test_a_close_of_the_server_is_seen_with_code_and_reason(url: str) -> None:
    client = connect(url, subprotocols=["chat"])
    client.send("close")

    assert list(client) == []
    assert (client.code, client.reason) == (4000, "as you wish")


def test_a_close_of_ours_is_clean(url: str) -> None:
    client = connect(url, subprotocols=["chat"])
    client.close(4001, "done")

    assert (client.code, client.reason) == (4001, "done")
