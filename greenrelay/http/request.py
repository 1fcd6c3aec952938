"""What stands around Flask's WSGI application, and what becomes of an upgrade.

Source: HTTP, "The request as a process"; WebSocket Relay, "How it works". The Gate sets upgrades
aside before Flask sees the request, gives each request the right to be a process, keeps
``X-WS-Relay`` and ``X-SSE-Relay`` from clients, and starts the connection once Flask's and the
user's teardown functions have run. ``stream_answer.py`` has what becomes of a stream.

Theory of an upgrade. Flask's answer is held back from the moment the middleware accepts it. Then
one of these follows, each with the target of a request that fails cancelled if it is an orphan:
the view's teardown raises; a hook has changed the status, and its answer goes out as it is; the
server drains or the target is gone, 503; the 101 cannot be written, 500; the client has left; or
the connection is joined.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from werkzeug.wrappers import Response

from greenrelay.errors import ProcessExit, UnsupportedServer
from greenrelay.http.relay_response import (
    HEADER,
    Acceptance,
    cancel_orphan,
    going_away,
    gone,
    refuse,
)
from greenrelay.http.request_body import limit_body
from greenrelay.http.scope import CLIENT_GONE, TOO_LONG, Body, RequestScope
from greenrelay.http.state import AppState
from greenrelay.relay.sse_command import HEADER as STREAM_HEADER
from greenrelay.transport.ledger import ROUTE, UNMATCHED, WEBSOCKET
from greenrelay.transport.opening import Opened
from greenrelay.transport.upgrade import Environ, Upgrade, set_aside

log = logging.getLogger("greenrelay.http")

Headers = list[tuple[str, str]]
StartResponse = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Opener = Callable[[Environ, Upgrade, Acceptance, Headers], Opened | None]
RuleFinder = Callable[[Environ], tuple[str, bool]]
# The headers that are no client's business, and the middleware that takes each away.
_RELAYS = {HEADER.lower(): "websocket_relay", STREAM_HEADER.lower(): "sse_relay"}
CLIENT_CLOSED_REQUEST = 499


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
        upgrade = set_aside(environ) if "HTTP_UPGRADE" in environ else None
        if upgrade is not None and upgrade.method != "GET" and self._find_rule(environ)[1]:
            sentence = "A WebSocket is asked for with GET."
            return refuse(400, sentence)(environ, start_response)
        limit_body(environ, state.body_size)
        scope = RequestScope(self._node, state.host, environ, state.attendance)
        if upgrade is None:
            return self._serve(environ, start_response, scope)
        try:
            answer = self._serve_upgrade(environ, start_response, scope, upgrade)
        finally:
            state.connections.give_back(upgrade)
        if not isinstance(answer, Opened):
            return answer
        # The client has its 101 already; the server's access log and middleware hear of it here.
        start_response("101 Switching Protocols", [])
        # Only now: leaving may wait for the socket's end.
        return answer.leave()

    def _serve(
        self, environ: Environ, start_response: StartResponse, scope: RequestScope
    ) -> Iterable[bytes]:
        body = Body(scope)

        def start(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            if scope.stream is not None:
                return scope.stream.hold(status, self._strip(environ, headers), exc_info)
            length, is_clean = None, True
            for name, value in headers:
                lowered = name.lower()
                if lowered == "content-length":
                    length = value
                elif lowered in _RELAYS:
                    is_clean = False
            body.expect(status, length)
            kept = headers if is_clean else self._strip(environ, headers)
            return start_response(status, kept, exc_info)

        try:
            body.wrap(self._app(environ, start))
        except BaseException as error:
            scope.failed(error)
            scope.end()
            if scope.stream is not None:
                scope.stream.give_up()
            if isinstance(error, ProcessExit):
                return _farewell(scope)(environ, start_response)
            raise
        return body if scope.stream is None else scope.stream.answer(environ, start_response, body)

    def _serve_upgrade(
        self,
        environ: Environ,
        start_response: StartResponse,
        scope: RequestScope,
        upgrade: Upgrade,
    ) -> Iterable[bytes] | Opened:
        held: list[Any] = []

        def hold(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
            if upgrade.acceptance is None:
                return start_response(status, headers, exc_info)
            held[:] = [status, headers, exc_info]
            return _write_nothing

        try:
            body = self._serve(environ, hold, scope)
            acceptance = upgrade.acceptance
            if not isinstance(acceptance, Acceptance):
                return body
            status, headers, exc_info = held
            if status.startswith("2") and isinstance(body, Body):
                body.discard()
                found = self._open(environ, scope, upgrade, acceptance, headers)
                return found if isinstance(found, Opened) else found(environ, start_response)
            self._cancel_target(scope, acceptance)
            start_response(status, headers, exc_info)
            return body
        except BaseException:
            self._cancel_target(scope, upgrade.acceptance)
            raise

    def _open(
        self,
        environ: Environ,
        scope: RequestScope,
        upgrade: Upgrade,
        acceptance: Acceptance,
        headers: Headers,
    ) -> Response | Opened:
        opened: Opened | None = None
        refusal = gone()
        if self._state.connections.is_draining:
            ledger = self._state.connections.ledger
            ledger.became(WEBSOCKET, environ.get(ROUTE, UNMATCHED), "draining")
            refusal = going_away()
        else:
            try:
                opened = self._open_connection(environ, upgrade, acceptance, headers)
            except (UnsupportedServer, ValueError, OSError) as error:
                log.error("%s: the upgrade failed: %s", self._find_rule(environ)[0], error)
                refusal = refuse(500, "The upgrade failed; the server's log says why.")
        if opened is None or not opened.is_joined:
            self._cancel_target(scope, acceptance)
        return refusal if opened is None else opened

    def _cancel_target(self, scope: RequestScope, acceptance: object) -> None:
        if isinstance(acceptance, Acceptance):
            cancel_orphan(self._node, acceptance.target, scope.children, scope.process)

    def _strip(self, environ: Environ, headers: Headers) -> Headers:
        kept = [header for header in headers if header[0].lower() not in _RELAYS]
        if len(kept) != len(headers):
            route = self._find_rule(environ)[0]
            found = [header[0] for header in headers if header[0].lower() in _RELAYS]
            if route not in self._warned:
                self._warned.add(route)
                log.warning(
                    "%s answered with %s, but no %s stands around it: add it to "
                    "post_middleware of the router, or decorate the view with @%s()",
                    route,
                    found[0],
                    *[_RELAYS[found[0].lower()]] * 2,
                )
        return kept


def _farewell(scope: RequestScope) -> Response:
    """Return the answer to a request whose process was ended."""
    if scope.cut is CLIENT_GONE:
        # Nobody reads it; the status is the one of other servers, for the access log.
        return refuse(CLIENT_CLOSED_REQUEST, "The client has left.")
    if scope.cut is TOO_LONG:
        return refuse(503, "This request took longer than the server allows.")
    return refuse(503, "This request was ended by the server.")


def _write_nothing(data: bytes) -> None:
    return None
