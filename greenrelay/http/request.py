"""What stands around Flask's WSGI application, and what becomes of an upgrade.

Source: HTTP, "The request as a process"; WebSocket Relay, "How it works". The Gate sets upgrades
aside before Flask sees the request, gives each request the right to be a process, keeps
``X-WS-Relay`` from clients, and starts the connection once Flask's and the user's teardown
functions have run.

Theory of an upgrade. Flask's answer is held back from the moment the middleware accepts it. Then
one of these follows, each with the target of a request that fails cancelled if it is an orphan:
the view's teardown raises; a hook has changed the status, and its answer goes out as it is; the
server drains or the target is gone, 503; the 101 cannot be written, 500; the client has left; or
the connection is joined.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from greenrelay.errors import ProcessExit, UnsupportedServer
from greenrelay.http.relay_response import (
    HEADER,
    Acceptance,
    cancel_orphan,
    going_away,
    gone,
    refuse,
)
from greenrelay.http.scope import Body, RequestScope
from greenrelay.http.state import AppState
from greenrelay.transport.opening import Opened
from greenrelay.transport.upgrade import Environ, Upgrade, set_aside

log = logging.getLogger("greenrelay.http")

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Opener = Callable[[Environ, Upgrade, Acceptance, Headers], Opened | None]
RuleFinder = Callable[[Environ], tuple[str, bool]]
_HEADER = HEADER.lower()


class Exchange(NamedTuple):
    """What a WSGI application is called with."""

    environ: Environ
    start_response: StartResponse


class Gate:
    """The WSGI application around Flask's; see the module.

    ``open_connection`` starts the connection of an accepted upgrade, or returns None when the
    target is gone by now. ``find_rule`` tells the rule that a GET of the request's path matches,
    and whether its view relays.
    """

    def __init__(
        self, app: WSGIApp, state: AppState, open_connection: Opener, find_rule: RuleFinder
    ) -> None:
        self._app = app
        self._state = state
        self._node = state.node
        self._open_connection = open_connection
        self._find_rule = find_rule
        self._warned: set[str] = set()

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        state = self._state
        if state.starters:
            state.start()
        upgrade = set_aside(environ)
        if upgrade is not None and upgrade.method != "GET" and self._find_rule(environ)[1]:
            sentence = "A WebSocket is asked for with GET."
            return refuse(400, sentence)(environ, start_response)
        entry = f"{environ['REQUEST_METHOD']} {environ.get('PATH_INFO', '')}"
        server = str(environ.get("SERVER_SOFTWARE", ""))
        scope = RequestScope(self._node, state.host, entry, server)
        exchange = Exchange(environ, start_response)
        if upgrade is None:
            return self._serve(exchange, scope)
        try:
            answer = self._serve_upgrade(exchange, scope, upgrade)
        finally:
            state.connections.give_back(upgrade)
        if not isinstance(answer, Opened):
            return answer
        # The client has its 101 already; the server's access log and middleware hear of it here.
        start_response("101 Switching Protocols", [])
        # Only now: leaving may wait for the socket's end.
        return answer.leave()

    def _serve(self, exchange: Exchange, scope: RequestScope) -> Iterable[bytes]:
        environ, start_response = exchange
        body = Body(scope)

        def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            body.expect(status, headers)
            return start_response(status, self._strip(environ, headers), exc_info)

        try:
            return body.wrap(self._app(environ, start))
        except ProcessExit as error:
            scope.failed(error)
            scope.end()
            return refuse(503, "This request was ended by the server.")(environ, start_response)
        except BaseException as error:
            scope.failed(error)
            scope.end()
            raise

    def _serve_upgrade(
        self, exchange: Exchange, scope: RequestScope, upgrade: Upgrade
    ) -> Iterable[bytes] | Opened:
        environ, start_response = exchange
        held: list[Any] = []

        def hold(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            if upgrade.acceptance is None:
                return start_response(status, headers, exc_info)
            held[:] = [status, headers, exc_info]
            return _write_nothing

        try:
            body = self._serve(Exchange(environ, hold), scope)
            acceptance = upgrade.acceptance
            if not isinstance(acceptance, Acceptance):
                return body
            status, headers, exc_info = held
            if status.startswith("2") and isinstance(body, Body):
                body.discard()
                return self._open(exchange, scope, upgrade, acceptance, headers)
            self._cancel_target(scope, acceptance)
            start_response(status, headers, exc_info)
            return body
        except BaseException:
            self._cancel_target(scope, upgrade.acceptance)
            raise

    def _open(
        self,
        exchange: Exchange,
        scope: RequestScope,
        upgrade: Upgrade,
        acceptance: Acceptance,
        headers: Headers,
    ) -> Iterable[bytes] | Opened:
        environ, start_response = exchange
        opened: Opened | None = None
        refusal = gone()
        if self._state.connections.is_draining:
            refusal = going_away()
        else:
            try:
                opened = self._open_connection(environ, upgrade, acceptance, headers)
            except (UnsupportedServer, ValueError, OSError) as error:
                log.error("%s: the upgrade failed: %s", self._find_rule(environ)[0], error)
                refusal = refuse(500, "The upgrade failed; the server's log says why.")
        if opened is None or not opened.is_joined:
            self._cancel_target(scope, acceptance)
        return refusal(environ, start_response) if opened is None else opened

    def _cancel_target(self, scope: RequestScope, acceptance: object) -> None:
        if isinstance(acceptance, Acceptance):
            cancel_orphan(self._node, acceptance.target, scope.children, scope.process)

    def _strip(self, environ: Environ, headers: Headers) -> Headers:
        kept = [header for header in headers if header[0].lower() != _HEADER]
        if len(kept) != len(headers):
            route = self._find_rule(environ)[0]
            if route not in self._warned:
                self._warned.add(route)
                log.warning(
                    "%s answered with %s, but no websocket_relay stands around it: add it to "
                    "post_middleware of the router, or decorate the view with @websocket_relay()",
                    route,
                    HEADER,
                )
        return kept


def _write_nothing(data: bytes) -> None:
    return None
