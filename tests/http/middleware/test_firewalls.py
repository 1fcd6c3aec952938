"""The firewalls as decorators, and resources that are made of a path."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Blueprint, Flask, g

from greenrelay.errors import ConfigError
from greenrelay.http.middleware.firewall import flask_endpoint
from greenrelay.http.middleware.resource_firewall import resource_of
from greenrelay.web import Actor, act_as, endpoint_firewall, resource_firewall
from tests.serving import relay_app

CONFIG = [
    {
        "name": "members",
        "kind": "security.policy",
        "actions": "access, doc.read",
        "resources": ["pages.show", "docs/*"],
        "effect": "allow",
    }
]


@pytest.fixture
def app() -> Iterator[Flask]:
    with relay_app("tests.firewalls", CONFIG) as app:

        @app.before_request
        def log_in() -> None:
            act_as(Actor("ada"))

        yield app


def show(**params: object) -> dict[str, object]:
    return {"params": params}


def status(app: Flask, path: str) -> int:
    return app.test_client().get(path).status_code


def test_the_resource_of_a_view_without_an_entry_is_the_endpoint_of_flask(app: Flask) -> None:
    pages = Blueprint("pages", __name__)
    pages.add_url_rule("/show", "show", endpoint_firewall()(show))
    pages.add_url_rule("/hide", "hide", endpoint_firewall()(show))
    pages.add_url_rule("/drop", "drop", endpoint_firewall(action="drop")(show))
    app.register_blueprint(pages)

    assert [status(app, path) for path in ("/show", "/hide", "/drop")] == [200, 403, 403]


def test_the_target_of_a_decorator_has_parameters_of_the_path(app: Flask) -> None:
    guarded = resource_firewall(action="doc.read", target="docs/{id}")
    app.get("/docs/<id>")(guarded(show))

    assert status(app, "/docs/7") == 200
    assert status(app, "/docs/a.b:c") == 200


def test_a_target_that_the_path_does_not_fill_is_open_to_nobody(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    app.get("/docs")(resource_firewall(action="doc.read", target="docs/{id}")(show))

    assert status(app, "/docs") == 403
    assert "docs/{id}: the path has no value for it" in caplog.text


def test_what_is_no_actor_is_401(app: Flask) -> None:
    @app.get("/")
    @endpoint_firewall()
    def view() -> str:
        return "never"

    @app.before_request
    def forge() -> None:
        g.actor = {"id": "ada"}

    assert status(app, "/") == 401


def test_an_actor_who_has_expired_is_401(app: Flask) -> None:
    app.get("/docs/<id>")(resource_firewall(action="doc.read", target="docs/{id}")(show))

    @app.before_request
    def late() -> None:
        act_as(Actor("ada", expires_at=1.0))

    assert status(app, "/docs/1") == 401


@pytest.mark.parametrize(
    ("target", "values", "resource"),
    [
        ("docs", {}, "docs"),
        ("docs/{id}", {"id": 7}, "docs/7"),
        ("docs/{id}", {"id": "a.b:c*d%e f"}, "docs/a%2Eb%3Ac%2Ad%25e%20f"),
        ("{kind}:{id}", {"kind": "a", "id": "b"}, "a:b"),
        ("{kind}:{id}", {"kind": "{id}", "id": "b"}, "{id}:b"),
        ("files/{rest}", {"rest": "a/../b"}, "files/a/%2E%2E/b"),
        ("docs/{id}", {"id": ""}, None),
        ("docs/{id}", {}, None),
    ],
)
def test_a_resource_is_made_of_the_path(
    target: str, values: dict[str, Any], resource: str | None
) -> None:
    assert resource_of(target, values) == resource


def test_the_name_flask_knows_an_endpoint_by() -> None:
    assert flask_endpoint("my.app:api.v1", "my.app:who.else") == "my_app_api_v1.who_else"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: endpoint_firewall(action="*"), 'action: is "\\*"; it must be a word'),
        (lambda: endpoint_firewall(action="a b"), "must be a word"),
        (lambda: endpoint_firewall(target="x"), "unknown option"),
        (lambda: resource_firewall(), "resource_firewall.target is missing; it is required"),
        (lambda: resource_firewall(target="docs/*"), "must be a name such as"),
        (lambda: resource_firewall(target="docs/{id"), "must be a name such as"),
    ],
)
def test_wrong_options_are_refused(call: Callable[[], object], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        call()


@pytest.mark.parametrize("decorator", [endpoint_firewall, resource_firewall])
def test_the_parentheses_are_not_forgotten(decorator: Callable[..., object]) -> None:
    with pytest.raises(TypeError, match="is called with its options"):
        decorator(show)
