"""What a browser may ask for: its frames and query arguments, read into typed values.

Everything a browser sends goes through here before anything else looks at it. Whatever does not fit
raises BadCommand, whose text is shown to whoever sent it. Text frames are JSON objects::

    {"type": "say", "text": "hello"}      {"type": "typing"}      {"type": "crash"}
    {"type": "kick", "pid": "{…|…}"}      {"type": "move", "room": "tea"}

A binary frame is a picture: two bytes with the length of a header, big-endian, the header, which is
``{"mime": "image/jpeg", "caption": "…"}`` in JSON, then the encoded picture.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass

from app.state import Picture

MAX_NICK_LENGTH = 24
MAX_TEXT_LENGTH = 1000
MAX_JSON_BYTES = 16 * 1024
MAX_PICTURE_BYTES = 256 * 1024

_ROOM_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,22}[a-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_MAGIC = {
    "image/jpeg": re.compile(rb"\xff\xd8\xff"),
    "image/png": re.compile(rb"\x89PNG\r\n\x1a\n"),
    "image/webp": re.compile(rb"RIFF....WEBP", re.DOTALL),
}


class BadCommand(ValueError):
    """Something a browser sent that is not allowed; the text is for its user."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say ``text`` to the room."""

    text: str


@dataclass(frozen=True, slots=True)
class Show:
    """Show a picture to the room; the caption may be empty."""

    picture: Picture
    caption: str


@dataclass(frozen=True, slots=True)
class Typing:
    """Somebody is writing."""


@dataclass(frozen=True, slots=True)
class Kick:
    """Close the connection ``pid`` of another member."""

    pid: str


@dataclass(frozen=True, slots=True)
class Move:
    """Take the sender's connection to another room."""

    room: str


@dataclass(frozen=True, slots=True)
class Crash:
    """Crash the room, to see what happens then."""


Command = Say | Show | Typing | Kick | Move | Crash


def read_nick(text: object) -> str:
    """Return the nickname in its one form; raises BadCommand."""
    if not isinstance(text, str):
        raise BadCommand("a nickname is text")
    nick = " ".join(unicodedata.normalize("NFC", text).split())
    if not nick:
        raise BadCommand("a nickname is not empty")
    if len(nick) > MAX_NICK_LENGTH:
        raise BadCommand(f"a nickname has at most {MAX_NICK_LENGTH} characters")
    if not nick.isprintable():
        raise BadCommand("a nickname has no invisible characters")
    return nick


def read_room_name(text: object) -> str:
    """Return the name of a room; raises BadCommand."""
    if not isinstance(text, str) or not _ROOM_NAME.fullmatch(text):
        raise BadCommand("a room's name has 1 to 24 of a-z, 0-9 and -, and no - at its ends")
    return text


def read_command(kind: str, data: str | bytes) -> Command:
    """Return what a frame asks for; ``kind`` is ``text`` or ``binary``; raises BadCommand."""
    if kind == "binary":
        return _read_picture(data.encode() if isinstance(data, str) else data)
    fields = _read_object(data)
    match fields.get("type"):
        case "say":
            return Say(_read_text(fields.get("text"), may_be_empty=False))
        case "typing":
            return Typing()
        case "kick":
            return Kick(_read_pid(fields.get("pid")))
        case "move":
            return Move(read_room_name(fields.get("room")))
        case "crash":
            return Crash()
    raise BadCommand("type is none of say, typing, kick, move, crash")


def _read_object(data: str | bytes) -> dict[str, object]:
    if len(data) > MAX_JSON_BYTES:
        raise BadCommand(f"a text frame has at most {MAX_JSON_BYTES} characters")
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise BadCommand("a text frame is a JSON object") from None
    if not isinstance(fields, dict):
        raise BadCommand("a text frame is a JSON object")
    return fields


def _read_text(text: object, *, may_be_empty: bool) -> str:
    if not isinstance(text, str):
        raise BadCommand("a message has a text")
    text = text.strip()
    if not text and not may_be_empty:
        raise BadCommand("a message is not empty")
    if len(text) > MAX_TEXT_LENGTH:
        raise BadCommand(f"a message has at most {MAX_TEXT_LENGTH} characters")
    # JSON can spell half of a surrogate pair ("\ud800"), which no UTF-8 frame can carry on.
    if _CONTROL.search(text) or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadCommand("a message has no control characters")
    return text


def _read_pid(text: object) -> str:
    if not isinstance(text, str):
        raise BadCommand("pid is text")
    return text


def _read_picture(data: bytes) -> Show:
    header_end = 2 + int.from_bytes(data[:2], "big")
    if len(data) <= header_end:
        raise BadCommand("a binary frame is two bytes of length, a JSON header and a picture")
    fields = _read_object(data[2:header_end])
    mime = fields.get("mime")
    if not isinstance(mime, str) or mime not in _MAGIC:
        raise BadCommand(f"a picture is one of {', '.join(sorted(_MAGIC))}")
    picture = Picture(mime, data[header_end:])
    if len(picture.data) > MAX_PICTURE_BYTES:
        raise BadCommand(f"a picture has at most {MAX_PICTURE_BYTES // 1024} KiB")
    if not _MAGIC[mime].match(picture.data):
        raise BadCommand(f"that is not {mime}")
    return Show(picture, _read_text(fields.get("caption", ""), may_be_empty=True))
