"""A room on several workers: what its processes, one on each, tell each other.

=============  ==================================================================
topic          payload
=============  ==================================================================
room.people    people: who is connected to the sender, notice: what has happened, at
room.said      line, picture (or None)
room.typing    pid, nick
room.asked     nothing: what was said so far?
room.past      what was said so far, a list of the payloads of room.said
room.crash     nick: who wants it
=============  ==================================================================

The lobby brings them together. Each monitors the others: when a worker is killed its processes end
for all others with ``noconnection``, and their people leave the room. Who is connected to another
worker notices nothing else, and there is no process that all depend on, so none has to be replaced.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

from app import frame, members, plain
from app.post import post
from app.state import Entry, Member, Picture, Room
from greenrelay import Message, Timeout, monitor, receive

PATIENCE = "1s"
"""How long the first who comes waits for what was said on other workers."""

log = logging.getLogger("app.room")


class CrashedOnPurpose(Exception):
    """Somebody pressed the button that crashes the room."""


def catch_up(room: Room, others: Iterable[str]) -> None:
    """Meet the other processes of this room, and learn what was said; waits a second at most."""
    found = [other for other in others if _meet(room, other)]
    while found:
        try:
            event = receive("room.past", "room.asked", timeout=PATIENCE)
        except Timeout:
            return
        assert isinstance(event, Message), "events have no topic"
        hear(room, event)
        if event.topic == "room.past":
            return


def hear(room: Room, message: Message) -> None:
    """Do what another process of this room, or the lobby, says."""
    payload: Any = message.payload
    sender = str(message.sender)
    match message.topic:
        case "room.meet":
            _meet(room, payload)
        case "room.people":
            _meet(room, sender)
            before = room.people()
            room.others[sender] = plain.read_people(payload["people"])
            if room.people() != before:
                members.tell_people(room, room.members, payload["notice"], payload["at"])
        case "room.said":
            _note(room, *plain.read_entry(payload))
        case "room.typing":
            members.send_text(room.members, frame.typing(Member(**payload)))
        case "room.asked":
            post(sender, "room.past", plain.history(room))
        case "room.past":
            _remember(room, payload)
        case "room.crash":
            raise CrashedOnPurpose(f"{payload} crashed the room {room.name}")
        case topic:
            log.warning("%s: room %s knows no topic %r", room.pid, room.name, topic)


def forget(room: Room, other: str, reason: str) -> None:
    """Let the people of another process go, which has ended."""
    gone = room.others.pop(other, [])
    if gone:
        why = "lost, with a whole worker" if reason == "noconnection" else "gone"
        nicks = ", ".join(member.nick for member in gone)
        members.tell_people(room, room.members, f"{nicks}: {why}", time.time())


def tell_people(room: Room, notice: str, now: float) -> None:
    """Tell the others who is connected here, and what has happened."""
    for other in room.others:
        _tell_people(room, other, notice, now)


def tell_said(room: Room, entry: Entry, picture: Picture | None = None) -> None:
    """Tell the others what was said or shown here."""
    _tell(room, "room.said", plain.entry(entry, picture))


def tell_typing(room: Room, member: Member) -> None:
    """Tell the others that somebody here writes."""
    _tell(room, "room.typing", {"pid": member.pid, "nick": member.nick})


def crash(room: Room, nick: str) -> None:
    """Crash the room, on all workers."""
    _tell(room, "room.crash", nick)
    raise CrashedOnPurpose(f"{nick} crashed the room {room.name}")


def _meet(room: Room, other: str) -> bool:
    """Get to know another process of this room; False if it is known or gone."""
    if other in room.others or other == room.pid:
        return False
    monitor(other)
    room.others[other] = []
    _tell_people(room, other, "", 0.0)
    return post(other, "room.asked", None)


def _note(room: Room, entry: Entry, picture: Picture | None) -> None:
    heard = room.hear(entry, picture)
    members.send_text(room.members, frame.message(heard))
    if picture is not None:
        members.send_binary(room.members, frame.picture(heard.id, picture))


def _remember(room: Room, past: list[Any]) -> None:
    """Take over what was said before the two had met, and show it to those who are here."""
    if not room.merge(map(plain.read_entry, past)):
        return
    for member in room.members.values():
        members.welcome(room, member, how="connect", now=time.time())


def _tell_people(room: Room, other: str, notice: str, now: float) -> None:
    mine = plain.people(room.members.values())
    post(other, "room.people", {"people": mine, "notice": notice, "at": now})


def _tell(room: Room, topic: str, payload: object) -> None:
    for other in room.others:
        post(other, topic, payload)
