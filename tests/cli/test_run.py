"""Source: Operations, "Command line": ``greenrelay run``."""

from __future__ import annotations

import contextlib
import re
import signal
import socket
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.servers.client import Client
from tests.servers.http import get, upgrade_request
from tests.servers.kinds import address_of
from tests.servers.running import BIN, GREENRELAY, running
from tests.servers.site import CONFIG


def run(*arguments: str, addr: str = "127.0.0.1:0") -> tuple[int, str]:
    """Run the command to its end; return its exit status and what it has printed."""
    with running([GREENRELAY, *arguments], {"GREENRELAY_TEST_ADDR": addr}) as command:
        return command.wait(), command.output


def config_with(folder: Path, **replaced: str) -> str:
    """Write the configuration with the values of some keys replaced; return its path."""
    text = CONFIG.read_text()
    for name, value in replaced.items():
        text, count = re.subn(rf"^(    {name}:).*$", rf"\1 {value}", text, flags=re.MULTILINE)
        assert count, name
    path = folder / "config.yaml"
    path.write_text(text)
    return str(path)


# what it says without serving


def test_the_version_is_printed() -> None:
    assert run("--version") == (0, f"greenrelay, version {version('greenrelay')}\n")


def test_help_names_the_command_and_its_exit_statuses() -> None:
    assert "run  Serve CONFIG" in run("--help")[1]
    status, text = run("run", "--help")
    assert status == 0
    assert "Exit status: 0 after a drain" in text


def test_a_file_that_is_not_there_is_named() -> None:
    status, text = run("run", "nowhere.yaml")

    assert (status, text) == (2, "nowhere.yaml: cannot be read: No such file or directory\n")


def test_every_problem_of_a_configuration_is_printed_and_nothing_starts(tmp_path: Path) -> None:
    path = config_with(tmp_path, addr="nowhere", process="tests.servers.site")

    status, text = run("run", path)

    assert status == 2
    assert f'{path}:8:5: http.service "test:gateway": addr: is "nowhere"' in text
    assert f'{path}:12:5: process.service "test:clock": process: ' in text
    assert len(text.splitlines()) == 2
    assert "clock runs" not in text


def test_views_that_cannot_be_imported_are_problems_of_the_configuration(tmp_path: Path) -> None:
    text = CONFIG.read_text().replace("site:dead", "site:nobody").replace("site:old", "sight:old")
    path = tmp_path / "config.yaml"
    path.write_text(text)

    status, text = run("run", str(path))

    assert status == 2
    assert "module 'tests.servers.site' has no 'nobody'" in text
    assert "there is no module 'tests.servers.sight'" in text
    assert "Traceback" not in text


def test_a_configuration_without_a_server_says_so(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text('version: "1.0"\nnamespace: app\nentries: []\n')

    status, text = run("run", str(path))

    assert status == 2
    assert text == f"{path}: no entry of kind http.service says where to listen\n"


def test_an_address_in_use_is_named_and_no_service_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        addr = f"127.0.0.1:{other.getsockname()[1]}"

        status, text = run("run", str(CONFIG), addr=addr)

    assert (status, text) == (1, f"cannot listen on {addr}: Address already in use\n")


def test_a_host_that_is_not_there_is_named() -> None:
    status, text = run("run", str(CONFIG), addr="nowhere.invalid:0")

    assert status == 1
    assert text.startswith("cannot listen on nowhere.invalid:0: ")
    assert len(text.splitlines()) == 1


# serving


def test_port_0_prints_the_real_port() -> None:
    with running([GREENRELAY, "run", str(CONFIG)]) as server:
        assert get(address_of(server), "/").status == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once(number: int) -> None:
    with running([GREENRELAY, "run", str(CONFIG)]) as server:
        host, _, port = address_of(server).partition(":")
        with socket.create_connection((host, int(port))) as silent:
            silent.sendall(upgrade_request("/ws/echo"))
            assert silent.recv(65536).startswith(b"HTTP/1.1 101 ")
            server.signal(number)
            server.wait_for("stopping, with 1 open connections")

            server.signal(number)

            assert server.wait() == -number
            assert "stopped" not in server.output
            assert not server.trouble


def test_only_the_first_server_is_served_and_that_is_said(tmp_path: Path) -> None:
    other = '\n  - name: admin\n    kind: http.service\n    addr: "127.0.0.1:1"\n'
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG.read_text() + other)
    with running([GREENRELAY, "run", str(path)]) as server:
        address_of(server)

        assert 'http.service "test:admin": addr: is not served; only test:gateway is' in (
            server.output
        )


# Unix sockets


def test_a_unix_socket_is_served_and_removed(tmp_path: Path, client: Client) -> None:
    path = tmp_path / "greenrelay.sock"
    command = [GREENRELAY, "run", str(CONFIG)]
    with running(command, {"GREENRELAY_TEST_ADDR": f"unix:{path}"}) as server:
        server.wait_for(f"on unix:{path}")
        with client.opened("ws://localhost/ws/echo", unix=str(path)) as websocket:
            websocket.send("hello")
            assert websocket.recv() == "hello"

            assert server.stop() == 0

        assert not path.exists()
        assert not server.trouble


def test_the_socket_of_a_killed_server_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "greenrelay.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    command = [GREENRELAY, "run", str(CONFIG)]
    with running(command, {"GREENRELAY_TEST_ADDR": f"unix:{path}"}) as server:
        server.wait_for(f"on unix:{path}")

        assert server.stop() == 0


def test_the_socket_of_a_server_that_lives_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "greenrelay.sock"
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(path))
        alive.listen()

        status, text = run("run", str(CONFIG), addr=f"unix:{path}")

        assert (status, text) == (1, f"cannot listen on unix:{path}: Address already in use\n")
        assert path.exists()


def test_a_file_in_the_place_of_the_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")

    status, text = run("run", str(CONFIG), addr=f"unix:{path}")

    assert (status, text) == (1, f"cannot listen on unix:{path}: Address already in use\n")
    assert path.read_text() == "data"


# TLS


def with_tls(folder: Path, cert: Path, key: Path) -> str:
    """Write the configuration with TLS; return its path."""
    return config_with(
        folder, addr=f'"127.0.0.1:0"\n    tls:\n      cert: {cert}\n      key: {key}'
    )


def test_wss_works_and_drains(
    tmp_path: Path, client: Client, certificate: tuple[Path, Path]
) -> None:
    cert, key = certificate
    with running([GREENRELAY, "run", with_tls(tmp_path, cert, key)]) as server:
        address = address_of(server)
        assert f"on https://{address}" in server.output
        with client.opened(f"wss://{address}/ws/echo", trusted=str(cert)) as websocket:
            for data in ("hello", b"\x80" * 100_000):
                websocket.send(data)
                assert websocket.recv() == data
            server.signal(signal.SIGTERM)

            assert websocket.wait_closed() == (1012, "drain")
            assert server.wait() == 0
        assert not server.trouble


def test_a_client_without_tls_is_no_traceback(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    with running([GREENRELAY, "run", with_tls(tmp_path, *certificate)]) as server:
        host, _, port = address_of(server).partition(":")
        with socket.create_connection((host, int(port))) as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                while plain.recv(65536):
                    pass

        server.wait_for("127.0.0.1: connection lost: ")
        assert server.stop() == 0
        assert not server.trouble


def test_a_certificate_that_cannot_be_used_is_a_configuration_error(
    tmp_path: Path, certificate: tuple[Path, Path]
) -> None:
    cert, _ = certificate
    missing = tmp_path / "missing.pem"

    status, text = run("run", with_tls(tmp_path, cert, missing))

    assert status == 2
    assert f'config.yaml:10:7: http.service "test:gateway": tls.cert: {cert}' in text
    assert "No such file or directory" in text
    assert len(text.splitlines()) == 1


def test_the_command_runs_as_a_module_too() -> None:
    command = [str(BIN / "python"), "-m", "greenrelay.cli.main", "run", str(CONFIG)]
    with running(command) as server:
        address_of(server)

        assert server.stop() == 0
        assert not server.trouble
