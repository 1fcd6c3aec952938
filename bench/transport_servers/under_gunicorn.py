"""greenrelay's relay under gunicorn: one worker, and one target for all clients."""

from __future__ import annotations

import json
import os
import socket
import sys
from importlib import import_module
from typing import NoReturn

from flask import Flask

PORT = "BENCH_PORT"
SOCKETS = "30000"
APP = "bench.transport_servers.under_gunicorn:make()"


def become(*options: str) -> NoReturn:
    """Become gunicorn with these options, on a free port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    listener.set_inheritable(True)
    os.environ[PORT] = str(listener.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "--bind", f"fd://{listener.fileno()}"]
    command += ["--worker-connections", SOCKETS, "--graceful-timeout", "1", "--no-control-socket"]
    os.execv(sys.executable, [*command, "--log-level", "error", *options, APP])


def make() -> Flask:
    """Return the app; it is the worker, whose memory counts, that tells the bench who it is."""
    # Only here, since gunicorn patches the worker first.
    relayed = import_module("bench.transport_servers.relayed")
    app: Flask = relayed.make_app(relayed.EchoToAll)
    print(json.dumps({"port": int(os.environ[PORT]), "pid": os.getpid()}), flush=True)
    return app
