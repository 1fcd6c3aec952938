"""Source: Operations, "Logs and traces", with servers that are started as a person would."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs import DOCS
from tests.readme import blocks
from tests.servers.client import Client
from tests.servers.kinds import address_of
from tests.servers.running import BIN, GUNICORN, ROOT, running
from tests.serving import http

CONFIG = """\
- {name: gateway, kind: http.service, addr: "127.0.0.1:0"}
- name: api
  kind: http.router
  meta: {server: gateway}
  post_middleware: [websocket_relay]
- {name: ws, kind: http.endpoint, meta: {router: api}, path: /ws, func: "log_site:ws"}
- {name: bad, kind: http.endpoint, meta: {router: api}, path: /bad, func: "log_site:bad"}
- name: wrong
  kind: http.endpoint
  meta: {router: api}
  path: "/wrong/{word}"
  func: "log_site:bad"
"""
SITE = """\
import greenrelay as gr
from greenrelay.web import relay

def target():
    for message in gr.inbox():
        if message.topic == "ws.message":
            raise LookupError("of the target")

def ws():
    return relay(gr.spawn(target))

def bad(word=""):
    gr.pid()
    raise LookupError("of the view")
"""
# A server of gevent that has nothing of greenrelay in it.
SERVE = """\
from gevent import monkey

monkey.patch_all()

from gevent.pywsgi import WSGIServer
from greenrelay.web import create_app

server = WSGIServer(("127.0.0.1", 0), create_app("config.yaml"))
server.start()
print(f"http://127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
"""
TUTORIAL = "the tutorial's"
APP = 'greenrelay.web:create_app("{}")'
FILES = {
    "the deployment's": (DOCS / "operations/files/gunicorn.conf.py").read_text(),
    "a new project's": (ROOT / "greenrelay/cli/project/gunicorn.conf.py.txt").read_text(),
    TUTORIAL: blocks(DOCS / "tutorial.md")["file", "gunicorn.conf.py"],
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GREENRELAY_RUN_DIR", str(tmp_path / "run"))
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "log_site.py").write_text(SITE)
    return tmp_path


def gunicorn(folder: Path, *options: str, conf: str = "") -> list[str]:
    """Return the command line of one worker; ``conf`` is the text of gunicorn's file."""
    (folder / "gunicorn.conf.py").write_text(conf)
    common = ["-c", str(folder / "gunicorn.conf.py"), "-b", "127.0.0.1:0", "-w", "1"]
    app = APP.format(folder / "config.yaml")
    return [GUNICORN, "--no-control-socket", *common, *options, app]


def provoke(client: Client, address: str) -> None:
    """Open a socket, crash its target, crash a view."""
    with client.opened(f"ws://{address}/ws") as socket:
        socket.send("crash")
        assert socket.wait_closed() == (1011, "target failed")
    assert http(address, "/bad", headers={"X-Request-ID": "r-1"})[0] == 500


@pytest.mark.parametrize("name", FILES)
def test_under_gunicorn_sockets_crashes_and_views_are_in_its_log(
    folder: Path, client: Client, name: str
) -> None:
    """one line when a connection opens and one when it closes; a crash is one ERROR"""
    with running(gunicorn(folder, conf=FILES[name])) as server:
        provoke(client, address_of(server))

        # In the form of gunicorn's own lines.
        for text in ("opened: path=/ws", "closed: code=1011", "Exception on /bad"):
            server.wait_for(rf"(?m)^\[.*\] \[\d+\] \[\w+\] .*{text}")
        server.wait_for(r"\[ERROR\] .*\(log_site:target\) crashed\nTraceback")
        for text in ("of the target", "of the view"):
            assert server.output.count(f"\nLookupError: {text}\n") == 1
        if "accesslog" in FILES[name]:
            server.wait_for(r'"GET /bad HTTP/1.1" 500')
        assert server.stop() == 0
        server.wait_for(r"\[INFO\] Worker exiting")


@pytest.mark.parametrize("kind", ["greenrelay.gunicorn.Worker", "gevent"])
def test_a_program_that_can_be_asked_for_its_errors_writes_them_all_the_same(
    folder: Path, client: Client, kind: str
) -> None:
    conf = f"worker_class = {kind!r}\nraw_env = ['GREENRELAY_ADMIN=1']\n"
    with running(gunicorn(folder, conf=conf)) as server:
        provoke(client, address_of(server))

        server.wait_for("LookupError: of the target")
        server.wait_for("LookupError: of the view")


@pytest.mark.parametrize("admin", ["0", "1"])
def test_so_does_one_that_nobody_has_given_a_log(folder: Path, client: Client, admin: str) -> None:
    (folder / "serve.py").write_text(SERVE)
    command = ["env", "-C", str(folder), str(BIN / "python"), "serve.py"]

    with running(command, {"GREENRELAY_ADMIN": admin}) as server:
        provoke(client, address_of(server))

        server.wait_for("LookupError: of the target")
        server.wait_for("LookupError: of the view")
        assert server.output.count("LookupError: of the view") == 1


def test_a_log_of_ones_own_wins_over_that_of_gunicorn(folder: Path, client: Client) -> None:
    (folder / "log.ini").write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=mine\n[formatters]\nkeys=mine\n"
        "[logger_root]\nlevel=WARNING\nhandlers=mine\n"
        "[handler_mine]\nclass=StreamHandler\nformatter=mine\nargs=(sys.stderr,)\n"
        "[formatter_mine]\nformat=MINE %(levelname)s %(message)s\n"
    )
    command = gunicorn(folder, "--log-config", str(folder / "log.ini"), conf=FILES[TUTORIAL])

    with running(command) as server:
        provoke(client, address_of(server))

        server.wait_for(r"MINE ERROR .*\(log_site:target\) crashed")
        server.wait_for(r"MINE ERROR Exception on /bad \[GET\] pid=\{")
        assert server.output.count("LookupError: of the view") == 1
        assert "opened:" not in server.output


def test_the_log_level_of_gunicorn_holds_for_ours(folder: Path, client: Client) -> None:
    # gunicorn does not say where it listens then.
    hook = (
        "def when_ready(server):\n"
        "    print(f'http://127.0.0.1:{server.LISTENERS[0].getsockname()[1]}', flush=True)\n"
    )
    command = gunicorn(folder, "--log-level", "error", conf=f"{FILES[TUTORIAL]}\n{hook}")

    with running(command) as server:
        provoke(client, address_of(server))

        server.wait_for("LookupError: of the view")
        assert "opened:" not in server.output


def test_gunicorn_writes_json_where_its_file_says_so(folder: Path, client: Client) -> None:
    page = (DOCS / "deployment.md").read_text()
    (conf,) = re.findall(r'```python title="gunicorn_conf.py"\n(.*?)```', page, re.DOTALL)
    with running(gunicorn(folder, conf=conf)) as server:
        provoke(client, address_of(server))
        server.wait_for("of the view")

        lines = [each for each in server.output.splitlines() if '"logger": "greenrelay' in each]
        found = {each["message"].partition(" ")[2]: each for each in map(json.loads, lines)}
        crash = found["(log_site:target) crashed"]
        assert crash["traceback"].endswith("LookupError: of the target")
        (view,) = [each for each in found.values() if "Exception on" in each["message"]]
        assert (view["path"], view["request_id"]) == ("/bad", "r-1")
        assert view["pid"].startswith("{")
        (closed,) = [each for each in found.values() if " closed: " in each["message"]]
        assert (closed["code"], closed["path"]) == (1011, "/ws")


def test_a_path_with_line_breaks_forges_no_line_of_a_crash(folder: Path, client: Client) -> None:
    with running(gunicorn(folder, conf=FILES[TUTORIAL])) as server:
        assert http(address_of(server), "/wrong/%0AFORGED%1B%5B2J")[0] == 500

        server.wait_for(r"Exception on /wrong/\\nFORGED\\x1b\[2J \[GET\] pid=\{")
        assert "\nFORGED" not in server.output
