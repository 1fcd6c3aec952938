"""Routers and endpoints from the configuration as Flask blueprints.

Source: HTTP, "Entries". A router is a blueprint under its prefix; its endpoints are ordinary
rules. A hand-written blueprint named by a router gets the router's prefix and middleware.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Blueprint, Flask

from greenrelay.config.entries import HttpEndpoint, HttpRouter
from greenrelay.config.mark import Problem
from greenrelay.config.naming import blueprint_name, endpoint_name
from greenrelay.errors import UnknownEntry
from greenrelay.http.pattern import flask_path
from greenrelay.http.prematch import prematch_of
from greenrelay.http.registry import Middleware
from greenrelay.runtime.entry import import_callable, import_object

View = Callable[..., Any]


def mount_router(
    app: Flask,
    router: HttpRouter,
    endpoints: Iterable[tuple[HttpEndpoint, str]],
    middleware: Mapping[str, Middleware],
) -> None:
    """Register a router with ``app``; each endpoint comes with the import path of its view.

    ``middleware`` is all that is registered. Raises UnknownEntry when a view cannot be imported.
    """
    before = set(app.view_functions)
    wrap = _wrapper(router, middleware)
    blueprint = Blueprint(blueprint_name(router.id), app.import_name)
    for endpoint, path, is_automatic in _in_turn(endpoints):
        view = wrap(import_callable(path, endpoint.func))
        blueprint.add_url_rule(
            flask_path(endpoint.path.text),
            endpoint=endpoint_name(router.id, endpoint.id),
            view_func=view,
            methods=list(endpoint.method),
            provide_automatic_options=is_automatic,
        )
    prefix = router.prefix.rstrip("/") or None
    app.register_blueprint(blueprint, url_prefix=prefix)
    if router.blueprint is not None:
        _mount_blueprint(app, router, prefix, wrap)
    if router.middleware:
        wraps = _wraps(router, router.middleware, middleware)
        prematch_of(app).add(router.prefix, set(app.view_functions) - before, wraps)


def blueprint_problems(names: Iterable[str], routers: Iterable[HttpRouter]) -> list[Problem]:
    """Return what is wrong with the blueprints of routers, and with those that routers name.

    ``names`` are those in use.
    """
    listed, problems, taken = list(routers), list[Problem](), set(names)
    for router in listed:
        own = blueprint_name(router.id)
        if own in taken:
            problems.append(router.problem("name", _taken(own)))
    # Two routers of one name are told when the configuration is read.
    taken |= {blueprint_name(router.id) for router in listed}
    for router in listed:
        what = "" if router.blueprint is None else _what_is_wrong(router.blueprint, taken)
        if what:
            problems.append(router.problem("blueprint", what))
    return problems


def why_not_imported(path: str, error: BaseException) -> str:
    """Return what is wrong with the object that ``path`` names, whose import has raised."""
    if isinstance(error, UnknownEntry):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename}:{frame.lineno}"
    return f"importing {path} failed: {type(error).__name__}: {error} ({where})"


def _in_turn(
    endpoints: Iterable[tuple[HttpEndpoint, str]],
) -> list[tuple[HttpEndpoint, str, bool | None]]:
    """Return the endpoints so that none answers what another one is there for.

    Flask lets a rule for GET answer HEAD and any rule answer OPTIONS, and the first rule wins. So
    those for HEAD come first, and beside one for OPTIONS no other answers that: False then, None
    where Flask may decide.
    """
    found = list(endpoints)
    own = {each.path.shape for each, _ in found if "OPTIONS" in each.method}
    in_turn = sorted(found, key=lambda each: "HEAD" not in each[0].method)
    return [(each, path, False if each.path.shape in own else None) for each, path in in_turn]


def _what_is_wrong(path: str, taken: set[str]) -> str:
    try:
        blueprint = import_object(path)
    except (Exception, SystemExit) as error:
        # A module's own code runs when it is imported, so anything may come out of it.
        return why_not_imported(path, error)
    if not isinstance(blueprint, Blueprint):
        return f"{path} is not a flask.Blueprint"
    if blueprint.name in taken:
        return _taken(blueprint.name)
    taken.add(blueprint.name)
    return ""


def _taken(name: str) -> str:
    return f"the app has a blueprint of the name {name!r} already"


def _mount_blueprint(
    app: Flask, router: HttpRouter, prefix: str | None, wrap: Callable[[View], View]
) -> None:
    blueprint = import_object(router.blueprint or "")
    assert isinstance(blueprint, Blueprint), "checked before anything is mounted"
    before = set(app.view_functions)
    app.register_blueprint(blueprint, url_prefix=prefix)
    for name in set(app.view_functions) - before:
        app.view_functions[name] = wrap(app.view_functions[name])


def _wraps(
    router: HttpRouter, names: Iterable[str], middleware: Mapping[str, Middleware]
) -> list[Callable[[View], View]]:
    return [middleware[name].factory(router.middleware_options.get(name)) for name in names]


def _wrapper(router: HttpRouter, middleware: Mapping[str, Middleware]) -> Callable[[View], View]:
    wraps = _wraps(router, router.post_middleware, middleware)

    def wrap(view: View) -> View:
        # The first listed is the outermost.
        for each in reversed(wraps):
            view = each(view)
        return view

    return wrap
