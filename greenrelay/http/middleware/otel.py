"""``otel``: a span of OpenTelemetry for each request, which its messages carry on.

Source: HTTP, "Middleware", row otel; Operations, "Logs and traces". The span is a child of the one
that the client names in ``traceparent``, has the attributes of OpenTelemetry's conventions for HTTP
servers, and ends with the head of the answer. What the request spawns and sends carries it on, and
so does the connection or the stream that it becomes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flask import current_app, request
from werkzeug.wrappers import Response

from greenrelay.errors import UnsupportedServer
from greenrelay.http.middleware.decorator import Handler, around_view
from greenrelay.http.middleware.metrics import status_of, status_of_error
from greenrelay.http.middleware.relay import route_of_request
from greenrelay.http.state import state_of
from greenrelay.metrics.tracing import IS_INSTALLED, ConnectionSpans, carried, extracted, tracer
from greenrelay.runtime.current import current_process
from greenrelay.transport.ledger import CONTEXT, UNMATCHED

with suppress(ImportError):
    from opentelemetry import trace

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = logging.getLogger("greenrelay.http")
SPANS = ConnectionSpans()


def otel(*view: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that traces the requests of a view; it goes under the route decorator.

    Raises TypeError when the parentheses are missing.
    """
    if view:
        raise TypeError("otel is called without options: @otel()")
    return around_view(otel_middleware(None))


def otel_middleware(_: None) -> Callable[[Handler], Handler]:
    """Return the middleware itself, which does nothing where OpenTelemetry is not installed."""
    if not IS_INSTALLED:
        _say_that_nothing_is_traced()
        return lambda handler: handler
    return lambda handler: lambda: _traced(handler)


@lru_cache(maxsize=1)
def _say_that_nothing_is_traced() -> None:
    log.info("otel: opentelemetry-api is not installed, so no request is traced")


def _traced(handler: Handler) -> Response:
    route = route_of_request()
    name = request.method if route == UNMATCHED else f"{request.method} {route}"
    span = tracer().start_span(
        name,
        context=extracted(request.headers),  # type: ignore[arg-type]
        kind=trace.SpanKind.SERVER,
        attributes=_attributes(route),
    )
    with trace.use_span(span, end_on_exit=True, record_exception=False):
        _carry(span)
        try:
            response = handler()
        except BaseException as error:
            _note_status(span, status_of_error(error), error)
            raise
        _note_status(span, status_of(response))
    return response


def _carry(span: Span) -> None:
    """Let what the request sends, spawns and becomes carry the span on."""
    state_of(current_app).connections.ledger.tracer = SPANS
    try:
        process = current_process()
    except UnsupportedServer:
        # Without gevent's loop it is no process: it can neither send nor become a connection.
        return
    if process is not None:
        process.context = request.environ[CONTEXT] = carried(process.context, span)


def _note_status(span: Span, status: int, error: BaseException | None = None) -> None:
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        kind = str(status) if error is None else type(error).__name__
        span.set_attribute("error.type", kind)
        span.set_status(trace.Status(trace.StatusCode.ERROR))


def _attributes(route: str) -> dict[str, str | int]:
    environ = request.environ
    host, port = _host_and_port(request.host)
    found: dict[str, str | int] = {
        "http.request.method": request.method,
        "url.path": request.path,
        "url.scheme": request.scheme,
        "server.address": host,
        "network.protocol.version": environ.get("SERVER_PROTOCOL", "").rpartition("/")[2],
    }
    if route != UNMATCHED:
        found["http.route"] = route
    if port.isdecimal():
        found["server.port"] = int(port)
    if request.remote_addr:
        found["client.address"] = request.remote_addr
    if request.user_agent.string:
        found["user_agent.original"] = request.user_agent.string
    return found


def _host_and_port(written: str) -> tuple[str, str]:
    """Return both parts of a Host, the port "" where there is none."""
    # The colons of an IPv6 address stand in brackets.
    end = written.rfind("]") + 1
    name, _, port = written[end:].partition(":")
    return written[:end].strip("[]") + name, port
