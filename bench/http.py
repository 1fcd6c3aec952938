"""Measures what a request costs as a process, beside the same view of plain Flask.

``python -m bench.http`` takes about half a minute, ``--quick`` a few seconds. Each contender is a
server of its own in an OS process on one core; they are measured in turns, so that what else
happens on the machine happens to all. Beside requests per second it reports the processor's time
of a request, which a busy machine disturbs less. A complete run leaves its results in
``bench/results/http.json``.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

from flask import Flask
from gevent import get_hub
from gevent.pywsgi import WSGIServer

from bench.machine import describe, pin
from greenrelay.process import pid
from greenrelay.security.authority import make_store
from greenrelay.security.settings import SIGNED, StoreSettings
from greenrelay.transport.server import Server
from greenrelay.web import GreenRelay, create_app

RESULTS = Path(__file__).parent / "results" / "http.json"
STORE = StoreSettings(SIGNED, secret="of the bench, and of nobody else.")
# All send a token, so that the one who looks at it is not the only one who has to read it.
TOKEN = make_store(STORE).create("bench")
REQUEST = f"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode()
BODY = b"hello"
END = b" s"
CONNECTIONS = 16
# All there is; otel has no tracer to tell.
EVERYTHING: dict[str, object] = {
    "middleware": "real_ip, metrics, otel, cors, ratelimit, compress, token_auth, sendfile",
    "options": {
        "ratelimit.requests": 1_000_000_000,
        "ratelimit.burst": 1_000_000_000,
        "token_auth.store": "t",
        "sendfile.directory": str(Path(__file__).parent),
    },
    "post_middleware": "endpoint_firewall, resource_firewall, websocket_relay, sse_relay",
    "post_options": {"resource_firewall.target": "bench"},
}
SECURITY: list[dict[str, object]] = [
    {"name": "t", "kind": "security.token_store", "type": STORE.type, "secret": STORE.secret},
    {
        "name": "p",
        "kind": "security.policy",
        "actions": "access",
        "resources": ["app:*", "bench"],
        "effect": "allow",
    },
]
SERVICE: dict[str, object] = {
    "name": "gateway",
    "kind": "http.service",
    "addr": ":0",
    "timeouts.handler": "10s",
}


class WrongAnswer(Exception):
    """A server that does not answer with the view's text."""


@dataclass(frozen=True, slots=True)
class Figure:
    """What one contender does in a second, and a request's time on the processor."""

    requests_per_second: float
    microseconds: float


def _plain(view: Callable[[], str] = lambda: "hello") -> Flask:
    app = Flask("bench")
    app.get("/")(view)
    app.get("/cpu", endpoint="cpu")(lambda: f"{process_time():.6f} s")
    return app


def _with_greenrelay(config: Any = None) -> Flask:
    app = _plain()
    GreenRelay(app, config)
    return app


def _as_process() -> Flask:
    app = _plain(lambda: "hello" if pid() else "")
    GreenRelay(app)
    return app


def hello() -> str:
    """Answer, as the view of an endpoint."""
    return "hello"


def cpu() -> str:
    """Tell what this server has had of the processor, as the view of an endpoint."""
    return f"{process_time():.6f} s"


def _from_yaml(with_middleware: bool) -> Flask:
    entries = [SERVICE, *SECURITY]
    router: dict[str, object] = {"name": "r", "kind": "http.router", "meta.server": "gateway"}
    entries.append({**router, **EVERYTHING} if with_middleware else router)
    for name, path in (("hello", "/"), ("cpu", "/cpu")):
        view = {"meta.router": "r", "path": path, "func": f"bench.http:{name}"}
        entries.append({"name": name, "kind": "http.endpoint", **view})
    return create_app(entries)


def _on_pywsgi(app: Flask) -> int:
    server = WSGIServer(("127.0.0.1", 0), app, log=None)
    server.start()
    return server.server_port or 0


def _on_ours(app: Flask) -> int:
    server = Server(app, idle_timeout=60.0, write_timeout=30.0)
    server.start()
    return int(server.url.rpartition(":")[2])


# The first is what the others are compared with.
CONTENDERS: dict[str, Callable[[], int]] = {
    "Flask on gevent's server": lambda: _on_pywsgi(_plain()),
    "Flask on greenrelay's server": lambda: _on_ours(_plain()),
    "greenrelay on gevent's server": lambda: _on_pywsgi(_with_greenrelay()),
    "greenrelay": lambda: _on_ours(_with_greenrelay()),
    "greenrelay, with a deadline": lambda: _on_ours(_with_greenrelay([SERVICE])),
    "greenrelay, a view that is a process": lambda: _on_ours(_as_process()),
    "greenrelay, a router from YAML": lambda: _on_ours(_from_yaml(False)),
    "the same with all middleware": lambda: _on_ours(_from_yaml(True)),
}


def serve(name: str) -> None:
    """Be the server of one contender; print its port."""
    pin()
    print(CONTENDERS[name](), flush=True)
    get_hub().join()


@contextmanager
def served(name: str) -> Iterator[int]:
    """Start a contender; yields its port."""
    command = [sys.executable, "-m", "bench.http", "--serve", name]
    with ExitStack() as stack:
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        stack.callback(child.wait)
        stack.callback(child.kill)
        assert child.stdout is not None, "it is a pipe"
        yield int(stack.enter_context(child.stdout).readline())


@contextmanager
def connected(port: int) -> Iterator[list[socket.socket]]:
    """Connect as many clients as there are."""
    with ExitStack() as stack:
        address = ("127.0.0.1", port)
        yield [stack.enter_context(socket.create_connection(address)) for _ in range(CONNECTIONS)]


def measure(socks: list[socket.socket], seconds: float) -> Figure:
    """Ask on all connections in turn for some time; raises WrongAnswer."""
    count, began, used = 0, perf_counter(), cpu_seconds(socks[0])
    while (passed := perf_counter() - began) < seconds:
        for sock in socks:
            sock.sendall(REQUEST)
        for sock in socks:
            # A server that writes head and body apart would else wait 40 ms for our system's ACK.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            answer = sock.recv(65536)
            while answer and not answer.endswith(BODY):
                answer += sock.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200 "):
                raise WrongAnswer(answer.decode())
        count += len(socks)
    return Figure(count / passed, (cpu_seconds(socks[0]) - used) / count * 1e6)


def cpu_seconds(sock: socket.socket) -> float:
    """Ask a server what it has had of the processor."""
    sock.sendall(REQUEST.replace(b"/ ", b"/cpu ", 1))
    answer = b""
    while not answer.endswith(END):
        answer += sock.recv(65536)
    return float(answer.rpartition(b"\r\n\r\n")[2].removesuffix(END))


def main(rounds: int, seconds: float) -> dict[str, Figure]:
    """Measure every contender ``rounds`` times in turns; return the median of each."""
    found: dict[str, list[Figure]] = {name: [] for name in CONTENDERS}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(served(name)) for name in CONTENDERS}
        for turn in range(rounds + 1):
            for name, port in servers.items():
                with connected(port) as socks:
                    figure = measure(socks, seconds)
                # The first warms up.
                if turn:
                    found[name].append(figure)
    return {
        name: Figure(
            median(each.requests_per_second for each in figures),
            median(each.microseconds for each in figures),
        )
        for name, figures in found.items()
    }


def report(figures: dict[str, Figure]) -> str:
    """Return the results as a table."""
    first = next(iter(figures.values()))
    lines = [f"{'':38}{'requests/s':>11}{'':>7}{'processor':>12}"]
    for name, each in figures.items():
        share = each.requests_per_second / first.requests_per_second
        cost = f"{each.microseconds:.1f} us"
        lines.append(f"{name:38}{each.requests_per_second:11,.0f}{share:7.0%}{cost:>12}")
    return "\n".join(lines)


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve(sys.argv[-1])
    else:
        is_quick = "--quick" in sys.argv
        results = main(3, 0.3) if is_quick else main(7, 0.7)
        print(report(results))
        if not is_quick:
            shown = {name: asdict(each) for name, each in results.items()}
            text = json.dumps({"machine": describe({}), "figures": shown}, indent=1)
            RESULTS.write_text(text + "\n")
