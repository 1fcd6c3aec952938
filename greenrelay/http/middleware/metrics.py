"""``metrics``: counts requests, how long they take and how many are being answered.

Source: HTTP, "Middleware", row metrics. By endpoint is by the pattern of the route, so there are
no more of them than there are routes; a request that matches none is ``unmatched``. An upgrade is
counted as 101 and a stream as 200 when it is accepted, so their time is that to the head of the
answer, not their life.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any

from flask import request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from greenrelay.errors import ProcessExit
from greenrelay.http.middleware.decorator import Handler, around_view
from greenrelay.http.middleware.relay import request_scope, route_of_request
from greenrelay.http.scope import CLIENT_GONE
from greenrelay.metrics.instruments import Requests, requests
from greenrelay.metrics.publisher import publisher
from greenrelay.transport.upgrade import UPGRADE

_METHODS = frozenset(
    {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
)
SWITCHING = 101
CLIENT_CLOSED_REQUEST = 499


def metrics(*view: object) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that measures the requests of a view; it goes under the route decorator.

    Raises ConfigError without prometheus-client, and TypeError when the parentheses are missing.
    """
    if view:
        raise TypeError("metrics is called without options: @metrics()")
    return around_view(metrics_middleware(None))


def metrics_middleware(_: None) -> Callable[[Handler], Handler]:
    """Return the middleware itself; raises ConfigError without prometheus-client."""
    measures = requests()
    # So the rest is measured as well.
    publisher()
    return lambda handler: lambda: _measured(measures, handler)


def status_of(response: Response) -> int:
    """Return the status the client will see: an upgrade that was accepted looks like a 200."""
    upgrade = request.environ.get(UPGRADE)
    is_accepted = upgrade is not None and upgrade.acceptance is not None
    return SWITCHING if is_accepted and 200 <= response.status_code < 300 else response.status_code


def status_of_error(error: BaseException) -> int:
    """Return the status of the answer to what was raised through the middleware."""
    if isinstance(error, HTTPException):
        return error.get_response().status_code
    if isinstance(error, ProcessExit):
        return CLIENT_CLOSED_REQUEST if request_scope().cut is CLIENT_GONE else 503
    return 500


def _measured(measures: Requests, handler: Handler) -> Response:
    method = request.method if request.method in _METHODS else "other"
    route = route_of_request()
    in_flight = measures.in_flight.labels(route)
    began_at = monotonic()
    status = 500
    in_flight.inc()
    try:
        response = handler()
        status = status_of(response)
    except BaseException as error:
        status = status_of_error(error)
        raise
    finally:
        in_flight.dec()
        measures.latency.labels(method, route).observe(monotonic() - began_at)
        measures.count.labels(method, route, str(status)).inc()
    return response
