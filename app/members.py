"""What a room sends to its members, the clients that are connected to its process."""

from __future__ import annotations

from collections.abc import Iterable

from app import frame
from app.post import post
from app.state import Member, Room


def welcome(room: Room, member: Member, *, how: str, now: float) -> None:
    """Send a member all that there is to know; ``how`` is connect, resume or transfer."""
    send_text([member.pid], frame.welcome(room, member, room.pid, how=how, now=now))
    for entry_id, picture in room.pictures.items():
        send_binary([member.pid], frame.picture(entry_id, picture))


def tell_people(room: Room, clients: Iterable[str], notice: str, now: float) -> None:
    """Send who is in the room now, and what has happened."""
    clients = list(clients)
    send_text(clients, frame.people(room.people()))
    if notice:
        send_text(clients, frame.notice(notice, now))


def send_text(clients: Iterable[str], text: str) -> None:
    """Send a text frame."""
    _send(clients, {"type": "text", "data": text})


def send_binary(clients: Iterable[str], data: bytes) -> None:
    """Send a binary frame."""
    _send(clients, {"type": "binary", "data": data})


def _send(clients: Iterable[str], payload: dict[str, object]) -> None:
    # One payload for all, so that the relay encodes its frame once.
    for client in clients:
        post(client, "ws.send", payload)
