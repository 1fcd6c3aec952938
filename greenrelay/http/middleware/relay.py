"""What both relays do around a view: options of the decorator, refusals, orphans.

Source: WebSocket Relay, "Refusals before the upgrade"; Server-sent Events Relay, whose rules for
refusals, origins, caps and draining are the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from flask import current_app, make_response, request
from greenlet import getcurrent
from werkzeug.wrappers import Response

from greenrelay.config.mark import shown
from greenrelay.core.pid import Pid
from greenrelay.errors import InvalidRelayCommand, UnsupportedServer
from greenrelay.http.middleware.decorator import keyword_options
from greenrelay.http.relay_response import RETRY_AFTER, cancel_orphan, find_target, gone, refuse
from greenrelay.http.scope import RequestScope
from greenrelay.http.state import state_of
from greenrelay.relay.origin import OriginPolicy
from greenrelay.transport.ledger import ROUTE, STREAM, UNMATCHED, WEBSOCKET

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

log = logging.getLogger("greenrelay.http")

Options = TypeVar("Options", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class Relay:
    """One of the two: the ``name`` of its middleware, the ``prefix`` of its options, its header.

    ``noun`` is what a client gets of it, ``what`` those are called in the plural.
    """

    name: str
    prefix: str
    header: str
    noun: str
    what: str

    def count(self, outcome: str) -> None:
        """Count what becomes of the request: it is accepted, or refused for that cause."""
        kind = WEBSOCKET if self.noun == "connection" else STREAM
        ledger = state_of(current_app).connections.ledger
        ledger.became(kind, route_of_request(), outcome)

    def options(
        self, cls: type[Options], view: Sequence[object], given: Mapping[str, object]
    ) -> Options:
        """Return the options of a decorator; raises ConfigError, and TypeError for a ``view``."""
        return keyword_options(self.name, self.prefix, cls, view, given)

    def command_in(self, response: Response) -> str | None:
        """Take the header out of a response; None where it asks for nothing, or is no success."""
        header = response.headers.pop(self.header, None)
        return header if 200 <= response.status_code < 300 else None

    def refuse_origin(
        self, origin: str | None, origins: OriginPolicy, listed: Sequence[str]
    ) -> Response | None:
        """Return the refusal of an origin that may not connect, or None for one that may."""
        scheme, host = request.scheme, request.host
        if origins.allows(origin, scheme=scheme, host=host):
            return None
        self.count("origin")
        if origin is None:
            text = "%s: refused a client without Origin: %s.require.origin is true"
            log.warning(text, request_path(), self.prefix)
        else:
            log.warning(
                "%s: refused origin %s; allowed: the request's own, %s://%s, and "
                "%s.allowed.origins (%s). Behind a proxy? Let werkzeug's ProxyFix restore scheme "
                "and host.",
                request_path(),
                origin,
                scheme,
                host,
                self.prefix,
                ", ".join(listed) or "none listed",
            )
        return refuse(403, "This origin may not connect.")

    def refuse_place(self, option: str, limit: int) -> Response:
        """Return the refusal of one more than ``limit``, which is what ``option`` says."""
        self.count(option.replace(".", "_"))
        log.warning(
            "%s: refused %s, %s.%s is %d",
            request_path(),
            request.remote_addr or "-",
            self.prefix,
            option,
            limit,
        )
        return refuse(503, f"The server has no place for another {self.noun}.", RETRY_AFTER)

    def refuse_server(self) -> Response:
        """Return the refusal by a server that does not give its socket away."""
        self.count("server")
        server = request.environ.get("SERVER_SOFTWARE") or "this WSGI server"
        log.error("%s: %s", request_path(), UnsupportedServer(server))
        return refuse(500, f"This server cannot relay {self.what}; its log says what can.")

    def refuse_gone(self, target: str) -> Response:
        """Return the refusal of a client whose target is dead, or has a name that nobody has."""
        self.count("target_gone")
        log.warning(
            "%s: view %s relays to %s, which is no process that lives",
            request_path(),
            request.endpoint,
            shown(target),
        )
        return gone()

    def refuse_command(self, header: str, error: InvalidRelayCommand) -> Response:
        """Return the refusal of a bad command, and cancel whom it names."""
        self.count("bad_command")
        log.error("view %s: %s", request.endpoint, error)
        cancel_named(header)
        wrong = "The relay command of this address is wrong."
        return refuse(500, str(error) if current_app.debug else wrong)


def answer_of(view: Callable[..., Any], args: Any, kwargs: Any) -> Response:
    """Return what a view answers; one that raises leaves nobody behind that was to relay."""
    try:
        return make_response(view(*args, **kwargs))
    except BaseException:
        scope, node = request_scope(), state_of(current_app).node
        targets, scope.targets = scope.targets, ()
        for target in targets:
            cancel_if_orphan(find_target(node, target))
        raise


def route_of_request() -> str:
    """Return the pattern of the route that the request matches, or ``unmatched``."""
    rule = request.url_rule
    return UNMATCHED if rule is None else rule.rule


def note_route() -> None:
    """Note, for the connection that the request becomes, by which route it came."""
    request.environ[ROUTE] = route_of_request()


def request_path() -> str:
    """Return the path of the request as it is seen after a trusted proxy."""
    return request.root_path.rstrip("/") + request.path


def empty(response: Response) -> None:
    """Close the body of a response that stays unread."""
    close = getattr(response.response, "close", None)
    response.set_data(b"")
    if close is not None:
        close()


def request_scope() -> RequestScope:
    """Return the scope of the request that is served."""
    scope: object = getattr(getcurrent(), "greenrelay_scope", None)
    assert isinstance(scope, RequestScope), "a request of an app with greenrelay has a scope"
    return scope


def cancel_if_orphan(target: Pid | None) -> None:
    """Cancel a target that this request has spawned and that is left with nobody."""
    scope = request_scope()
    cancel_orphan(state_of(current_app).node, target, scope.children, scope.process)


def cancel_named(text: str) -> None:
    """Cancel the orphans among those whose PID stands in ``text``."""
    # Whatever else is wrong with a command, whom it names can be told.
    for child in tuple(request_scope().children):
        if child in text:
            cancel_if_orphan(child)


def cancel_children() -> None:
    """Cancel all orphans of this request."""
    for child in tuple(request_scope().children):
        cancel_if_orphan(child)
