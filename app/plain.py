"""What a room knows as plain data, which can leave a worker, and back.

A process on another worker is sent what one of this worker is sent; only that none but plain values
arrive there: dicts, lists, texts, numbers and bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from app.state import Entry, Member, Picture, Room


def people(members: Iterable[Member]) -> list[dict[str, Any]]:
    """Return members as data."""
    return [asdict(member) for member in members]


def read_people(data: Iterable[Mapping[str, Any]]) -> list[Member]:
    """Return the members that data tells of."""
    return [Member(**each) for each in data]


def entry(line: Entry, picture: Picture | None = None) -> dict[str, Any]:
    """Return a line of the log as data, with its picture if there is one."""
    return {"line": asdict(line), "picture": None if picture is None else asdict(picture)}


def read_entry(data: Mapping[str, Any]) -> tuple[Entry, Picture | None]:
    """Return the line of the log that data tells of, and its picture."""
    fields, picture = data["line"], data["picture"]
    author = fields["author"]
    line = Entry(**{**fields, "author": None if author is None else Member(**author)})
    return line, None if picture is None else Picture(**picture)


def history(room: Room) -> list[dict[str, Any]]:
    """Return all that a room remembers as data."""
    return [entry(line, room.pictures.get(line.id)) for line in room.history]
