"""Requests as processes, and what becomes of those that ask for an upgrade.

Source: HTTP, "The request as a process"; WebSocket Relay, "How it works". The Gate stands around
Flask's WSGI application. It sets upgrades aside before Flask sees the request, makes the request a
process when something asks for one, keeps ``X-WS-Relay`` from clients, and starts the connection
once Flask's and the user's teardown functions have run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any

from greenlet import GreenletExit, getcurrent
from werkzeug.wsgi import ClosingIterator

from greenrelay.core.events import RESULT_NORMAL, Result
from greenrelay.core.pid import Pid
from greenrelay.errors import ProcessExit
from greenrelay.http.relay_response import HEADER, Acceptance, cancel_orphan, gone, refuse
from greenrelay.http.state import AppState
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.host import Host
from greenrelay.runtime.node import Node
from greenrelay.transport.upgrade import Environ, Upgrade, set_aside

log = logging.getLogger("greenrelay.http")

StartResponse = Callable[..., Callable[[bytes], object]]
WSGIApp = Callable[[Environ, StartResponse], Iterable[bytes]]
Opener = Callable[[Environ, Upgrade, Acceptance, list[tuple[str, str]]], "list[bytes] | None"]
RuleFinder = Callable[[Environ], "tuple[str, bool]"]


class RequestScope:
    """The right of one request to be a process; it becomes one on first use."""

    __slots__ = ("_environ", "_greenlet", "_host", "_node", "process")

    def __init__(self, node: Node, host: Host, environ: Environ) -> None:
        self._node = node
        self._host = host
        self._environ = environ
        running: Any = getcurrent()
        running.greenrelay_scope = self
        self._greenlet = running
        self.process: FunctionProcess | None = None

    def adopt(self) -> FunctionProcess:
        """Make the request's greenlet a process."""
        node = self._node
        host = node.take_place(self._host.id)
        entry = f"{self._environ['REQUEST_METHOD']} {self._environ.get('PATH_INFO', '')}"
        process = FunctionProcess(node, host, node.new_pid(host), entry)
        process.children = []
        process.adopt(self._greenlet)
        node.admit(process)
        self.process = process
        return process

    @property
    def children(self) -> list[Pid]:
        """The processes this request has spawned."""
        return (self.process.children if self.process else None) or []

    def end(self, result: Result = RESULT_NORMAL) -> None:
        """The request is over; so is its process, if it became one."""
        self._greenlet.greenrelay_scope = None
        if self.process is not None:
            self._greenlet.greenrelay_process = None
            self._node.ended(self.process, self.process.exit_result or result)


class Gate:
    """The WSGI application around Flask's; see the module.

    ``open_connection`` starts the connection of an accepted upgrade and returns what the
    application answers to the server, or None when the target is gone by now. ``find_rule`` tells
    the rule that a GET of the request's path matches, and whether its view relays.
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
        scope = RequestScope(self._node, state.host, environ)
        upgrade = set_aside(environ)
        if upgrade is None:
            return self._serve(environ, start_response, scope)
        if upgrade.method != "GET" and self._find_rule(environ)[1]:
            scope.end()
            return refuse(400, "A WebSocket is asked for with GET.")(environ, start_response)
        return self._serve_upgrade(environ, start_response, scope, upgrade)

    def _serve(
        self, environ: Environ, start_response: StartResponse, scope: RequestScope
    ) -> Iterable[bytes]:
        def start(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            return start_response(status, self._strip(environ, headers), exc_info)

        try:
            body = self._app(environ, start)
        except (ProcessExit, GreenletExit):
            scope.end()
            return refuse(503, "This request was ended by the server.")(environ, start_response)
        except BaseException as error:
            scope.end(_failure(scope, error))
            raise
        return ClosingIterator(body, scope.end)

    def _serve_upgrade(
        self,
        environ: Environ,
        start_response: StartResponse,
        scope: RequestScope,
        upgrade: Upgrade,
    ) -> Iterable[bytes]:
        started: list[Any] = []

        def hold(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None
        ) -> Callable[[bytes], object]:
            if upgrade.acceptance is None:
                return start_response(status, self._strip(environ, headers), exc_info)
            started[:] = [status, headers]
            return lambda data: None

        body = self._serve(environ, hold, scope)
        acceptance = upgrade.acceptance
        if not isinstance(acceptance, Acceptance):
            return body
        children = scope.children
        for _ in body:
            pass
        getattr(body, "close", scope.end)()
        status, headers = started
        answer = None
        if status.startswith("2"):
            answer = self._open_connection(environ, upgrade, acceptance, headers)
        if answer is not None:
            return answer
        cancel_orphan(self._node, acceptance.target, children, scope.process)
        if status.startswith("2"):
            return gone()(environ, start_response)
        start_response(status, headers)
        return []

    def _strip(self, environ: Environ, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        kept = [header for header in headers if header[0].lower() != HEADER.lower()]
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


def _failure(scope: RequestScope, error: BaseException) -> Result:
    return scope.process.result_of(error) if scope.process is not None else RESULT_NORMAL
