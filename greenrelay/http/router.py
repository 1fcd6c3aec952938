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
    name = router.id.replace(":", "_").replace(".", "_")
    wrap = _wrapper(router, middleware)
    blueprint = Blueprint(name, app.import_name)
    for endpoint, path in endpoints:
        view = wrap(import_callable(path, endpoint.func))
        blueprint.add_url_rule(
            flask_path(endpoint.path.text),
            endpoint=endpoint.id.partition(":")[2].replace(".", "_"),
            view_func=view,
            methods=list(endpoint.method),
        )
    prefix = router.prefix.rstrip("/") or None
    app.register_blueprint(blueprint, url_prefix=prefix)
    if router.blueprint is not None:
        _mount_blueprint(app, router, prefix, wrap)
    if router.middleware:
        wraps = _wraps(router, router.middleware, middleware)
        prematch_of(app).add(router.prefix, set(app.view_functions) - before, wraps)


def blueprint_problems(names: Iterable[str], routers: Iterable[HttpRouter]) -> list[Problem]:
    """Return what is wrong with the blueprints that routers name; ``names`` are those in use."""
    problems: list[Problem] = []
    taken = set(names)
    for router in routers:
        if router.blueprint is None:
            continue
        what = _what_is_wrong(router.blueprint, taken)
        if what:
            problems.append(router.problem("blueprint", what))
    return problems


def why_not_imported(path: str, error: Exception) -> str:
    """Return what is wrong with the object that ``path`` names, whose import has raised."""
    if isinstance(error, UnknownEntry):
        return str(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{frame.filename}:{frame.lineno}"
    return f"importing {path} failed: {type(error).__name__}: {error} ({where})"


def _what_is_wrong(path: str, taken: set[str]) -> str:
    try:
        blueprint = import_object(path)
    except Exception as error:
        # A module's own code runs when it is imported, so anything may come out of it.
        return why_not_imported(path, error)
    if not isinstance(blueprint, Blueprint):
        return f"{path} is not a flask.Blueprint"
    if blueprint.name in taken:
        return f"the app has a blueprint of the name {blueprint.name!r} already"
    taken.add(blueprint.name)
    return ""


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
