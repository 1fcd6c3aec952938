"""Measures what an open dashboard costs a server that is full of sockets.

``python -m bench.dashboard [SOCKETS]`` takes about two minutes. A server holds 10,000 idle sockets
and 100 more that ask for an echo twenty times a second each. Round trips and the server's processor
time are taken while no dashboard is open, and while a page asks for what its views do, as often as
they do. Who asks is no browser, which would want the processor for itself.
"""

from __future__ import annotations

from gevent import monkey

monkey.patch_all()

import json  # noqa: E402 - nothing may be imported before the patch
import os  # noqa: E402
import re  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from dataclasses import dataclass, field  # noqa: E402
from typing import Any  # noqa: E402

import gevent  # noqa: E402
from flask import Flask  # noqa: E402
from gevent.event import Event  # noqa: E402

from greenrelay.client import Client, connect  # noqa: E402
from greenrelay.http.state import state_of  # noqa: E402
from greenrelay.process import RelayTarget, send  # noqa: E402
from greenrelay.transport.server import Server  # noqa: E402
from greenrelay.web import GreenRelay, relay, websocket_relay  # noqa: E402

SOCKETS, ASKERS, EVERY, SECONDS = 10_000, 100, 0.05, 10.0
# As the page does: see main.js.
SHARE = 20.0
PHASES: tuple[tuple[str, float, dict[str, object] | None], ...] = (
    ("no dashboard", 0.0, None),
    ("overview", 1.0, {"ask": "overview"}),
    ("sockets", 2.0, {"ask": "sockets", "with": {}}),
    ("sockets, longest queue", 2.0, {"ask": "sockets", "with": {"order": "queue"}}),
    ("sockets, search", 2.0, {"ask": "sockets", "with": {"text": "nobody"}}),
    ("processes, tree", 2.0, {"ask": "processes", "with": {"order": "tree"}}),
    ("processes, growth", 2.0, {"ask": "processes", "with": {"order": "growth"}}),
    ("no dashboard again", 0.0, None),
)
CONFIGURATION = [
    {"name": "gateway", "kind": "http.service", "addr": "127.0.0.1:0"},
    {"name": "dashboard", "kind": "http.dashboard", "meta.server": "gateway"},
]


class Echo(RelayTarget):
    """Says again what a client says."""

    def on_message(self, payload: dict[str, Any]) -> None:
        """Say it again."""
        send(payload["client_pid"], "ws.send", payload["data"])


def serve() -> None:
    """Be the server; prints its port."""
    app = Flask("bench")
    GreenRelay(app, CONFIGURATION)
    node = state_of(app).node
    target = node.spawn(Echo, name="echo")

    @app.get("/ws")
    # An idle socket of the load answers no ping.
    @websocket_relay(max_connections=0, ping_interval=0)
    def ws() -> Any:
        return relay(target, metadata={"user_id": "somebody"})

    server = Server(app)
    server.start()
    print(server.url.rpartition(":")[2].rstrip("/"), flush=True)
    state_of(app).start()
    Event().wait()


@dataclass(slots=True)
class Figures:
    """What one phase has shown, in milliseconds and shares of a processor."""

    trips: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    busy: float = 0.0

    def line(self, name: str) -> str:
        """Return it as a row of the table."""
        trips, answers = sorted(self.trips), sorted(self.answers)
        cells = [_at(trips, 0.5), _at(trips, 0.99), _at(trips, 1.0), _at(answers, 0.5)]
        shown = " | ".join("-" if each is None else f"{each * 1000:.2f}" for each in cells)
        return f"| {name} | {shown} | {len(answers)} | {self.busy:.1%} |"


def _at(values: list[float], share: float) -> float | None:
    return values[min(len(values) - 1, int(len(values) * share))] if values else None


@contextmanager
def server() -> Iterator[tuple[int, str]]:
    """Start the server; yields its process id and address."""
    command = [sys.executable, "-m", "bench.dashboard", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.pid, f"127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def idle(address: str, count: int) -> list[socket.socket]:
    """Open ``count`` sockets that say nothing."""
    host, _, port = address.rpartition(":")
    head = (
        f"GET /ws HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    ).encode()
    found: list[socket.socket] = []
    while len(found) < count:
        fresh = [socket.create_connection((host, int(port))) for _ in range(100)]
        for each in fresh:
            each.sendall(head)
        for each in fresh:
            assert each.recv(4096).startswith(b"HTTP/1.1 101")
        found += fresh
    return found


def ask_for_echoes(client: Client, figures: list[Figures], offset: float) -> None:
    """Ask again and again, and note how long each answer took in the last of ``figures``."""
    gevent.sleep(offset)
    while True:
        began_at = time.perf_counter()
        client.send("x" * 64)
        client.receive(timeout=30)
        took = time.perf_counter() - began_at
        figures[-1].trips.append(took)
        gevent.sleep(max(0.0, EVERY - took))


def look(page: Client, question: dict[str, object], every: float, figures: Figures) -> None:
    """Ask a question as often as the page does."""
    while True:
        began_at = time.perf_counter()
        page.send(json.dumps({"id": 1, **question}))
        answer = page.receive(timeout=30)
        took = time.perf_counter() - began_at
        assert "data" in json.loads(answer.data), answer
        figures.answers.append(took)
        gevent.sleep(max(every, SHARE * took))


def open_page(address: str) -> Client:
    """Open the socket of the page."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(f"GET /_greenrelay/ HTTP/1.1\r\nHost: {address}\r\n\r\n".encode())
        found = re.search(rb"Set-Cookie: ([^;]+)", sock.recv(65536))
    assert found is not None
    page = connect(
        f"ws://{address}/_greenrelay/socket",
        headers={"Cookie": found[1].decode(), "Origin": f"http://{address}"},
    )
    page.receive(timeout=30)
    return page


def processor_seconds(pid: int) -> float:
    """Return what a process has computed so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        parts = file.read().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def measure(count: int) -> None:
    """Print a table of all phases."""
    with server() as (pid, address):
        sockets = idle(address, count)
        figures = [Figures()]
        clients = [connect(f"ws://{address}/ws") for _ in range(ASKERS)]
        askers = [
            gevent.spawn(ask_for_echoes, client, figures, EVERY * index / ASKERS)
            for index, client in enumerate(clients)
        ]
        gevent.sleep(3.0)
        print(f"{len(sockets)} idle sockets, {ASKERS} that ask {1 / EVERY:.0f} times a second\n")
        print("| | median ms | 99 % ms | worst ms | answer ms | answers | server busy |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        for name, every, question in PHASES:
            now = Figures()
            figures.append(now)
            looks = page = None
            if question is not None:
                # Also a page that asks nothing costs something: its socket, and a timer.
                page = open_page(address)
                looks = gevent.spawn(look, page, question, every, now)
            began, computed = time.perf_counter(), processor_seconds(pid)
            gevent.sleep(SECONDS)
            now.busy = (processor_seconds(pid) - computed) / (time.perf_counter() - began)
            print(now.line(name), flush=True)
            if looks is not None and page is not None:
                looks.kill()
                page.close()
        gevent.killall(askers)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        measure(int(sys.argv[1]) if len(sys.argv) > 1 else SOCKETS)
