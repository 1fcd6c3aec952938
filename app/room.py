"""A room of the chat: the process that its members' WebSockets are relayed to.

What a room receives, and from whom:

=============  ===========  ==================================================
topic          from         payload
=============  ===========  ==================================================
ws.join        a client     client_pid, metadata (nick, room), reason
ws.message     a client     client_pid, type, data
ws.heartbeat   a client     client_pid, uptime, message_count, rtt
ws.leave       a client     client_pid, reason
lobby.rooms    the lobby    {room: number of people}
=============  ===========  ==================================================

A room ends when nobody has been in it for a while. Nothing a browser sends ends it, except the
command to crash.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Any

from app import command, frame
from app.post import post
from app.state import Member, Room
from greenrelay import Cancel, Message, Timeout, pid, receive

EMPTY_FOR = "10m"
"""How long a room waits for somebody to come."""

CLOSE_KICKED = 4001

log = logging.getLogger("app.room")


class CrashedOnPurpose(Exception):
    """Somebody pressed the button that crashes the room."""


def run(name: str, crashes: int = 0) -> None:
    """Be the room ``name``, which has crashed ``crashes`` times before."""
    room = Room(name)
    if crashes:
        room.note(_restart_notice(crashes), time.time())
    while True:
        try:
            event = receive(timeout=EMPTY_FOR)
        except Timeout:
            if room.members:
                continue
            return
        match event:
            case Message():
                _handle(room, event)
            case Cancel():
                return


def _handle(room: Room, message: Message) -> None:
    payload: Any = message.payload
    match message.topic:
        case "ws.join":
            _join(room, str(payload["client_pid"]), payload["metadata"], payload["reason"])
        case "ws.message":
            _obey(room, str(payload["client_pid"]), payload["type"], payload["data"])
        case "ws.heartbeat":
            _answer_heartbeat(payload)
        case "ws.leave":
            _leave(room, str(payload["client_pid"]), payload["reason"])
        case "lobby.rooms":
            _send_text(room.members, frame.rooms(payload))
        case topic:
            log.warning("%s: room %s knows no topic %r", pid(), room.name, topic)


def _join(room: Room, client: str, metadata: Mapping[str, str], reason: str) -> None:
    now = time.time()
    others = list(room.members)
    member = room.join(client, metadata["nick"])
    _send_text([client], frame.welcome(room, member, str(pid()), how=reason, now=now))
    for entry_id, picture in room.pictures.items():
        _send([client], {"type": "binary", "data": frame.picture(entry_id, picture)})
    _send_text(others, frame.people(room.members.values()))
    _send_text(others, frame.notice(f"{member.nick} came in", now))
    _report(room)


def _leave(room: Room, client: str, reason: str) -> None:
    member = room.leave(client)
    if member is None:
        return
    how = "went to another room" if reason == "transfer" else "left"
    _send_text(room.members, frame.people(room.members.values()))
    _send_text(room.members, frame.notice(f"{member.nick} {how}", time.time()))
    _report(room)


def _answer_heartbeat(payload: Mapping[str, Any]) -> None:
    pulse = frame.pulse(payload["rtt"], payload["uptime"], payload["message_count"])
    _send_text([str(payload["client_pid"])], pulse)


def _obey(room: Room, client: str, kind: str, data: str | bytes) -> None:
    member = room.members.get(client)
    if member is None:
        return
    try:
        wish = command.read_command(kind, data)
    except command.BadCommand as problem:
        _send_text([client], frame.error(str(problem)))
        return
    match wish:
        case command.Say(text):
            _send_text(room.members, frame.message(room.say(member, text, time.time())))
        case command.Show():
            _show(room, member, wish)
        case command.Typing():
            others = [other for other in room.members if other != client]
            _send_text(others, frame.typing(member))
        case command.Kick(target):
            _kick(room, member, target)
        case command.Move(name):
            _move(room, member, name)
        case command.Crash():
            raise CrashedOnPurpose(f"{member.nick} crashed the room {room.name}")


def _show(room: Room, member: Member, wish: command.Show) -> None:
    entry = room.show(member, wish.caption, wish.picture, time.time())
    _send_text(room.members, frame.message(entry))
    _send(room.members, {"type": "binary", "data": frame.picture(entry.id, wish.picture)})


def _kick(room: Room, member: Member, target: str) -> None:
    if target not in room.members:
        _send_text([member.pid], frame.error("nobody here has that PID"))
        return
    reason = f"kicked by {member.nick}"
    post(target, "ws.close", {"code": CLOSE_KICKED, "reason": reason})


def _move(room: Room, member: Member, name: str) -> None:
    if name == room.name:
        _send_text([member.pid], frame.error(f"you are in {name} already"))
        return
    wish = {"client_pid": member.pid, "nick": member.nick, "room": name}
    if not post("lobby", "lobby.move", wish):
        _send_text([member.pid], frame.error("the lobby is not there, try again in a moment"))


def _report(room: Room) -> None:
    post("lobby", "lobby.count", len(room.members))


def _send_text(clients: Iterable[str], text: str) -> None:
    _send(clients, {"type": "text", "data": text})


def _send(clients: Iterable[str], payload: dict[str, object]) -> None:
    # One payload for all, so that the relay encodes its frame once.
    for client in clients:
        post(client, "ws.send", payload)


def _restart_notice(crashes: int) -> str:
    times = "once" if crashes == 1 else f"{crashes} times"
    return f"This room has crashed {times} and was started anew; what was said before is gone."
