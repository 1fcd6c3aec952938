"""Source: Operations, "Command line"; HTTP, "Servers it must run on": what else forks and hangs up.

The program is hung up on while it imports the code of its views.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.commands import greenrelay
from tests.servers.http import get
from tests.servers.kinds import address_of
from tests.servers.running import GREENRELAY, Running, running
from tests.serving import connected

SITE = """
- {{name: gateway, kind: http.service, addr: "127.0.0.1:0"}}
- {{name: pages, kind: http.router, meta.server: gateway}}
- {{name: child, kind: http.endpoint, meta.router: pages, path: /child,
   func: "tests.cli.forking:child"}}
- {{name: sockets, kind: http.router, meta.server: gateway, prefix: /ws,
   post_middleware: [websocket_relay]}}
- {{name: silent, kind: http.endpoint, meta.router: sockets, path: /silent,
   func: "tests.cli.forking:silent"}}
- {{name: local, kind: http.service, addr: "unix:{folder}/socket"}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("forking")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Running]:
    (folder / "config.yaml").write_text(SITE.format(folder=folder))
    command = [GREENRELAY, "run", str(folder / "config.yaml")]
    with running(command, {"GREENRELAY_RUN_DIR": str(folder / "run")}) as started:
        yield started


def test_a_hangup_that_comes_while_code_is_imported_is_heeded_later(server: Running) -> None:
    server.wait_for("reload: done, 0 changes")


def test_a_child_that_is_terminated_ends_nothing_of_the_program(
    server: Running, folder: Path
) -> None:
    with connected(address_of(server), "/ws/silent", timeout=20) as client:
        told = json.loads(get(address_of(server), "/child").body)

        assert told == {"exit": -15}
        ps = greenrelay("ps", "--json", env={"GREENRELAY_RUN_DIR": str(folder / "run")})
        assert "websocket" in {each["entry"] for each in json.loads(ps.out)}
        assert (folder / "socket").exists()
        client.ping(b"there?")
        frame = client.frame()
        assert frame is not None
        assert frame.data == b"there?"
    assert "stopping" not in server.output
    assert server.stop() == 0
    assert not server.trouble
