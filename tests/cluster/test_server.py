"""The server for development: found, started, ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from greenrelay.cluster import server as module
from greenrelay.cluster.server import DevelopmentServer, find_program
from greenrelay.errors import EngineError
from tests.probe import wait_for


def test_a_server_listens_on_loopback_with_a_password_of_its_own() -> None:
    with DevelopmentServer() as one, DevelopmentServer() as other:
        assert one.url == f"nats://greenrelay:{one.password}@127.0.0.1:{one.port}"
        assert len(one.password) >= 16
        assert one.password != other.password
        assert one.port != other.port
        assert one.is_alive
        folder = Path(one._folder)
        assert folder.stat().st_mode & 0o077 == 0
    assert not one.is_alive
    assert not folder.exists()
    assert not exists(one.pid)


def test_a_server_ends_with_the_process_that_started_it() -> None:
    code = (
        "import sys, time\n"
        "from greenrelay.cluster.server import DevelopmentServer\n"
        "server = DevelopmentServer()\n"
        "print(server.pid, server._folder, flush=True)\n"
        "time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        assert exists(int(pid))

        parent.send_signal(signal.SIGKILL)

        wait_for(lambda: not exists(int(pid)) and not Path(folder).exists())


def test_a_server_that_cannot_start_says_why() -> None:
    with DevelopmentServer() as server, pytest.raises(EngineError) as raised:
        DevelopmentServer(port=server.port)

    assert "address already in use" in raised.value.why
    assert "[FTL]" not in raised.value.why


def test_a_program_that_is_too_old_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nats-server"
    program.write_text("#!/bin/sh\necho nats-server: v2.9.10\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    with pytest.raises(EngineError, match=r"its version is 'nats-server: v2\.9\.10'; it must be 2"):
        find_program()


def test_a_program_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(EngineError, match="it is not installed: pip install"):
        find_program()


def test_a_server_on_path_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_program()
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{Path(found).parent}")

    assert find_program() == found
    assert module.NAME in found


def exists(pid: int) -> bool:
    """Whether there is a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
