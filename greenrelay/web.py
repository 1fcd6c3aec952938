"""greenrelay in Flask. See ``docs/guide/configuration.md`` and ``docs/websocket-relay.md``."""

from __future__ import annotations

from greenrelay.extension import GreenRelay, create_app
from greenrelay.http.middleware.sse_relay import sse_relay
from greenrelay.http.middleware.websocket_relay import websocket_relay
from greenrelay.http.registry import Middleware, register_middleware
from greenrelay.http.relay_response import relay
from greenrelay.http.stream_answer import stream

__all__ = [
    "GreenRelay",
    "Middleware",
    "create_app",
    "register_middleware",
    "relay",
    "sse_relay",
    "stream",
    "websocket_relay",
]
