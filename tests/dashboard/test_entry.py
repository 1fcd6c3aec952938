"""Source: Operations, "Dashboard" (an ``http.dashboard`` entry)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from greenrelay.boot import read
from greenrelay.cli.routes import routes_of
from greenrelay.errors import ConfigError
from greenrelay.extension import create_apps
from greenrelay.http.state import state_of
from greenrelay.reload.apply import reload
from greenrelay.web import create_app
from tests.dashboard.page import PATH, Page, entries
from tests.serving import http, serving

STATIC = {
    "name": "site",
    "kind": "http.static",
    "meta.server": "gateway",
    "path": PATH,
    "directory": str(Path(__file__).parent),
}
ROUTER = {"name": "around", "kind": "http.router", "meta.server": "gateway", "prefix": PATH}
SECOND = {"name": "second", "kind": "http.dashboard", "meta.server": "gateway"}


def problems(*more: dict[str, Any], **fields: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read([*entries(**fields), *more])
    return str(caught.value)


def test_two_entries_cannot_have_one_path() -> None:
    assert '"/_greenrelay" is taken by http.dashboard "app:dashboard"' in problems(SECOND)
    assert '"/_greenrelay" is taken by http.dashboard "app:dashboard"' in problems(STATIC)
    assert "is taken by http.dashboard" in problems(ROUTER, SECOND)


def test_a_router_with_the_same_prefix_is_no_clash() -> None:
    assert len(read([*entries(), ROUTER]).dashboards) == 1


def test_it_needs_a_server_that_is_there() -> None:
    assert 'there is no http.service "app:gatway"' in problems({**SECOND, "meta.server": "gatway"})


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("action", "do it", 'action: is "do it"; it must be a word without "*"'),
        ("action", "*", 'action: is "*"; it must be a word without "*"'),
        ("password", 12345678, "password: it must be text of at least 8 characters"),
        ("path", "dash", 'path: is "dash"; it must be text that starts with "/"'),
    ],
)
def test_a_field_that_is_wrong_is_told(field: str, value: object, what: str) -> None:
    assert what in problems(**{field: value})


def test_it_is_among_the_routes() -> None:
    (route,) = routes_of(read(entries(path="/look/")))

    assert (route.path, route.answers, route.entry) == ("/look/", "the dashboard", "app:dashboard")


def test_each_server_has_its_own() -> None:
    other = {"name": "inner", "kind": "http.service", "addr": "127.0.0.1:0"}
    inner = {**SECOND, "meta.server": "inner", "path": "/inner/"}
    apps = create_apps([*entries(), other, inner])
    found = [
        sorted(rule.rule for rule in app.url_map.iter_rules() if rule.rule.endswith("/socket"))
        for app in apps
    ]
    state_of(apps[0]).node.shutdown(0.5)

    assert found == [["/_greenrelay/socket"], ["/inner/socket"]]


def test_a_reload_brings_it_and_takes_it_away(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(entries()[:1]))
    app = create_app(str(file))
    with serving(app) as address:
        assert http(address, f"{PATH}/")[0] == 404

        file.write_text(json.dumps(entries(role="readonly")))
        changed = reload(app)

        assert changed.lines == ('http.dashboard "app:dashboard": added',)
        page = Page(address)
        assert page.hello["role"] == "readonly"
        settings = page.ask("settings")["settings"]
        assert "app:dashboard" in {each["entry"] for each in settings}
        page.socket.close()

        file.write_text(json.dumps(entries()[:1]))
        reload(app)

        assert http(address, f"{PATH}/")[0] == 404


def test_assets_are_asked_for_again_only_when_they_have_changed() -> None:
    app = create_app(entries())
    with serving(app) as address:
        status, headers, body = http(address, f"{PATH}/assets/main.js")
        again = http(address, f"{PATH}/assets/main.js", headers={"If-None-Match": headers["etag"]})

        assert (status, headers["content-type"]) == (200, "text/javascript; charset=utf-8")
        assert "import" in body
        assert again[0] == 304
        for name in ("index.html", "nothing.js", "..%2fdesk.py"):
            assert http(address, f"{PATH}/assets/{name}")[0] == 404
