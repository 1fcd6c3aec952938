"""Pre-match middleware: what stands around the requests of a router, whatever they match.

Source: HTTP, "Middleware" ("sees every request under the prefix, unmatched ones too").

Which router a request belongs to: that of the endpoint it matches, whose middleware so always
stands around it; a request that matches none of a router's endpoints belongs to the router with the
longest prefix of its path. It belongs to one, not to all whose prefixes fit.

Theory. Flask's ``full_dispatch_request`` runs inside the request's context and answers everything
but what fails, which ``wsgi_app`` answers with ``handle_exception``. Both are wrapped here. The
middleware gets the answer to a failure like any other, so a 500 has its headers too; the failure
itself is raised again behind it, so that Flask's teardown functions hear of it, and
``handle_exception`` then finds the answer that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, current_app, request
from werkzeug.wrappers import Response

from greenrelay.http.actor import set_outer_aside
from greenrelay.http.request_body import TOO_LARGE, too_large

Handler = Callable[[], Response]
Wrap = Callable[[Handler], Handler]

EXTENSION = "greenrelay.prematch"
_DISPATCH = "greenrelay.dispatch"
_FAILURE = "greenrelay.failure"


@dataclass(slots=True, eq=False)
class PreMatch:
    """The pre-match middleware of one app, by endpoint and by prefix."""

    by_endpoint: dict[str, Handler] = field(default_factory=dict)
    by_prefix: list[tuple[str, Handler]] = field(default_factory=list)

    def add(self, prefix: str, endpoints: Iterable[str], wraps: Iterable[Wrap]) -> None:
        """Let ``wraps``, the first of them outermost, stand around the requests of a router."""
        handler: Handler = _answer
        for wrap in reversed(list(wraps)):
            handler = wrap(handler)
        self.by_endpoint.update(dict.fromkeys(endpoints, handler))
        self.by_prefix.append((prefix.rstrip("/"), handler))
        self.by_prefix.sort(key=lambda each: len(each[0]), reverse=True)

    def handler(self) -> Handler:
        """Return what answers the running request."""
        endpoint = request.endpoint
        if endpoint is not None:
            found = self.by_endpoint.get(endpoint)
            if found is not None:
                return found
        path = request.path
        for prefix, handler in self.by_prefix:
            if path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in ("", "/"):
                return handler
        return _answer


@dataclass(slots=True)
class _Failure:
    """What the application raised, and what is answered to it."""

    error: Exception
    answer: Response | None = None


def prematch_of(app: Flask) -> PreMatch:
    """Return the pre-match middleware of ``app``, which may be none yet."""
    found = app.extensions.setdefault(EXTENSION, PreMatch())
    assert isinstance(found, PreMatch), "nobody else uses this name"
    return found


def stand_around(app: Flask) -> None:
    """Let the pre-match middleware of ``app`` stand around its requests, now or after a reload."""
    dispatch, handle = app.full_dispatch_request, app.handle_exception
    app.extensions[_DISPATCH] = (dispatch, handle)

    def dispatch_around() -> Any:
        give_back = set_outer_aside()
        if give_back is None:
            return _dispatch(app, dispatch)
        try:
            return _dispatch(app, dispatch)
        finally:
            give_back()

    def handle_known(e: Exception) -> Any:
        failure = request.environ.get(_FAILURE)
        if failure is None or failure.error is not e:
            return handle(e)
        if failure.answer is None:
            raise e
        return failure.answer

    app.full_dispatch_request = dispatch_around  # type: ignore[method-assign]
    app.handle_exception = handle_known  # type: ignore[method-assign]


def _dispatch(app: Flask, dispatch: Callable[[], Response]) -> Response:
    environ = request.environ
    if TOO_LARGE in environ:
        request.routing_exception = too_large(environ[TOO_LARGE])
    found = app.extensions.get(EXTENSION)
    if found is None or not found.by_prefix:
        return dispatch()
    handler: Handler = found.handler()
    return dispatch() if handler is _answer else _dispatch_by(app, handler)


def _dispatch_by(app: Flask, handler: Handler) -> Response:
    try:
        answer: Response = app.make_response(handler())
    except Exception as error:
        failure = request.environ.get(_FAILURE)
        if failure is not None and failure.error is error:
            raise
        # The middleware's own: an abort, or a bug.
        return app.make_response(app.handle_user_exception(error))
    failure = request.environ.get(_FAILURE)
    if failure is not None:
        failure.answer = answer
        raise failure.error
    return answer


def _answer() -> Response:
    app = current_app
    dispatch, handle = app.extensions[_DISPATCH]
    try:
        answer: Response = dispatch()
    except Exception as error:
        request.environ[_FAILURE] = _Failure(error)
        # Where Flask lets errors through, to a debugger or a test, there is no answer.
        answer = handle(error)
    return answer
