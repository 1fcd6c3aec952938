"""The WebSocket client. See ``docs/guide/websocket-client.md``."""

from __future__ import annotations

from greenrelay.transport.client import Client, Message, connect
from greenrelay.transport.client_bridge import RelayedClient

__all__ = ["Client", "Message", "RelayedClient", "connect"]
