"""A program of several workers, and what a test asks of it. Views for it are here as well."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

from greenrelay import inbox, nodes, spawn
from greenrelay.web import relay
from tests.probe import wait_for
from tests.servers.http import get
from tests.servers.kinds import address_of
from tests.servers.running import Running

SERVES = r"worker (\d) \(process (\d+), node \S+\) serves"
SITE = """
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- {name: pages, kind: http.router, meta.server: gateway}
- {name: me, kind: http.endpoint, meta.router: pages, path: /me, func: "tests.cli.crew:me"}
- {name: sockets, kind: http.router, meta.server: gateway, prefix: /ws,
   post_middleware: [websocket_relay]}
- {name: silent, kind: http.endpoint, meta.router: sockets, path: /silent,
   func: "tests.cli.crew:silent"}
"""
SYSTEM = "- {name: system, kind: cluster, app: crew}\n"


def me() -> dict[str, object]:
    """Tell which process this is, and which nodes it sees."""
    return {"process": os.getpid(), "nodes": sorted(nodes()), "engine": _engine()}


def silent() -> Any:
    """Open a WebSocket to nobody who speaks."""
    return relay(spawn(_listen))


def _listen() -> None:
    for _ in inbox():
        pass


def _engine() -> str:
    return os.environ.get("GREENRELAY_CLUSTER", "")


def configured(folder: Path, *more: str) -> str:
    """Write a configuration with these entries too; return its path."""
    path = folder / "config.yaml"
    path.write_text(SITE + "".join(more))
    return str(path)


def ask_me(server: Running) -> dict[str, Any]:
    """Return what the worker says that takes the next request."""
    found: dict[str, Any] = json.loads(get(address_of(server), "/me").body)
    return found


def wait_for_all(server: Running, count: int) -> dict[int, dict[str, Any]]:
    """Wait until as many workers have answered; return what each has said, by its process id."""
    found: dict[int, dict[str, Any]] = {}

    def have_answered() -> bool:
        said = ask_me(server)
        found[said["process"]] = said
        return len(found) == count

    wait_for(have_answered, timeout="20s")
    return found


def processes(server: Running, count: int) -> list[int]:
    """Wait until it has said so often that a worker serves; return their process ids in order."""
    server.wait_for(SERVES, count)
    return [int(process) for _, process in re.findall(SERVES, server.output)]


def is_there(process: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
