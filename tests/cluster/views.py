"""A target on one node and a view that relays to it, for programs that make one system."""

from __future__ import annotations

from typing import Any

from greenrelay import inbox, nodes, register, send, whereis
from greenrelay.web import relay


def hub() -> None:
    """Send each message of a WebSocket back, whichever node it is connected to."""
    register("hub", scope="cluster")
    print("hub is registered", flush=True)
    for message in inbox():
        if message.topic == "ws.message":
            payload: Any = message.payload
            send(payload["client_pid"], "ws.send", f"hub: {payload['data']}")


def join() -> Any:
    """Relay to the hub, here or on another node."""
    return relay("hub")


def others() -> dict[str, object]:
    """Tell which other nodes are there, and who the hub is."""
    return {"nodes": list(nodes()), "hub": whereis("hub")}
