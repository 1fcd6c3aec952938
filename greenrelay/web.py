"""greenrelay in Flask. See ``docs/guide/configuration.md`` and ``docs/websocket-relay.md``."""

from __future__ import annotations

from greenrelay.extension import GreenRelay, create_app
from greenrelay.http.actor import act_as, actor_of, current_actor, is_allowed, token_store
from greenrelay.http.health import operations
from greenrelay.http.middleware.compress import compress
from greenrelay.http.middleware.cors import cors
from greenrelay.http.middleware.endpoint_firewall import endpoint_firewall
from greenrelay.http.middleware.metrics import metrics
from greenrelay.http.middleware.otel import otel
from greenrelay.http.middleware.ratelimit import ratelimit
from greenrelay.http.middleware.real_ip import real_ip
from greenrelay.http.middleware.resource_firewall import resource_firewall
from greenrelay.http.middleware.sendfile import sendfile
from greenrelay.http.middleware.sse_relay import sse_relay
from greenrelay.http.middleware.token_auth import token_auth
from greenrelay.http.middleware.websocket_relay import websocket_relay
from greenrelay.http.registry import Middleware, register_middleware
from greenrelay.http.relay_response import relay
from greenrelay.http.stream_answer import stream
from greenrelay.metrics.tracing import traced
from greenrelay.security.actor import Actor
from greenrelay.security.token_store import TokenStore

__all__ = [
    "Actor",
    "GreenRelay",
    "Middleware",
    "TokenStore",
    "act_as",
    "actor_of",
    "compress",
    "cors",
    "create_app",
    "current_actor",
    "endpoint_firewall",
    "is_allowed",
    "metrics",
    "operations",
    "otel",
    "ratelimit",
    "real_ip",
    "register_middleware",
    "relay",
    "resource_firewall",
    "sendfile",
    "sse_relay",
    "stream",
    "token_auth",
    "token_store",
    "traced",
    "websocket_relay",
]
