"""Source: Operations, "Command line": ``greenrelay run --workers N``."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import socket
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from greenrelay.cluster.server import DevelopmentServer
from tests.cli.commands import greenrelay, terminal
from tests.cli.crew import (
    SERVES,
    SYSTEM,
    ask_me,
    configured,
    is_there,
    processes,
    wait_for_all,
)
from tests.probe import wait_for
from tests.program import Program
from tests.readme import blocks
from tests.servers.kinds import address_of
from tests.servers.running import GREENRELAY, ROOT, Running, running
from tests.serving import connected

NATS = r"NATS server for development \(process (\d+)\)"
AT_SOCKET = """
- {{name: local, kind: http.service, addr: "unix:{folder}/socket"}}
- {{name: local_pages, kind: http.router, meta.server: local}}
- {{name: local_me, kind: http.endpoint, meta.router: local_pages, path: /,
   func: "tests.cli.crew:me"}}
"""
AGAIN = r"is started again in ([\d.]+) s"
SECOND = '- {name: second, kind: http.service, addr: "127.0.0.1:0"}\n'


def ask_at(path: Path) -> bytes:
    """Return the answer to a request at a Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return sock.makefile("rb").read()


@pytest.fixture(scope="module")
def crew(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two workers that are one system, for the tests that let them go on."""
    path = configured(tmp_path_factory.mktemp("crew"), SYSTEM)
    with running([GREENRELAY, "run", path, "--workers", "2"]) as server:
        processes(server, 2)
        yield server


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Two workers that are on their own, also at a Unix socket."""
    folder = tmp_path_factory.mktemp("pair")
    path = configured(folder, AT_SOCKET.format(folder=folder))
    with running([GREENRELAY, "run", path, "--workers", "2"]) as server:
        processes(server, 2)
        yield server
        assert server.stop() == 0
        assert not (folder / "socket").exists()


def test_all_workers_answer_at_one_address_which_is_printed_once(crew: Running) -> None:
    """`--workers N` makes N OS processes that share the listening addresses"""
    found = wait_for_all(crew, 2)

    assert set(found) == set(processes(crew, 2))
    assert crew.output.count("greenrelay serves") == 1


def test_an_engine_is_started_where_the_entry_has_none(crew: Running) -> None:
    """`greenrelay run --workers 4` starts it by itself if no engine is given"""
    crew.wait_for(NATS)

    wait_for(lambda: len(ask_me(crew)["nodes"]) == 1, timeout="20s")
    assert ask_me(crew)["engine"].startswith("nats://greenrelay:")
    assert ask_me(crew)["engine"] not in crew.output


def test_the_parent_serves_nobody(crew: Running) -> None:
    assert crew.pid not in wait_for_all(crew, 2)


def test_sighup_reaches_every_worker(crew: Running) -> None:
    crew.signal(signal.SIGHUP)

    crew.wait_for("reload: done", 2)


def test_a_killed_worker_is_started_again_and_the_error_names_the_signal(crew: Running) -> None:
    """it restarts a worker that dies"""
    count = len(processes(crew, 2))
    victim = processes(crew, 2)[1]

    os.kill(victim, signal.SIGKILL)

    crew.wait_for(rf"ERROR .* worker \d \(process {victim}\) was killed by SIGKILL; it {AGAIN}")
    successor = processes(crew, count + 1)[-1]
    assert successor in wait_for_all(crew, 2)
    assert victim not in wait_for_all(crew, 2)


def test_an_engine_that_was_killed_is_started_again_and_found(crew: Running) -> None:
    (engine,) = crew.wait_for(NATS)

    os.kill(int(engine), signal.SIGKILL)

    crew.wait_for(rf"ERROR .* NATS server \(process {engine}\) has ended; it is started again")
    wait_for(lambda: len(ask_me(crew)["nodes"]) == 1, timeout="20s")


def test_a_worker_that_cannot_start_again_is_tried_less_and_less_often(tmp_path: Path) -> None:
    """with growing back-off"""
    path = Path(configured(tmp_path, SYSTEM))
    right = path.read_text()
    with running([GREENRELAY, "run", str(path), "--workers", "2"]) as server:
        victim = processes(server, 2)[1]
        path.write_text(right + "- {}\n")
        os.kill(victim, signal.SIGTERM)
        server.wait_for(rf"ended with exit status 0; it {AGAIN}")

        server.wait_for(rf"ended with exit status 2; it {AGAIN}", 2)
        delays = [float(each) for each in re.findall(AGAIN, server.output)]
        # By now there is a server that the parent has not, and its entry of the engine no more.
        path.write_text(right.replace("name: system", "name: grid") + SECOND)

        assert delays == sorted(delays)
        assert delays[-1] > delays[0]
        processes(server, 3)
        server.wait_for("WARNING .* app:second is not served until the program is started again")
        wait_for(lambda: len(ask_me(server)["nodes"]) == 1, timeout="20s")
        assert server.stop() == 0


def test_sigterm_drains_every_worker(tmp_path: Path) -> None:
    """SIGTERM: drain, then exit 0; also where it comes to all processes of the program"""
    path = configured(tmp_path, AT_SOCKET.format(folder=tmp_path))
    with running([GREENRELAY, "run", path, "--workers", "2"]) as server:
        found = processes(server, 2)
        with connected(address_of(server), "/ws/silent", timeout=20) as client:
            server.signal(signal.SIGTERM)
            server.wait_for("stopping, with 1 open connections")
            for each in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGTERM)

            # The one that drains still answers, at a Unix socket, too.
            assert ask_at(tmp_path / "socket").startswith(b"HTTP/1.1 200 OK")
            assert client.wait_closed()[0] == 1012
            assert server.wait() == 0
        assert server.output.count("INFO greenrelay.cli stopped") == 2
        assert not any(map(is_there, found))
        assert not (tmp_path / "socket").exists()
        assert not server.trouble


def test_ctrl_c_in_a_terminal_counts_once(tmp_path: Path) -> None:
    with terminal("run", configured(tmp_path), "--workers", "2") as command:
        for _ in range(2):
            command.expect(SERVES)

        command.sendcontrol("c")

        # Each worker gets to the end of its drain.
        for _ in range(2):
            command.expect("INFO greenrelay.cli stopped")
        command.expect(pexpect.EOF)
        command.wait()
        assert command.exitstatus == 0


def test_a_second_signal_ends_all_at_once(tmp_path: Path) -> None:
    """second one at once"""
    with running([GREENRELAY, "run", configured(tmp_path, SYSTEM), "--workers", "2"]) as server:
        found = processes(server, 2)
        (engine,) = server.wait_for(NATS)
        # It never gets to the end of its drain.
        os.kill(found[0], signal.SIGSTOP)
        server.signal(signal.SIGTERM)
        server.wait_for("stopping, with 0 open connections")

        server.signal(signal.SIGTERM)

        assert server.wait() == -signal.SIGTERM
        wait_for(lambda: not any(map(is_there, [*found, int(engine)])), timeout="10s")


def test_nothing_is_left_when_the_parent_is_killed(tmp_path: Path) -> None:
    with running([GREENRELAY, "run", configured(tmp_path, SYSTEM), "--workers", "2"]) as server:
        found = processes(server, 2)
        (engine,) = server.wait_for(NATS)

        server.signal(signal.SIGKILL)

        wait_for(lambda: not any(map(is_there, [*found, int(engine)])), timeout="20s")
        assert "the parent of this worker is gone, and so it stops" in server.output


def test_the_command_of_the_readme_makes_one_system(tmp_path: Path) -> None:
    readme = blocks(ROOT / "README.md")
    for name in ("config.yaml", "rooms.py", "system.yaml"):
        (tmp_path / name).write_text(readme["file", name].replace(":8080", ":0"))
    command = shlex.split(readme["shell", "system.yaml"])
    # As many as it takes to see that they are one.
    with Program([*command, "--workers", "2"], tmp_path) as server:
        server.wait_for("worker 2 (process ")

        server.wait_for("is there")
        assert server.stop() == 0


def test_a_configured_engine_is_used_as_it_is(tmp_path: Path) -> None:
    """a configured cluster engine is used as it is"""
    entry = '- {name: system, kind: cluster, engine: "${env:GREENRELAY_CLUSTER|local}"}\n'
    command = [GREENRELAY, "run", configured(tmp_path, entry), "--workers", "2"]
    with (
        DevelopmentServer() as engine,
        running(command, {"GREENRELAY_CLUSTER": engine.url}) as server,
    ):
        processes(server, 2)

        wait_for(lambda: len(ask_me(server)["nodes"]) == 1, timeout="20s")
        assert not re.search(NATS, server.output)
        assert server.stop() == 0


def test_without_a_cluster_entry_it_says_that_workers_do_not_see_each_other(pair: Running) -> None:
    pair.wait_for("WARNING .* no entry of kind cluster: each of the 2 workers is a system of its")
    assert not re.search(NATS, pair.output)
    assert all(not each["nodes"] for each in wait_for_all(pair, 2).values())


def test_a_unix_socket_is_shared(pair: Running) -> None:
    (path,) = pair.wait_for(r"on unix:(\S+)")
    found: set[bytes] = set()

    def have_answered() -> bool:
        found.add(ask_at(Path(path)).rpartition(b"\r\n")[2])
        return len(found) == 2

    wait_for(have_answered, timeout="20s")


# what ends it before it serves


def test_a_configuration_error_is_told_once(tmp_path: Path) -> None:
    path = Path(configured(tmp_path))
    path.write_text(path.read_text().replace("crew:me", "crew:nobody"))

    done = greenrelay("run", str(path), "--workers", "3")

    assert done.status == 2
    assert done.err.count("module 'tests.cli.crew' has no 'nobody'") == 1
    assert "is started again" not in done.err


def test_an_address_in_use_is_told_and_no_worker_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        addr = f"127.0.0.1:{other.getsockname()[1]}"
        arguments = ("--set", f"gateway.addr={addr}", "--workers", "2")

        done = greenrelay("run", configured(tmp_path), *arguments)

    assert done.status == 1
    assert f"cannot listen on {addr}: Address already in use\n" in done.err
    assert not re.search(SERVES, done.err)


def test_an_engine_that_cannot_be_reached_ends_it(tmp_path: Path) -> None:
    entry = '- {name: system, kind: cluster, engine: "nats://127.0.0.1:1"}\n'

    done = greenrelay("run", configured(tmp_path, entry), "--workers", "2")

    assert done.status == 1
    assert done.err.count("cluster engine nats://127.0.0.1:1: ") == 1


def test_a_server_that_is_not_installed_is_named(tmp_path: Path) -> None:
    """a clear error when the wheel is missing"""
    venv.create(tmp_path / "bare", symlinks=True)
    python = tmp_path / "bare" / "bin" / "python"
    packages = sysconfig.get_path("purelib", vars={"base": str(tmp_path / "bare")})
    Path(packages, "all.pth").write_text(f"{ROOT}\n{sysconfig.get_path('purelib')}\n")
    command = [str(python), "-m", "greenrelay.cli.main", "run", configured(tmp_path, SYSTEM)]

    with running([*command, "--workers", "2"], {"PATH": "/nowhere"}) as server:
        assert server.wait() == 1
        assert "nats-server: it is not installed: pip install 'greenrelay[cluster]'" in (
            server.output
        )
        assert sys.executable not in server.output


def test_no_workers_are_no_program(tmp_path: Path) -> None:
    done = greenrelay("run", configured(tmp_path), "--workers", "0")

    assert done.status == 2
    assert "'--workers'" in done.err
