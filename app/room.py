"""A room of the chat: the process that its members' WebSockets are relayed to.

What a room receives, and from whom:

=============  ===============  ==================================================
topic          from             payload
=============  ===============  ==================================================
ws.join        a client         client_pid, metadata (nick, room), reason
ws.message     a client         client_pid, type, data
ws.heartbeat   a client         client_pid, uptime, message_count, rtt
ws.leave       a client         client_pid, reason
lobby.rooms    the lobby        {room: number of people}
room.meet      the lobby        PID of another process of this room
room.*         another process  see app/parts.py
=============  ===============  ==================================================

A room ends when nobody has been in it for a while. Nothing a browser sends ends it, except the
command to crash. On several workers it is one process on each that has somebody in it; what one
of them is told it tells the others.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any

from app import command, frame, parts
from app.members import send_binary, send_text, tell_people, welcome
from app.post import post
from app.state import Member, Room
from greenrelay import Cancel, Exit, Message, Timeout, pid, receive

EMPTY_FOR = "10m"
"""How long a room waits for somebody to come."""

CLOSE_KICKED = 4001

log = logging.getLogger("app.room")


def run(name: str, crashes: int = 0, others: tuple[str, ...] = ()) -> None:
    """Be the room ``name``, which has crashed ``crashes`` times before.

    ``others`` are the processes of this room on other workers.
    """
    room = Room(name, str(pid()))
    parts.catch_up(room, others)
    if crashes and not room.history:
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
            case Exit(pid=ended, result=result):
                parts.forget(room, str(ended), result.reason)
                _report(room)
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
            send_text(room.members, frame.rooms(payload))
        case topic if topic.startswith("room."):
            parts.hear(room, message)
            _report(room)
        case topic:
            log.warning("%s: room %s knows no topic %r", pid(), room.name, topic)


def _join(room: Room, client: str, metadata: Mapping[str, str], reason: str) -> None:
    now = time.time()
    others = list(room.members)
    member = room.join(client, metadata["nick"])
    welcome(room, member, how=reason, now=now)
    _announce(room, others, f"{member.nick} came in", now)


def _leave(room: Room, client: str, reason: str) -> None:
    member = room.leave(client)
    if member is None:
        return
    how = "went to another room" if reason == "transfer" else "left"
    _announce(room, list(room.members), f"{member.nick} {how}", time.time())


def _announce(room: Room, clients: list[str], notice: str, now: float) -> None:
    tell_people(room, clients, notice, now)
    parts.tell_people(room, notice, now)
    _report(room)


def _answer_heartbeat(payload: Mapping[str, Any]) -> None:
    pulse = frame.pulse(payload["rtt"], payload["uptime"], payload["message_count"])
    send_text([str(payload["client_pid"])], pulse)


def _obey(room: Room, client: str, kind: str, data: str | bytes) -> None:
    member = room.members.get(client)
    if member is None:
        return
    try:
        wish = command.read_command(kind, data)
    except command.BadCommand as problem:
        send_text([client], frame.error(str(problem)))
        return
    match wish:
        case command.Say(text):
            entry = room.say(member, text, time.time())
            send_text(room.members, frame.message(entry))
            parts.tell_said(room, entry)
        case command.Show():
            _show(room, member, wish)
        case command.Typing():
            others = [other for other in room.members if other != client]
            send_text(others, frame.typing(member))
            parts.tell_typing(room, member)
        case command.Kick(target):
            _kick(room, member, target)
        case command.Move(name):
            _move(room, member, name)
        case command.Crash():
            parts.crash(room, member.nick)


def _show(room: Room, member: Member, wish: command.Show) -> None:
    entry = room.show(member, wish.caption, wish.picture, time.time())
    send_text(room.members, frame.message(entry))
    send_binary(room.members, frame.picture(entry.id, wish.picture))
    parts.tell_said(room, entry, wish.picture)


def _kick(room: Room, member: Member, target: str) -> None:
    if all(target != other.pid for other in room.people()):
        send_text([member.pid], frame.error("nobody here has that PID"))
        return
    reason = f"kicked by {member.nick}"
    post(target, "ws.close", {"code": CLOSE_KICKED, "reason": reason})


def _move(room: Room, member: Member, name: str) -> None:
    if name == room.name:
        send_text([member.pid], frame.error(f"you are in {name} already"))
        return
    wish = {"client_pid": member.pid, "nick": member.nick, "room": name}
    if not post("lobby", "lobby.move", wish):
        send_text([member.pid], frame.error("the lobby is not there, try again in a moment"))


def _report(room: Room) -> None:
    people = len(room.people())
    if people != room.reported:
        room.reported = people
        post("lobby", "lobby.count", people)


def _restart_notice(crashes: int) -> str:
    times = "once" if crashes == 1 else f"{crashes} times"
    return f"This room has crashed {times} and was started anew; what was said before is gone."
