"""HTTP, "Entries": what Flask makes of routers and endpoints."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from flask import Blueprint, Flask, request, url_for

from greenrelay.errors import ConfigError
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, create_app

HERE = "tests.http.test_router"
ROUTER = {"name": "r", "kind": "http.router", "meta.server": "s"}


def first() -> str:
    return f"first {request.method}"


def second() -> tuple[str, dict[str, str]]:
    return f"second {request.method}", {"X-Second": "yes"}


@contextmanager
def made(config: Any) -> Iterator[Flask]:
    """Make an app; at the end its node ends."""
    app = create_app(config)
    yield app
    state_of(app).node.shutdown(0.5)


def endpoint(name: str, path: str, func: str, **more: Any) -> dict[str, Any]:
    fields = {"name": name, "kind": "http.endpoint", "meta.router": "r", "path": path}
    return {**fields, "func": f"{HERE}:{func}", **more}


@pytest.mark.parametrize("is_last", [True, False])
@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
@pytest.mark.parametrize("other", [["GET"], ["GET", "POST"]])
def test_what_an_endpoint_is_for_no_other_one_answers(
    method: str, other: list[str], is_last: bool
) -> None:
    entries = [
        endpoint("a", "/x", "first", method=other),
        endpoint("b", "/x", "second", method=method),
    ]
    with made([ROUTER, *(entries if is_last else entries[::-1])]) as app:
        answer = app.test_client().open("/x", method=method)
        other_answer = app.test_client().get("/x")

    assert answer.headers.get("X-Second") == "yes"
    assert other_answer.text == "first GET"


def test_an_endpoint_for_options_and_one_for_head_share_a_path() -> None:
    entries = [
        endpoint("a", "/x", "first", method=["GET", "OPTIONS"]),
        endpoint("b", "/x", "second", method=["POST", "HEAD"]),
    ]
    with made([ROUTER, *entries]) as app:
        options, head = app.test_client().options("/x"), app.test_client().head("/x")

    assert options.text == "first OPTIONS"
    assert head.headers.get("X-Second") == "yes"


def test_without_an_endpoint_for_options_flask_answers_it() -> None:
    with made([ROUTER, endpoint("a", "/x", "first")]) as app:
        answer = app.test_client().options("/x")

    assert answer.status_code == 200
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_endpoints_of_two_namespaces_may_have_the_same_name(tmp_path: Path) -> None:
    """References are `namespace:name`; a bare name takes the file's namespace."""
    one, two = tmp_path / "one.yaml", tmp_path / "two.yaml"
    one.write_text(
        "namespace: one\nentries:\n- {name: r, kind: http.router, meta.server: s}\n"
        f"- {{name: get, kind: http.endpoint, meta.router: r, path: /1, func: '{HERE}:first'}}\n"
    )
    two.write_text(
        "namespace: two.x\nentries:\n- {name: get, kind: http.endpoint, meta.router: 'one:r', "
        f"path: /2, func: '{HERE}:second'}}\n"
    )

    with made([one, two]) as app:
        answers = [app.test_client().get(path).text for path in ("/1", "/2")]
        with app.test_request_context():
            paths = [url_for(name) for name in ("one_r.get", "one_r.two_x_get")]

    assert answers == ["first GET", "second GET"]
    assert paths == ["/1", "/2"]


def test_a_module_that_ends_the_program_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends_the_program.py").write_text("raise SystemExit(3)\n")
    monkeypatch.syspath_prepend(str(tmp_path))

    with pytest.raises(ConfigError, match="importing ends_the_program:bp failed: SystemExit: 3"):
        create_app([{**ROUTER, "blueprint": "ends_the_program:bp"}])


def test_a_router_with_the_name_of_a_blueprint_of_the_app_is_refused() -> None:
    app = Flask("taken")
    app.register_blueprint(Blueprint("app_r", "taken"))

    with pytest.raises(ConfigError, match="the app has a blueprint of the name 'app_r' already"):
        GreenRelay(app, config=[ROUTER, endpoint("a", "/x", "first")])
