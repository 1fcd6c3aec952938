"""What a test that plays a browser's connection says to a room and hears from it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from greenrelay import pid, receive, send

Scenario = Callable[[], None]


def join(room: str, nick: str = "Ann") -> None:
    """Tells a room what the relay tells it when a client comes in; the client is the caller."""
    metadata = {"nick": nick, "room": "tea"}
    send(room, "ws.join", {"client_pid": pid(), "metadata": metadata, "reason": "connect"})


def say(room: str, data: object, kind: str = "text") -> None:
    """Tells a room what a client sends; anything but text and bytes as JSON."""
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    send(room, "ws.message", {"client_pid": pid(), "type": kind, "data": text})


def next_frame(kind: str) -> Any:
    """Returns the next JSON frame of that type, passing over others."""
    while True:
        payload: Any = payload_of("ws.send")
        frame = json.loads(payload["data"]) if payload["type"] == "text" else {"type": "binary"}
        if frame["type"] == kind:
            return frame


def payload_of(topic: str) -> Any:
    """Returns the payload of the next message of a topic."""
    message: Any = receive(topic, timeout=30)
    return message.payload
