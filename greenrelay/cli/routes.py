"""``greenrelay routes``: what answers where, with its middleware and where it is declared.

Source: Configuration, the item on ``greenrelay check``; HTTP, "Entries".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace

import click
from flask import Flask

from greenrelay.boot import mount
from greenrelay.cli.files import read_or_fail, reads_files
from greenrelay.cli.printing import table
from greenrelay.config.entries import HttpDashboard, HttpRouter, HttpStatic
from greenrelay.config.resolve import Configuration

# Flask answers these by itself wherever there is a GET, or anything.
_IMPLIED = frozenset({"HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Route:
    """One address: ``answers`` is ``module:callable``, blueprint and view, or a directory."""

    methods: tuple[str, ...]
    path: str
    answers: str
    entry: str
    server: str
    middleware: tuple[str, ...]
    declared: str


@click.command()
@reads_files
def routes(files: Sequence[str], settings: Sequence[str], as_json: bool) -> None:
    """Show what answers where in FILEs (config.yaml).

    Middleware is listed from the outermost to the innermost. Exit status: 0, or 2 with every
    problem of the configuration.
    """
    found = routes_of(read_or_fail(files, settings))
    if as_json:
        click.echo(json.dumps([asdict(route) for route in found], indent=2))
    elif not found:
        click.echo(
            "nothing answers: there is no http.endpoint, http.static or router with a blueprint"
        )
    else:
        head = ("METHOD", "PATH", "ANSWERS", "SERVER", "MIDDLEWARE", "DECLARED")
        click.echo(table([head, *(_row(route) for route in found)]))


def routes_of(configuration: Configuration) -> list[Route]:
    """Return every route, in the order of servers and addresses; imports what they name."""
    found = [
        route
        for router in configuration.routers
        for route in (
            *_endpoints(configuration, router),
            *_blueprint(configuration, router),
        )
    ]
    found += [_static(each) for each in configuration.statics]
    found += [_dashboard(each) for each in configuration.dashboards]
    return sorted(found, key=lambda route: (route.server, route.path, route.methods))


def _row(route: Route) -> tuple[str, ...]:
    methods, middleware = ",".join(route.methods), ", ".join(route.middleware) or "-"
    return (methods, route.path, route.answers, route.server, middleware, route.declared)


def _endpoints(configuration: Configuration, router: HttpRouter) -> Iterator[Route]:
    for endpoint in configuration.endpoints:
        if endpoint.router == router.id:
            yield Route(
                endpoint.method,
                router.prefix + endpoint.path.text,
                configuration.import_path(endpoint.func),
                endpoint.id,
                router.server,
                (*router.middleware, *router.post_middleware),
                endpoint.where.place,
            )


def _static(static: HttpStatic) -> Route:
    return Route(
        ("GET", "HEAD"),
        f"{static.path}/{{name...}}",
        static.directory,
        static.id,
        static.server,
        (),
        static.where.place,
    )


def _dashboard(dashboard: HttpDashboard) -> Route:
    return Route(
        ("GET", "POST"),
        f"{dashboard.path}/",
        "the dashboard",
        dashboard.id,
        dashboard.server,
        (),
        dashboard.where.place,
    )


def _blueprint(configuration: Configuration, router: HttpRouter) -> Iterator[Route]:
    if router.blueprint is None:
        return
    app = Flask(__name__, static_folder=None)
    mount(app, replace(configuration, routers=(router,), endpoints=(), statics=(), dashboards=()))
    for rule in app.url_map.iter_rules():
        yield Route(
            tuple(sorted((rule.methods or set()) - _IMPLIED)) or ("OPTIONS",),
            rule.rule,
            f"{router.blueprint}, {rule.endpoint}",
            router.id,
            router.server,
            (*router.middleware, *router.post_middleware),
            router.at("blueprint").place,
        )
