"""Which middleware there is, by name.

Source: HTTP, "Middleware".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from greenrelay.config.middleware import MiddlewareSpec
from greenrelay.http.middleware.sse_relay import StreamOptions, stream_middleware
from greenrelay.http.middleware.websocket_relay import RelayOptions, relay_middleware

View = Callable[..., Any]
PostMiddleware = Callable[[Any], Callable[[View], View]]

SPECS: Mapping[str, MiddlewareSpec] = {
    "websocket_relay": MiddlewareSpec("websocket_relay", "post", RelayOptions),
    "sse_relay": MiddlewareSpec("sse_relay", "post", StreamOptions),
}
_POST: Mapping[str, PostMiddleware] = {
    "websocket_relay": relay_middleware,
    "sse_relay": stream_middleware,
}


def post_middleware(name: str) -> PostMiddleware:
    """Return the factory of a registered post-match middleware."""
    return _POST[name]
