"""What a room sends to a browser: JSON text frames, and binary frames for pictures.

A picture travels as two frames: the text frame ``message`` with its caption, author and time, then
a binary frame: two bytes with the length of a header, big-endian, the header in JSON, which says to
which message it belongs (``{"id": 7, "mime": "image/jpeg"}``), then the picture.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from app.state import Entry, Member, Picture, Room


def welcome(room: Room, member: Member, room_pid: str, *, how: str, now: float) -> str:
    """All that a newcomer has to know; ``how`` is connect, resume or transfer."""
    return _encode(
        "welcome",
        room=room.name,
        room_pid=room_pid,
        pid=member.pid,
        nick=member.nick,
        how=how,
        now=now,
        people=_people(room.people()),
        history=[_entry(entry) | {"lost": _is_lost(room, entry)} for entry in room.history],
    )


def message(entry: Entry) -> str:
    """A new line of the log."""
    return _encode("message", message=_entry(entry))


def notice(text: str, now: float) -> str:
    """Something that happened and is not kept: somebody came or went."""
    return _encode("notice", text=text, at=now)


def people(members: Iterable[Member]) -> str:
    """Who is in the room now."""
    return _encode("people", people=_people(members))


def rooms(counts: Mapping[str, int]) -> str:
    """Which rooms there are, with the number of people in each."""
    return _encode("rooms", rooms=[{"room": room, "people": n} for room, n in counts.items()])


def typing(member: Member) -> str:
    """Somebody is writing."""
    return _encode("typing", pid=member.pid, nick=member.nick)


def pulse(rtt: float | None, uptime: float, messages: int) -> str:
    """What the relay's heartbeat knows of this connection; times in seconds."""
    return _encode("pulse", rtt=rtt, uptime=uptime, messages=messages)


def error(text: str) -> str:
    """Why nothing came of what the browser asked for."""
    return _encode("error", text=text)


def picture(entry_id: int, picture: Picture) -> bytes:
    """The picture of the message ``entry_id``."""
    header = json.dumps({"id": entry_id, "mime": picture.mime}).encode()
    return len(header).to_bytes(2, "big") + header + picture.data


def _encode(kind: str, **fields: object) -> str:
    return json.dumps({"type": kind, **fields}, ensure_ascii=False)


def _people(members: Iterable[Member]) -> list[dict[str, object]]:
    return [{"pid": member.pid, "nick": member.nick} for member in members]


def _entry(entry: Entry) -> dict[str, object]:
    fields: dict[str, object] = {
        "id": entry.id,
        "kind": entry.kind,
        "text": entry.text,
        "at": entry.sent_at,
    }
    if entry.author is not None:
        fields |= {"pid": entry.author.pid, "nick": entry.author.nick}
    return fields


def _is_lost(room: Room, entry: Entry) -> bool:
    return entry.kind == "picture" and entry.id not in room.pictures
