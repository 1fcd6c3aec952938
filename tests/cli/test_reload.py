"""Source: Configuration, the item on SIGHUP."""

from __future__ import annotations

import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import gevent
import pytest
from flask import Flask

from greenrelay.boot import APPLIED
from greenrelay.errors import ConfigError
from greenrelay.extension import GreenRelay, create_app
from greenrelay.http.state import state_of
from greenrelay.reload.apply import reload
from tests.cli import reloaded
from tests.probe import settle, wait_for
from tests.program import Program
from tests.servers.http import upgrade_request
from tests.servers.raw import TEXT, RawClient, frame
from tests.serving import connected, http, serving

ROOT = Path(__file__).parents[2]
CROWD = 1000
GATEWAY = "- {name: gateway, kind: http.service, addr: '127.0.0.1:0'}\n"
ROUTER = (
    "- name: sockets\n  kind: http.router\n  meta.server: gateway\n  prefix: {prefix}\n"
    "  post_middleware: [websocket_relay]\n  post_options: {{wsrelay.max.message.size: {size}}}\n"
)
ECHO = (
    "- {name: echo, kind: http.endpoint, meta.router: sockets, path: /echo,"
    " func: 'tests.cli.reloaded:echo'}\n"
)
SITE = GATEWAY + ROUTER.format(prefix="/ws", size="16KiB") + ECHO
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    reloaded.events.clear()
    path = tmp_path / "config.yaml"

    def write_it(text: str) -> Path:
        path.write_text(text)
        return path

    return write_it


def view(name: str, path: str, function: str) -> str:
    return (
        f"- {{name: {name}, kind: http.endpoint, meta.router: api, path: {path},"
        f" func: 'tests.cli.reloaded:{function}'}}\n"
    )


API = GATEWAY + "- {name: api, kind: http.router, meta.server: gateway}\n"


def service(name: str, *requires: str, arg: str = "") -> str:
    return (
        f"- {{name: {name}, kind: process.service, process: 'tests.cli.reloaded:service',"
        f" args: [{arg or name}], lifecycle.requires: [{', '.join(requires)}]}}\n"
    )


def test_of_two_who_ask_for_a_reload_one_waits_for_the_other(write: Write) -> None:
    app = create_app(write(API + view("a", "/a", "one")))
    with serving(app) as address:
        write(API + view("a", "/a", "other"))
        with app.extensions[APPLIED].turn:
            asking = gevent.spawn(reload, app)
            settle(state_of(app).node)

            assert http(address, "/a")[2] == "one"
        changes = asking.get(timeout=30)

        assert len(changes.lines) == 1
        assert http(address, "/a")[2] == "other"


# routes


def test_new_requests_see_new_routes(write: Write) -> None:
    app = create_app(write(API + view("a", "/a", "one") + view("b", "/b", "one")))
    with serving(app) as address:
        assert http(address, "/a")[2] == "one"
        write(API + view("a", "/a", "other") + view("c", "/c", "one"))

        found = reload(app)

        assert http(address, "/a")[2] == "other"
        assert http(address, "/b")[0] == 404
        assert http(address, "/c")[2] == "one"
        assert found.lines == (
            'http.endpoint "app:a": func: "tests.cli.reloaded:one" -> "tests.cli.reloaded:other"',
            'http.endpoint "app:c": added',
            'http.endpoint "app:b": removed',
        )
        assert found.warnings == ()


def test_the_views_of_the_app_itself_stay(write: Write) -> None:
    app = Flask("mine")
    app.add_url_rule("/mine", view_func=lambda: "mine", endpoint="mine")
    GreenRelay(app, write(API + view("a", "/a", "one")))
    with serving(app) as address:
        write(API + view("b", "/b", "one"))

        reload(app)

        assert http(address, "/mine")[2] == "mine"
        allowed = http(address, "/mine", method="OPTIONS")[1]["allow"]
        assert sorted(allowed.split(", ")) == ["GET", "HEAD", "OPTIONS"]
        assert http(address, "/a")[0] == 404
        assert http(address, "/b")[2] == "one"


def test_a_blueprint_comes_moves_and_goes_with_its_functions(write: Write) -> None:
    named = API.replace("gateway}", "gateway, prefix: {}, blueprint: 'tests.cli.reloaded:bp'}")
    app = create_app(write(API + view("a", "/a", "one")))
    with serving(app) as address:
        write(named.replace("{}", "/x"))
        reload(app)
        assert http(address, "/x/page")[2] == "page"
        assert http(address, "/x/missing")[2] == "no such page"
        assert reloaded.events == ["asked for a page"] * 2

        write(named.replace("{}", "/y"))
        reload(app)
        assert http(address, "/x/page")[0] == 404
        assert http(address, "/y/page")[2] == "page"
        assert reloaded.events == ["asked for a page"] * 3

        write(API)
        reload(app)
        assert http(address, "/y/page")[0] == 404
        assert "pages" not in app.blueprints


@pytest.mark.parametrize("has_written", [False, True])
def test_a_blueprint_brings_what_its_templates_use(write: Write, has_written: bool) -> None:
    app = create_app(write(API))
    if has_written:
        assert app.jinja_env.from_string("{{ 'x' | upper }}").render() == "X"
    with serving(app) as address:
        write(API.replace("gateway}", "gateway, blueprint: 'tests.cli.reloaded:bp'}"))

        reload(app)

        assert http(address, "/written")[2] == "True X here"


def test_an_open_socket_keeps_its_options_and_a_new_one_gets_the_new(write: Write) -> None:
    app = create_app(write(SITE))
    with serving(app) as address, connected(address, "/ws/echo") as old:
        write(GATEWAY + ROUTER.format(prefix="/live", size="10") + ECHO)

        reload(app)

        old.send("x" * 100)
        assert old.recv() == "x" * 100
        assert http(address, "/ws/echo")[0] == 404
        with connected(address, "/live/echo") as new:
            new.send("x" * 100)
            assert new.wait_closed()[0] == 1009


# nothing


def test_an_invalid_file_changes_nothing(write: Write) -> None:
    app = create_app(write(SITE + service("clock")))
    with serving(app) as address, connected(address, "/ws/echo") as client:
        rules = app.url_map
        write(GATEWAY + ROUTER.format(prefix="/live", size="many") + ECHO.replace(":echo", ":no"))

        with pytest.raises(ConfigError) as caught:
            reload(app)

        assert len(caught.value.problems) == 2
        assert app.url_map is rules
        assert reloaded.events == ["clock starts"]
        client.send("still there")
        assert client.recv() == "still there"


def test_code_that_cannot_be_imported_changes_nothing(write: Write) -> None:
    app = create_app(write(API + view("a", "/a", "one") + service("clock")))
    with serving(app) as address:
        write(API + view("b", "/b", "nobody") + service("clock", arg="other"))

        with pytest.raises(ConfigError, match="has no 'nobody'"):
            reload(app)

        assert http(address, "/a")[2] == "one"
        assert reloaded.events == ["clock starts"]


def test_the_same_file_changes_nothing(write: Write) -> None:
    app = create_app(write(SITE + service("clock")))
    with serving(app):
        wait_until(app, "clock")
        rules = app.url_map
        write("# moved by a line\n" + SITE + service("clock"))

        found = reload(app)

        assert (found.lines, found.warnings) == ((), ())
        assert app.url_map is rules
        assert reloaded.events == ["clock starts"]


def test_an_app_whose_configuration_is_no_file_says_so() -> None:
    app = create_app(GATEWAY)
    with serving(app), pytest.raises(ConfigError, match="<text>: is no file"):
        reload(app)


def test_an_app_without_a_configuration_says_so() -> None:
    app = Flask("bare")
    GreenRelay(app)
    with serving(app), pytest.raises(ConfigError, match="app 'bare' has no configuration"):
        reload(app)


# services


def test_services_that_changed_are_restarted_in_order(write: Write) -> None:
    app = create_app(write(service("a") + service("b", "a") + service("c", "b") + service("idle")))
    with serving(app):
        wait_until(app, "a", "b", "c", "idle")
        reloaded.events.clear()
        write(
            service("a", arg="a2")
            + service("b", "a")
            + service("c", "b", arg="c2")
            + service("idle")
        )

        reload(app)

        wait_until(app, "a", "b", "c", "idle")
        assert reloaded.events == ["c ends", "a ends", "a2 starts", "c2 starts"]


def test_services_come_and_go(write: Write) -> None:
    app = create_app(write(service("a") + service("b", "a")))
    with serving(app):
        wait_until(app, "a", "b")
        reloaded.events.clear()
        write(service("c") + service("d", "c"))

        reload(app)

        wait_until(app, "c", "d")
        assert list(state_of(app).node.services) == ["app:c", "app:d"]
        assert reloaded.events == ["b ends", "a ends", "c starts", "d starts"]


def test_the_first_service_of_all_may_come_with_a_reload(write: Write) -> None:
    app = create_app(write(API))
    with serving(app):
        write(API + service("a"))

        reload(app)

        wait_until(app, "a")


@pytest.mark.parametrize("source", ["tests.cli.reloaded:nobody", "tests.cli.ends_program:main"])
def test_a_service_whose_code_cannot_be_imported_changes_nothing(write: Write, source: str) -> None:
    """an invalid one changes nothing"""
    code = "- {name: code, kind: process.python, source: '%s'}\n"
    clock = "- {name: clock, kind: process.service, process: code}\n"
    app = create_app(write(code % "tests.cli.reloaded:answer" + clock))
    with serving(app):
        wait_until(app, "clock")
        before = state_of(app).node.services["app:clock"].pid
        write(code % source + clock)

        with pytest.raises(ConfigError, match=r"nobody|SystemExit"):
            reload(app)

        assert state_of(app).node.services["app:clock"].pid == before


def test_a_service_whose_code_is_another_one_is_restarted(write: Write) -> None:
    code = "- {name: code, kind: process.python, source: 'tests.cli.reloaded:%s'}\n"
    clock = "- {name: clock, kind: process.service, process: code}\n"
    app = create_app(write(code % "answer" + clock))
    with serving(app):
        wait_until(app, "clock")
        before = state_of(app).node.services["app:clock"].pid
        write(code % "events.clear" + clock)

        reload(app)

        assert state_of(app).node.services["app:clock"].pid != before


def test_a_service_that_cannot_start_is_told_and_tried_again_next_time(write: Write) -> None:
    host = (
        "- {name: main, kind: process.host}\n"
        "- {name: full, kind: process.host, max_processes: %d}\n"
    )
    there = service("a").replace("args", "host: full, args")
    more = service("b").replace("args", "host: full, args")
    app = create_app(write(host % 1 + there))
    with serving(app):
        wait_until(app, "a")
        write(host % 1 + there + more)
        found = reload(app)
        assert "service app:b was not started: HostFull" in found.warnings[0]

        write(host % 2 + there + more)
        found = reload(app)

        wait_until(app, "a", "b")
        assert found.warnings == ()


# hosts


def test_the_limits_of_hosts_hold_for_new_processes(write: Write) -> None:
    host = "- {name: small, kind: process.host, max_processes: %d, inbox.limit: %d}\n"
    app = create_app(write(host % (5, 50)))
    with serving(app):
        node = state_of(app).node
        old = node.spawn(reloaded.answer)
        write(host % (6, 7) + "- {name: new, kind: process.host, max_processes: 3}\n")

        reload(app)

        assert (node.hosts["app:small"].max_processes, node.hosts["app:small"].count) == (6, 1)
        assert node.hosts["app:small"].inbox_limit == 7
        assert node.hosts["app:new"].max_processes == 3
        assert node.find(old) is not None


def test_a_host_that_is_gone_takes_no_new_process(write: Write) -> None:
    app = create_app(write("- {name: small, kind: process.host}\n"))
    with serving(app):
        node = state_of(app).node
        old = node.spawn(reloaded.answer)
        write(API)

        reload(app)

        assert "app:small" not in node.hosts
        assert node.default_host == "processes"
        assert node.find(old) is not None
        assert node.spawn(reloaded.answer) in node.processes


# what a reload cannot do


def test_what_cannot_be_reloaded_is_named(write: Write) -> None:
    code = "- {name: code, kind: process.python, source: 'tests.cli.reloaded:answer'}\n"
    app = create_app(write(GATEWAY + code))
    with serving(app):
        write(GATEWAY.replace(":0", ":9").replace("}", ", timeouts.read: 5s}"))

        found = reload(app)

        assert found.lines == (
            'http.service "app:gateway": addr: "127.0.0.1:0" -> "127.0.0.1:9"',
            'http.service "app:gateway": timeouts.read: "10s" -> "5s"',
            'process.python "app:code": removed',
        )
        assert [warning.partition(":")[0] for warning in found.warnings] == [
            'http.service "app',
            'process.python "app',
        ]
        assert all("when the program is started again" in each for each in found.warnings)


# the real thing


def run(path: Path, *arguments: str) -> Program:
    return Program(["greenrelay", "run", str(path), *arguments], ROOT)


@pytest.fixture
def program(write: Write) -> Iterator[Program]:
    with run(write(SITE)) as program:
        yield program


@contextmanager
def raw(address: str, path: str) -> Iterator[RawClient]:
    """Open a WebSocket, fast."""
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), 20) as sock:
        sock.sendall(upgrade_request(path))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += sock.recv(4096)
        assert answer.startswith(b"HTTP/1.1 101 ")
        yield RawClient(sock, answer.partition(b"\r\n\r\n")[2])


def test_a_reload_with_a_thousand_open_sockets_closes_none(write: Write, program: Program) -> None:
    address = program.address()
    with ExitStack() as stack:
        clients = [stack.enter_context(raw(address, "/ws/echo")) for _ in range(CROWD)]
        write(GATEWAY + ROUTER.format(prefix="/live", size="16KiB") + ECHO + service("clock"))

        program.signal(signal.SIGHUP)

        program.wait_for("reload: done, 2 changes")
        for number, client in enumerate(clients):
            client.send(frame(TEXT, b"%d" % number))
        said_back = [client.read_frame() for client in clients]
        assert said_back == [(TEXT, b"%d" % number) for number in range(CROWD)]
        assert http(address, "/ws/echo")[0] == 404
        with connected(address, "/live/echo") as new:
            new.send("new")
            assert new.recv() == "new"


def test_a_hangup_with_an_invalid_file_prints_every_problem_and_changes_nothing(
    write: Write, program: Program
) -> None:
    address = program.address()
    with connected(address, "/ws/echo") as client:
        path = write(SITE.replace("prefix: /ws", "prefix: ws").replace("_relay", "_rely"))

        program.signal(signal.SIGHUP)

        program.wait_for("reload: nothing was changed")
        assert any(f"{path}:6:21: " in line for line in program.output)
        assert any(f"{path}:5:3: " in line for line in program.output)
        client.send("still there")
        assert client.recv() == "still there"
        with connected(address, "/ws/echo") as new:
            new.send("as before")
            assert new.recv() == "as before"


def test_a_hangup_reaches_every_service_and_what_was_set_outside_stays_in_force(
    write: Write,
) -> None:
    def site(function: str) -> str:
        return "".join(
            f"- {{name: {name}, kind: http.service, addr: '127.0.0.1:0'}}\n"
            f"- {{name: {name}-api, kind: http.router, meta.server: {name}, prefix: /file}}\n"
            f"- {{name: {name}-view, kind: http.endpoint, meta.router: {name}-api, path: /,"
            f" func: 'tests.cli.reloaded:{function}'}}\n"
            for name in ("left", "right")
        )

    with run(write(site("one")), "--set", "right-api.prefix=/set") as program:
        program.wait_for("serves app:right")
        left, right = addresses(program, "left", "right")
        assert http(left, "/file/")[2] == http(right, "/set/")[2] == "one"
        write(site("other"))

        program.signal(signal.SIGHUP)

        program.wait_for("reload: done, 2 changes")
        assert http(left, "/file/")[2] == http(right, "/set/")[2] == "other"
        assert http(right, "/file/")[0] == 404
        assert program.stop() == 0


def test_a_hangup_that_comes_before_it_serves_is_heeded_once_it_does(
    write: Write, tmp_path: Path
) -> None:
    flag = tmp_path / "flag"
    gateway = GATEWAY.replace("}", ", lifecycle.requires: [slow], lifecycle.start_timeout: 20s}")
    slow = (
        "- {name: slow, kind: process.service, process: 'tests.cli.reloaded:slow',"
        f" args: ['{flag}']}}\n"
    )
    with run(write(gateway + slow)) as program:
        program.wait_for("slow is on its way")
        write(gateway + slow + ROUTER.format(prefix="/ws", size="16KiB") + ECHO)

        program.signal(signal.SIGHUP)
        flag.touch()

        program.wait_for("reload: done, 2 changes")
        with connected(program.address(), "/ws/echo") as client:
            client.send("early")
            assert client.recv() == "early"


def addresses(program: Program, *names: str) -> list[str]:
    """Return where these servers listen, from what the program has printed."""
    printed = "".join(program.output)
    found = {
        name: re.search(rf"serves app:{name} of .* on http://(\S+)", printed) for name in names
    }
    return [match[1] for match in found.values() if match is not None]


def wait_until(app: Flask, *names: str) -> None:
    """Wait until these services run."""
    services = state_of(app).node.services
    wanted = {f"app:{name}" for name in names}
    wait_for(
        lambda: {key for key, info in services.items() if info.state == "running"} == wanted,
        timeout="10s",
    )
