"""HTTP: "Three ways in" and "Entries"."""

import textwrap
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from greenrelay import ConfigError, Node, spawn
from greenrelay.extension import create_apps
from greenrelay.http.state import state_of
from greenrelay.runtime.node import open_nodes
from greenrelay.web import GreenRelay, create_app, websocket_relay
from tests.http import views
from tests.serving import Refused, connected, http, serving
from tests.threads import NativeThread

SEED = """
version: "1.0"
namespace: app
entries:
  - name: gateway
    kind: http.service
    addr: 127.0.0.1:0
  - name: processes
    kind: process.host
  - name: ws_router
    kind: http.router
    meta:
      server: gateway
    prefix: /ws
    post_middleware:
      - websocket_relay
    post_options:
      wsrelay.allowed.origins: "https://app.example.com"
  - name: chat
    kind: http.endpoint
    meta:
      router: ws_router
    method: GET
    path: /chat
    func: tests.http.views:ws
"""


def config_with(**entry: Any) -> dict[str, Any]:
    """Return a configuration of one router ``r`` and one endpoint or more changes of it."""
    router = {"name": "r", "kind": "http.router", "meta": {"server": "s"}, "prefix": "/api"}
    server = {"name": "s", "kind": "http.service", "addr": "127.0.0.1:0"}
    endpoint = {"name": "e", "kind": "http.endpoint", "meta": {"router": "r"}, **entry}
    return {"version": "1.0", "namespace": "app", "entries": [server, router, endpoint]}


def echoes(address: str, path: str, **options: Any) -> bool:
    with connected(address, path, **options) as client:
        client.send("hello")
        answer = client.recv()
        client.close()
    return answer == "hello"


def test_create_app_serves_the_fragment_of_the_page(tmp_path: Path) -> None:
    """``create_app("config.yaml")`` returns a Flask app with every router and endpoint mounted"""
    file = tmp_path / "config.yaml"
    file.write_text(SEED)

    with serving(create_app(str(file))) as address:
        assert echoes(address, "/ws/chat?user_id=7", origin="https://app.example.com")
        with pytest.raises(Refused):
            connected(address, "/ws/chat", origin="https://evil.example").__enter__()
        assert http(address, "/ws/chat")[0] == 426
        assert http(address, "/chat")[0] == 404


@pytest.mark.parametrize("kind", ["path", "text path", "text", "mapping"])
def test_config_may_be_a_path_text_or_a_mapping(kind: str, tmp_path: Path) -> None:
    """Config may be a path, a mapping or absent."""
    file = tmp_path / "config.yaml"
    file.write_text(SEED)
    mapping = config_with(method="GET", path="/users/{id}", func="tests.http.views:user")
    configs: dict[str, Any] = {
        "path": file,
        "text path": str(file),
        "text": SEED,
        "mapping": mapping,
    }
    app = Flask(__name__)
    GreenRelay(app, config=configs[kind])

    with serving(app) as address:
        status = http(address, "/api/users/7" if kind == "mapping" else "/ws/chat")[0]

    assert status == (200 if kind == "mapping" else 426)


def test_config_may_be_absent() -> None:
    app = Flask(__name__)
    GreenRelay(app)
    app.register_blueprint(views.decorated, url_prefix="/hand")

    with serving(app) as address:
        assert echoes(address, "/hand/ws")
        assert echoes(address, "/hand/ws", origin="https://app.example.com")


def test_init_app_in_a_factory() -> None:
    """``GreenRelay()`` and ``init_app(app)`` in a factory"""
    extension = GreenRelay(
        config=config_with(method="GET", path="/users/{id}", func="tests.http.views:user")
    )

    def factory() -> Flask:
        app = Flask(__name__)
        extension.init_app(app)
        app.get("/mine")(lambda: "mine")
        return app

    first, second = factory(), factory()
    assert state_of(first).node is not state_of(second).node
    for app in (first, second):
        with serving(app) as address:
            assert http(address, "/mine")[2] == "mine"
            assert http(address, "/api/users/7")[2] == "user 7"


def test_an_app_has_one_greenrelay() -> None:
    app = Flask(__name__)
    GreenRelay(app)

    with pytest.raises(RuntimeError, match="has a GreenRelay already"):
        GreenRelay(app)
    state_of(app).node.shutdown(0)


def test_a_node_of_ones_own_is_used(node: Node) -> None:
    app = Flask(__name__)
    GreenRelay(app, node=node)

    assert state_of(app).node is node


def router_config(**fields: Any) -> list[dict[str, Any]]:
    return [
        {"name": "s", "kind": "http.service", "addr": "127.0.0.1:0"},
        {"name": "processes", "kind": "process.host"},
        {
            "name": "r",
            "kind": "http.router",
            "meta": {"server": "s"},
            "prefix": "/api",
            "post_middleware": ["websocket_relay"],
            **fields,
        },
    ]


def test_a_blueprint_named_by_a_router_gets_its_prefix_and_middleware() -> None:
    """An existing blueprint can also be named by a router entry …, which then gives it prefix and
    middleware."""
    app = Flask(__name__)
    GreenRelay(app, config=router_config(blueprint="tests.http.views:bp"))

    with serving(app) as address:
        assert http(address, "/api/plain")[2] == "plain"
        assert http(address, "/plain")[0] == 404
        assert echoes(address, "/api/ws")


@pytest.mark.parametrize(
    ("path", "asked", "func", "answer"),
    [
        ("/users/{id}", "/users/7", "user", "user 7"),
        ("/files/{rest...}", "/files/a/b/c.txt", "file", "file a/b/c.txt"),
        ("/both", "/both", "both", "GET"),
    ],
)
def test_the_paths_of_endpoints(path: str, asked: str, func: str, answer: str) -> None:
    """Paths: ``/users/{id}``, ``/files/{rest...}`` (the tail *is* handed to the view)"""
    app = create_app(config_with(method="GET", path=path, func=f"tests.http.views:{func}"))

    with serving(app) as address:
        assert http(address, f"/api{asked}")[2] == answer
        assert http(address, f"/api{asked}/")[0] == 404 or func == "file"


def test_an_endpoint_has_the_methods_it_lists() -> None:
    """``method`` (one or a list)"""
    app = create_app(config_with(method=["PUT", "POST"], path="/b", func="tests.http.views:both"))

    with serving(app) as address:
        answers = {
            method: http(address, "/api/b", method=method, headers={"Content-Length": "0"})
            for method in ("PUT", "POST", "GET", "DELETE")
        }

    assert {method: answer[0] for method, answer in answers.items()} == {
        "PUT": 200,
        "POST": 200,
        "GET": 405,
        "DELETE": 405,
    }
    assert answers["PUT"][2] == "PUT"


WRONG = [
    ("func: tests.http.views:ws", "func: tests.http.views:nothing", "no 'nothing'"),
    ("func: tests.http.views:ws", "func: tests.http.nothing:ws", "no module"),
    ("func: tests.http.views:ws", "func: tests.http.views:NOT_CALLABLE", "not callable"),
    ("prefix: /ws", "prefix: /ws\n    blueprint: tests.http.views:gone", "no 'gone'"),
    ("prefix: /ws", "prefix: /ws\n    blueprint: tests.http.views:ws", "is not a flask.Blueprint"),
]


@pytest.mark.parametrize(("right", "wrong", "text"), WRONG)
def test_what_cannot_be_imported_is_an_error_with_its_place(
    right: str, wrong: str, text: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(SEED.replace(right, wrong))
    lines = file.read_text().splitlines()
    field, name = wrong.split("\n")[-1].strip().split(": ")
    line = next(n for n, found in enumerate(lines, 1) if found.endswith(f"{field}: {name}"))
    before = len(open_nodes)

    with pytest.raises(ConfigError) as caught:
        create_app(str(file))

    (problem,) = caught.value.problems
    column = lines[line - 1].index(field) + 1
    assert problem.startswith(f"{file}:{line}:{column}: ")
    assert f"{field}: " in problem
    assert text in problem
    assert len(open_nodes) == before


def test_an_error_leaves_the_app_as_it_was() -> None:
    app = Flask(__name__)
    wsgi_app = app.wsgi_app
    config = config_with(method="GET", path="/a", func="tests.http.views:nothing")

    with pytest.raises(ConfigError):
        GreenRelay(app, config)

    assert app.extensions == {}
    assert app.wsgi_app == wsgi_app
    GreenRelay(app)
    state_of(app).node.shutdown(0)


def test_a_blueprint_that_is_there_already_is_an_error_with_its_place() -> None:
    app = Flask(__name__)
    app.register_blueprint(views.bp)

    with pytest.raises(ConfigError, match="blueprint"):
        GreenRelay(app, config=router_config(blueprint="tests.http.views:bp"))


def test_unknown_options_have_their_place(tmp_path: Path) -> None:
    """Unknown options and unreadable values are configuration errors with file and line."""
    file = tmp_path / "config.yaml"
    option = 'wsrelay.allowed.origins: "https://app.example.com"'
    file.write_text(SEED.replace(option, "wsrelay.alowed.origins: x"))

    with pytest.raises(ConfigError) as caught:
        create_app(str(file))

    (problem,) = caught.value.problems
    assert problem.startswith(f"{file}:18:7: ")
    assert 'did you mean "wsrelay.allowed.origins"' in problem


def test_unknown_decorator_options_are_errors() -> None:
    with pytest.raises(ConfigError, match=r"websocket_relay: wsrelay\.alowed\.origins: unknown"):
        websocket_relay(alowed_origins="*")


def test_a_decorator_without_its_call_says_what_is_wrong() -> None:
    def view() -> None:
        pass

    with pytest.raises(TypeError, match=r"@websocket_relay\(\)"):
        websocket_relay(view)


@pytest.mark.parametrize("name", ["allow_origins", "allowed_origins"])
def test_the_older_names_of_the_origins_still_work(name: str) -> None:
    """``wsrelay.allowed.origins``: also ``allow_origins``, then ``allowed_origins``"""
    text = SEED.replace("wsrelay.allowed.origins", name)

    with serving(create_app(text)) as address:
        assert echoes(address, "/ws/chat", origin="https://app.example.com")


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_SECRET_KEY", "from outside")
    app = create_app(textwrap.dedent(SEED))

    assert app.secret_key == "from outside"
    state_of(app).node.shutdown(0)


class TestServersWithoutGevent:
    """A server that runs no gevent loop would leave what a view spawns waiting for ever."""

    def test_a_view_that_needs_processes_says_so_under_werkzeug(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        app = Flask(__name__)
        GreenRelay(app)
        app.add_url_rule("/spawn", view_func=lambda: str(spawn(int)))
        app.add_url_rule("/plain", "plain", lambda: "plain")
        environ = {"SERVER_SOFTWARE": "Werkzeug/3.1"}
        client = app.test_client()

        assert client.get("/plain", environ_overrides=environ).data == b"plain"
        assert client.get("/spawn", environ_overrides=environ).status_code == 500
        assert "greenrelay run config.yaml" in caplog.text
        state_of(app).node.shutdown()

    def test_so_it_does_in_a_thread_of_its_own(self) -> None:
        app = Flask(__name__)
        GreenRelay(app)
        app.add_url_rule("/spawn", view_func=lambda: str(spawn(int)))
        statuses: list[int] = []
        thread = NativeThread(lambda: statuses.append(app.test_client().get("/spawn").status_code))
        thread.start()
        thread.join()

        assert statuses == [500]
        state_of(app).node.shutdown()


def test_a_view_s_module_that_cannot_be_imported_is_a_located_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_views.py").write_text("first = 1\nsecond = first / 0\n")
    config = (
        SEED
        + """
  - name: broken
    kind: http.endpoint
    meta:
      router: ws_router
    path: /broken
    func: broken_views:view
"""
    )

    with pytest.raises(ConfigError) as caught:
        create_app(config)

    (problem,) = caught.value.problems
    assert 'http.endpoint "app:broken": func: importing broken_views:view failed' in problem
    assert "ZeroDivisionError" in problem
    assert "broken_views.py:2" in problem


def test_routes_of_two_servers_that_clash_in_one_app_are_refused() -> None:
    """Two routes that clash … configuration errors"""
    entries = "".join(
        f"- {{name: {name}, kind: http.service, addr: '127.0.0.1:0'}}\n"
        f"- {{name: {name}-pages, kind: http.router, meta.server: {name}}}\n"
        f"- {{name: {name}-page, kind: http.endpoint, meta.router: {name}-pages, path: /page,"
        " func: 'tests.cli.reloaded:one'}\n"
        for name in ("public", "private")
    )

    with pytest.raises(ConfigError) as caught:
        create_app(entries)

    (problem,) = caught.value.problems
    assert 'http.endpoint "app:private-page": path: GET /page clashes with GET /page' in problem
    assert problem.endswith("(one app has all servers)")
    # Each server by itself has no such trouble.
    apps = create_apps(entries)
    assert [app.test_client().get("/page").text for app in apps] == ["one", "one"]
    state_of(apps[0]).node.shutdown(0.5)
