"""A program with a dashboard for a browser: rooms, a supervisor, a view that blocks the hub."""

from __future__ import annotations

import time

from greenrelay import Child, RelayTarget, Supervisor, join, register, send, spawn, whereis
from greenrelay.web import relay

ROOM = "room:tea"


class Room(RelayTarget):
    """Echoes what its clients say, and never reads a topic of its own."""

    def init(self, name: str) -> None:
        """Have a name."""
        register(name)
        join("rooms")

    def on_message(self, payload: dict[str, object]) -> None:
        """Say it again."""
        send(str(payload["client_pid"]), "ws.send", {"type": "text", "data": payload["data"]})


def run() -> None:
    """Be the service that keeps the rooms."""
    Supervisor([Child("tea", Room, args=(ROOM,)), Child("ops", Room, args=("room:ops",))])()


def chat() -> object:
    """Join the room."""
    return relay(ROOM, metadata={"user_id": "<i>ada</i>", "token": "hush"}, heartbeat_interval="1s")


def ready() -> tuple[str, int]:
    """Say whether the rooms are there."""
    are_there = all(whereis(name) for name in (ROOM, "room:ops"))
    return "rooms\n", 200 if are_there else 503


def block() -> str:
    """Keep the hub busy."""
    until = time.thread_time() + 0.4
    while time.thread_time() < until:
        pass
    return "done"


def fill() -> str:
    """Start a process that reads nothing."""
    pid = spawn(time.sleep, 3600)
    for number in range(25):
        send(pid, "unread", number)
    return pid
