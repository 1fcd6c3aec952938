"""HTTP, "Entries": two routes that clash are configuration errors, those of blueprints too."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Blueprint, Flask

from greenrelay.errors import ConfigError
from greenrelay.http.state import state_of
from greenrelay.web import GreenRelay, create_app

HERE = "tests.http.test_clash"
SERVER = {"name": "s", "kind": "http.service", "addr": "127.0.0.1:0"}

items = Blueprint("items", __name__)
more_items = Blueprint("more_items", __name__)
nested = Blueprint("nested", __name__)
twice = Blueprint("twice", __name__)
demanding = Blueprint("demanding", __name__)
modest = Blueprint("modest", __name__)


def view(**values: object) -> str:
    """Answer."""
    return "fine"


items.get("/<int:number>")(view)
items.get("/list")(view)
more_items.add_url_rule("/<int:id>", "one", view, methods=["GET", "POST"])
nested.register_blueprint(more_items, url_prefix="/x")
twice.add_url_rule("/a", "first", view)
twice.add_url_rule("/a", "second", view)
demanding.get("/needs")(view)


modest.add_url_rule("/a", "first", view)
modest.add_url_rule("/a", "second", view)


@demanding.record
def _demand(state: Any) -> None:
    assert state.app.extensions["needed"]


@modest.record
def _look(state: Any) -> None:
    assert state.app.config["NEEDED"]


def router(name: str, prefix: str, blueprint: str = "", server: str = "s") -> dict[str, Any]:
    fields = {"name": name, "kind": "http.router", "meta.server": server, "prefix": prefix}
    return {**fields, "blueprint": f"{HERE}:{blueprint}"} if blueprint else fields


def endpoint(path: str, method: str = "GET") -> dict[str, Any]:
    fields = {"name": "e", "kind": "http.endpoint", "meta.router": "r", "path": path}
    return {**fields, "method": method, "func": f"{HERE}:view"}


def problems(*entries: dict[str, Any]) -> tuple[str, ...]:
    """Return what is wrong with a configuration, if anything is."""
    try:
        app = create_app([SERVER, *entries])
    except ConfigError as error:
        return error.problems
    state_of(app).node.shutdown(0.5)
    return ()


def test_an_endpoint_clashes_with_a_blueprint_of_its_router() -> None:
    (found,) = problems(router("r", "/x", "items"), endpoint("/list"))

    assert found == (
        '<mapping>: http.router "app:r": blueprint: GET /x/list of items.view clashes with that '
        'of "app:e" at <mapping>'
    )


def test_an_endpoint_of_another_router_clashes_with_it_too() -> None:
    (found,) = problems(router("r", "/"), endpoint("/x/list"), router("b", "/x", "items"))

    assert "GET /x/list of items.view clashes with that of " in found


@pytest.mark.parametrize("is_first", [True, False])
def test_two_blueprints_clash_whatever_their_parameters_are_called(is_first: bool) -> None:
    routers = [router("one", "/x", "items"), router("other", "/", "nested")]

    (found,) = problems(*(routers if is_first else routers[::-1]))

    later, earlier = (
        ("nested.more_items.one", "items.view")
        if is_first
        else ("items.view", "nested.more_items.one")
    )
    name = "one" if is_first else "other"
    assert f'of {later} clashes with that of {earlier} of "app:{name}" at' in found


def test_a_blueprint_clashes_with_itself() -> None:
    (found,) = problems(router("r", "/", "twice"))

    assert "GET /a of twice.second clashes with that of twice.first" in found


@pytest.mark.parametrize(
    "entries",
    [
        # Another method, another shape, another server.
        [router("r", "/x", "items"), endpoint("/list", "POST")],
        [router("r", "/x", "items"), endpoint("/{number}")],
        [
            {**SERVER, "name": "t"},
            router("r", "/y"),
            endpoint("/list"),
            router("b", "/x", "items", server="t"),
        ],
    ],
)
def test_routes_that_differ_do_not_clash(entries: list[dict[str, Any]]) -> None:
    assert problems(*entries) == ()


def test_a_blueprint_that_needs_its_app_is_registered_with_that() -> None:
    app = Flask("needed", static_folder=None)
    app.extensions["needed"] = True

    GreenRelay(app, config=[router("r", "/", "demanding")])

    state_of(app).node.shutdown(0.5)
    assert [rule.rule for rule in app.url_map.iter_rules()] == ["/needs"]


def test_a_blueprint_that_looks_into_the_configuration_of_its_app_may_clash() -> None:
    app = Flask("needed", static_folder=None)
    app.config["NEEDED"] = True

    with pytest.raises(ConfigError, match=r"GET /a of modest\.second clashes with"):
        GreenRelay(app, config=[router("r", "/", "modest")])

    assert list(app.url_map.iter_rules()) == []
