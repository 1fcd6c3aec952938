"""GreenRelay, the Flask extension, and create_app.

Source: HTTP, "Three ways in".
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Any

from flask import Flask, got_request_exception
from werkzeug.exceptions import HTTPException

from greenrelay.admin.command import Program
from greenrelay.admin.endpoint import Endpoint
from greenrelay.boot import apply, check, parts, read
from greenrelay.config.reference import route_clashes
from greenrelay.config.resolve import Configuration
from greenrelay.errors import ConfigError
from greenrelay.http.logged import add_request_facts
from greenrelay.http.middleware.websocket_relay import MARK
from greenrelay.http.prematch import stand_around
from greenrelay.http.relay_response import Acceptance
from greenrelay.http.request import Gate
from greenrelay.http.scope import note_failure
from greenrelay.http.state import EXTENSION, AppState, node_of_current_app
from greenrelay.runtime.current import add_node_finder
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.transport.gunicorn import serve_with_workers
from greenrelay.transport.opening import Opened, Opening
from greenrelay.transport.upgrade import Environ, Upgrade

Config = str | PathLike[str] | Mapping[str, object] | Sequence[object]
DEFAULT_SERVER = "http"
# Opens an admin endpoint in whatever serves the app, which `greenrelay run` does anyway.
ADMIN_VARIABLE = "GREENRELAY_ADMIN"
# Connections and requests have caps of their own; the host of a server is only their address.
NO_LIMIT = 1_000_000_000


class GreenRelay:
    """greenrelay in a Flask app: ``GreenRelay(app)``, or ``GreenRelay()`` and ``init_app(app)``.

    ``config`` is a path, a mapping or a list of entries, or absent. ``node`` is the node the app's
    processes run on; one is made where none is given.
    """

    def __init__(
        self,
        app: Flask | None = None,
        config: Config | Configuration | None = None,
        *,
        node: Node | None = None,
    ) -> None:
        self._config = config
        self._node = node
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask, config: Config | Configuration | None = None) -> None:
        """Set up ``app``; raises ConfigError, and RuntimeError for an app that has it already."""
        if EXTENSION in app.extensions:
            raise RuntimeError(f"app {app.name!r} has a GreenRelay already")
        wanted = config if config is not None else self._config
        configuration = (
            read(wanted) if wanted is not None and not isinstance(wanted, Configuration) else wanted
        )
        if configuration is not None:
            _check_at_one_address(configuration)
            check(app, configuration)
        servers = configuration.servers if configuration is not None else ()
        node = self._node or Node()
        host = node.add_host(
            Host(servers[0].id if servers else DEFAULT_SERVER, max_processes=NO_LIMIT)
        )
        state = AppState(node, host, servers=servers)
        app.extensions[EXTENSION] = state
        add_node_finder(node_of_current_app)
        serve_with_workers(state)
        self._stand_around(app, state)
        if configuration is not None:
            apply(app, state, configuration)
        if os.environ.get(ADMIN_VARIABLE) == "1":
            endpoint = Endpoint(Program([app]))
            state.starters.append(endpoint.start)
            state.enders.append(endpoint.stop)

    @staticmethod
    def _stand_around(app: Flask, state: AppState) -> None:
        opening = Opening(state.node, state.host, state.connections)

        def open_connection(
            environ: Environ,
            upgrade: Upgrade,
            acceptance: Acceptance,
            headers: list[tuple[str, str]],
        ) -> Opened | None:
            return opening.open(
                environ,
                upgrade,
                acceptance.command,
                acceptance.target,
                acceptance.options,
                headers,
            )

        def find_rule(environ: Environ) -> tuple[str, bool]:
            return _find_rule(app, environ)

        gate: Any = Gate(app.wsgi_app, state, open_connection, find_rule)
        got_request_exception.connect(note_failure, app)
        stand_around(app)
        add_request_facts(app)
        app.wsgi_app = gate  # type: ignore[method-assign]


def create_app(config: Config = "config.yaml", *, node: Node | None = None) -> Flask:
    """Return a Flask app with every router and endpoint of ``config`` mounted.

    Flask's own settings come from the environment, as ``FLASK_SECRET_KEY``. Raises ConfigError.
    """
    return _make_app(config, node)


def create_apps(config: Config, *, settings: Iterable[str] = ()) -> list[Flask]:
    """Return a Flask app for each http.service of ``config``, all of them on one node.

    ``settings`` are those of ``--set``. What has no server of its own, such as hosts and services,
    belongs to the first. Raises ConfigError with the problems of all; without any http.service
    the list is empty.
    """
    found = parts(read(config, settings))
    node = Node()
    apps: list[Flask] = []
    problems: list[str] = []
    for part in found:
        try:
            apps.append(_make_app(part, node))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError(list(dict.fromkeys(problems)))
    return apps


def _make_app(config: Config | Configuration, node: Node | None) -> Flask:
    app = Flask("greenrelay.app", static_folder=None)
    app.config.from_prefixed_env()
    GreenRelay(app, config, node=node)
    return app


def _check_at_one_address(configuration: Configuration) -> None:
    # Here one app has the routes of all servers, of which each could have had its own.
    entries = {entry.id: entry for entry in configuration.all}
    if len(configuration.servers) > 1:
        problems = route_clashes(entries, at_one_address=True)
        if problems:
            raise ConfigError([f"{each} (one app has all servers)" for each in problems])


def _find_rule(app: Flask, environ: Environ) -> tuple[str, bool]:
    """Return the rule that a GET of this path matches, and whether its view relays."""
    try:
        adapter = app.create_url_adapter(app.request_class(environ))
        assert adapter is not None, "a request has an adapter"
        rule, _ = adapter.match(method="GET", return_rule=True)
    except HTTPException:
        return "an address without a route", False
    return rule.rule, hasattr(app.view_functions.get(rule.endpoint), MARK)
