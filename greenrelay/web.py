"""greenrelay in Flask. See ``docs/guide/configuration.md`` and ``docs/websocket-relay.md``."""

from __future__ import annotations

from greenrelay.extension import GreenRelay, create_app
from greenrelay.http.middleware.websocket_relay import websocket_relay
from greenrelay.http.relay_response import relay

__all__ = ["GreenRelay", "create_app", "relay", "websocket_relay"]
