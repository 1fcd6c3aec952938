"""Routers and endpoints from the configuration as Flask blueprints.

Source: HTTP, "Entries". A router is a blueprint under its prefix; its endpoints are ordinary
rules. A hand-written blueprint named by a router gets the router's prefix and middleware.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from flask import Blueprint, Flask

from greenrelay.config.entries import HttpEndpoint, HttpRouter
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


def blueprint_problems(app: Flask, routers: Iterable[HttpRouter]) -> list[str]:
    """Return what is wrong with the blueprints that routers name, a text for each."""
    problems: list[str] = []
    taken = set(app.blueprints)
    for router in routers:
        if router.blueprint is None:
            continue
        what = _what_is_wrong(router.blueprint, taken)
        if what:
            problems.append(str(router.problem("blueprint", what)))
    return problems


def _what_is_wrong(path: str, taken: set[str]) -> str:
    try:
        blueprint = import_object(path)
    except UnknownEntry as error:
        return str(error)
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
