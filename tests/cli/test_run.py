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
from tests.servers.http import ask, connected, get, upgrade_request
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
    assert re.search("run +Serve FILEs", run("--help")[1])
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


# lifecycle

BUSY = "tests.http.long_views:busy"


def with_fields(folder: Path, *fields: str) -> str:
    """Write the configuration with more fields of its http.service; return its path."""
    more = "".join(f"\n    {field}" for field in fields)
    return config_with(folder, addr=f'"127.0.0.1:0"{more}')


def test_a_service_that_does_not_start_by_itself_is_not_served(tmp_path: Path) -> None:
    path = Path(with_fields(tmp_path))
    other = '\n  - name: admin\n    kind: http.service\n    addr: "127.0.0.1:1"\n'
    path.write_text(path.read_text() + other + "    lifecycle: {auto_start: false}\n")
    with running([GREENRELAY, "run", str(path)]) as server:
        address_of(server)

        assert "test:admin is not served: lifecycle.auto_start is false" in server.output
        assert server.stop() == 0


def test_with_no_service_that_starts_by_itself_nothing_starts(tmp_path: Path) -> None:
    status, text = run("run", with_fields(tmp_path, "lifecycle: {auto_start: false}"))

    assert status == 2
    assert "no entry of kind http.service is to be started\n" in text


def test_no_service_starts_when_one_address_of_two_is_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        addr = f"127.0.0.1:{other.getsockname()[1]}"
        path = Path(with_fields(tmp_path))
        entry = f'\n  - name: admin\n    kind: http.service\n    addr: "{addr}"\n'
        path.write_text(path.read_text() + entry)

        status, text = run("run", str(path))

    assert status == 1
    assert f"cannot listen on {addr}: Address already in use\n" in text
    assert "clock runs" not in text


def test_clients_are_served_once_what_the_server_requires_has_started(tmp_path: Path) -> None:
    """``lifecycle.requires``: the ids that start before it"""
    path = with_fields(tmp_path, "lifecycle: {requires: [clock]}")
    with running([GREENRELAY, "run", path]) as server:
        address_of(server)

        assert server.output.index("clock runs") < server.output.index("greenrelay serves")
        assert server.stop() == 0


def test_a_server_does_not_wait_for_ever_for_what_it_requires(tmp_path: Path) -> None:
    lifecycle = "lifecycle: {requires: [clock], start_timeout: 100ms}"
    path = Path(with_fields(tmp_path, lifecycle))
    path.write_text(path.read_text().replace("tests.servers.site:clock", BUSY))
    with running([GREENRELAY, "run", str(path)]) as server:
        assert get(address_of(server), "/").status == 200

        assert "test:gateway starts without test:clock: not started within " in server.output


def test_requests_that_have_begun_have_the_stop_timeout(tmp_path: Path) -> None:
    path = with_fields(tmp_path, "lifecycle: {stop_timeout: 100ms}")
    with running([GREENRELAY, "run", path]) as server:
        host, _, port = address_of(server).partition(":")
        with socket.create_connection((host, int(port))) as sock:
            sock.sendall(b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\n1")
            server.signal(signal.SIGTERM)

            assert server.wait() == 0


def test_what_has_no_effect_on_a_server_is_said(tmp_path: Path) -> None:
    path = with_fields(tmp_path, "lifecycle: {restart: {max_attempts: 3}}")
    with running([GREENRELAY, "run", path]) as server:
        address_of(server)

        assert "lifecycle.restart.max_attempts: has no effect on an http.service" in server.output
        assert server.stop() == 0


def test_several_files_are_one_configuration_and_values_can_be_set(tmp_path: Path) -> None:
    other = tmp_path / "more.yaml"
    other.write_text(
        'version: "1.0"\nnamespace: test\nentries:\n'
        "  - {name: more, kind: http.endpoint, meta: {router: pages}, path: /more, "
        "func: tests.http.views:plain}\n"
    )
    command = [GREENRELAY, "run", str(CONFIG), str(other), "--set", "gateway.limits.body_size=1"]
    with running(command) as server:
        address = address_of(server)

        assert get(address, "/more").body == "plain"
        with connected(address) as connection:
            assert ask(connection, "/", method="POST", body=b"12").status == 413
        assert server.stop() == 0


def test_sighup_reads_the_configuration_again(tmp_path: Path) -> None:
    path = Path(with_fields(tmp_path))
    with running([GREENRELAY, "run", str(path)]) as server:
        address = address_of(server)
        assert get(address, "/state").status == 200
        path.write_text(path.read_text().replace("path: /state", "path: /renamed"))

        server.signal(signal.SIGHUP)

        server.wait_for("reload: done")
        assert get(address, "/renamed").status == 200
        assert get(address, "/state").status == 404
        assert server.stop() == 0


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
