"""Drains a worker full of clients: ``python -m bench.drain``, a minute for each server.

10,000 WebSockets, each with a target process, on one worker: ``greenrelay run``, then gunicorn with
greenrelay's worker. SIGTERM; counted are the close codes that the clients get, over which time, and
until the worker is gone. Each client answers the close frame, as a browser does.
"""

from __future__ import annotations

import argparse
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic

from flask import Flask
from werkzeug.wrappers import Response

from bench.harness import ROOT
from greenrelay.extension import GreenRelay
from greenrelay.process import RelayTarget, spawn
from greenrelay.web import relay

COUNT = 10_000
# How many may be on their way at a time: fewer than wait at a listening socket.
BATCH = 100
# Sockets of the client and of the server, and what else they need.
SPARE_FILES = 200
TIMEOUT = 120.0
BIN = Path(sys.executable).parent
SERVERS = {
    "greenrelay run": ("greenrelay", "run", "{config}"),
    "gunicorn, greenrelay's worker": (
        "gunicorn",
        *("-k", "greenrelay.gunicorn.Worker", "-b", "127.0.0.1:0", "--graceful-timeout", "30"),
        *("--worker-connections", "20000", "bench.drain:make_app('{config}')"),
    ),
}
CONFIG = """
version: "1.0"
namespace: bench
entries:
  - {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
  - name: sockets
    kind: http.router
    meta: {server: gateway}
    prefix: /
    post_middleware: [websocket_relay]
    # No pings: nobody answers while all the others come.
    post_options: {wsrelay.drain.period: 10s, wsrelay.max.connections: 0, wsrelay.ping.interval: 0}
  - {name: quiet, kind: http.endpoint, meta: {router: sockets}, path: /, func: "bench.drain:view"}
"""
HEAD = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def view() -> Response:
    """Give the client a target of its own."""
    return relay(spawn(RelayTarget))


def make_app(config: str) -> Flask:
    """Return the app that gunicorn serves."""
    app = Flask(__name__)
    GreenRelay(app, config)
    return app


def _start(command: tuple[str, ...], config: Path) -> tuple[subprocess.Popen[str], int]:
    words = [str(BIN / command[0]), *(word.format(config=config) for word in command[1:])]
    server = subprocess.Popen(
        words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert server.stdout is not None, "it was piped"
    said = []
    for line in server.stdout:
        said.append(line)
        if found := re.search(r"http://127\.0\.0\.1:([1-9]\d*)", line):
            # It writes a few lines for each client, which somebody has to read.
            Thread(target=server.stdout.read, daemon=True).start()
            return server, int(found[1])
    raise SystemExit(f"{words[0]} did not start:\n{''.join(said)}")


def _open(port: int, count: int) -> list[socket.socket]:
    clients: list[socket.socket] = []
    while len(clients) < count:
        fresh = [
            socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT)
            for _ in range(min(BATCH, count - len(clients)))
        ]
        for each in fresh:
            each.sendall(HEAD)
        for each in fresh:
            answer = each.recv(4096)
            if not answer.startswith(b"HTTP/1.1 101"):
                raise SystemExit(f"client {len(clients)} was refused: {answer!r}")
        clients += fresh
    return clients


def _part(clients: list[socket.socket]) -> tuple[Counter[int], list[float]]:
    """Answer the close frame at each client; return the codes, and when they came."""
    codes: Counter[int] = Counter()
    came = []
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client, selectors.EVENT_READ, client)
        while selector.get_map():
            ready = selector.select(TIMEOUT)
            if not ready:
                raise SystemExit(f"{len(selector.get_map())} clients wait in vain; so far {codes}")
            for key, _ in ready:
                code = _answer(key.data)
                if code is not None:
                    selector.unregister(key.fileobj)
                    codes[code] += 1
                    came.append(monotonic())
    return codes, came


def _answer(client: socket.socket) -> int | None:
    """Return the code of the close frame, 1006 where there was none, None for another frame."""
    data = client.recv(4096)
    if not data:
        return 1006
    while data:
        opcode, size = data[0] & 15, data[1]
        if opcode == 8:
            # A server that has waited long enough for the answer is gone; the code counts.
            with suppress(OSError):
                client.sendall(bytes([0x88, 0x82, 0, 0, 0, 0]) + data[2:4])
            return int.from_bytes(data[2:4])
        data = data[2 + size :]
    return None


def _drain(name: str, count: int, config: Path) -> bool:
    server, port = _start(SERVERS[name], config)
    clients = []
    try:
        clients = _open(port, count)
        began = monotonic()
        server.send_signal(signal.SIGTERM)
        codes, came = _part(clients)
        status = server.wait(TIMEOUT)
        gone = monotonic()
    finally:
        server.kill()
        server.wait()
        for client in clients:
            client.close()
    print(
        f"{name}: {count:,} clients, codes {dict(codes)}, "
        f"the first after {min(came) - began:.2f} s, the last after {max(came) - began:.2f} s, "
        f"gone after {gone - began:.2f} s, exit status {status}"
    )
    return codes == {1012: count} and status == 0


def main() -> int:
    """Drain each server; return 1 if a client got another code than 1012."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=COUNT, help=f"clients ({COUNT:,})")
    parser.add_argument("--only", choices=SERVERS, help="one of the servers")
    found = parser.parse_args()
    count, names = found.count, [found.only] if found.only else list(SERVERS)
    allowed = os.sysconf("SC_OPEN_MAX")
    if allowed < count + SPARE_FILES:
        raise SystemExit(
            f"{count:,} clients need {count + SPARE_FILES:,} open files; see ulimit -n"
        )
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "drain.yaml"
        config.write_text(CONFIG)
        outcomes = [_drain(name, count, config) for name in names]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
