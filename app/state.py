"""What a room knows: who is in it and what was said last.

Nothing here waits, sends or reads a clock; ``now`` is seconds since the epoch, because the page
shows times of day.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

HISTORY_LENGTH = 50
"""Messages a newcomer is shown."""

PICTURES_SIZE_BYTES = 512 * 1024
"""Pictures kept for newcomers. With the history it has to fit wsrelay.queue.bytes, or the relay
would take a newcomer for a slow client."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the room; ``pid`` is the PID of the connection."""

    pid: str
    nick: str


@dataclass(frozen=True, slots=True)
class Picture:
    """An encoded picture and its media type, such as ``image/jpeg``."""

    mime: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the room's log; a notice is the room's own and has no author."""

    id: int
    kind: Literal["text", "picture", "notice"]
    text: str
    sent_at: float
    author: Member | None = None


@dataclass(slots=True)
class Room:
    """Members and history of the room ``name``, as the process ``pid`` knows them.

    ``members`` are those connected to that process, by PID; ``others`` are those of the room's
    processes on other workers, by the PID of each process. ``reported`` is how many people the
    lobby knows of.
    """

    name: str
    pid: str = ""
    members: dict[str, Member] = field(default_factory=dict)
    others: dict[str, list[Member]] = field(default_factory=dict)
    history: deque[Entry] = field(default_factory=lambda: deque(maxlen=HISTORY_LENGTH))
    pictures: dict[int, Picture] = field(default_factory=dict)
    reported: int = 0
    _last_id: int = 0

    def people(self) -> list[Member]:
        """Return who is in the room, on whatever worker."""
        return [*self.members.values(), *(each for some in self.others.values() for each in some)]

    def join(self, pid: str, nick: str) -> Member:
        """Add a member and return it; "Ann" becomes "Ann 2" where there is an Ann already."""
        member = Member(pid, self._free_nick(nick))
        self.members[pid] = member
        return member

    def leave(self, pid: str) -> Member | None:
        """Remove a member and return it, or None if it was not here."""
        return self.members.pop(pid, None)

    def say(self, author: Member, text: str, now: float) -> Entry:
        """Add a text message to the history."""
        return self._add("text", text, now, author)

    def show(self, author: Member, caption: str, picture: Picture, now: float) -> Entry:
        """Add a picture to the history; the oldest pictures go when they grow too big together."""
        entry = self._add("picture", caption, now, author)
        self._keep(entry.id, picture)
        return entry

    def note(self, text: str, now: float) -> Entry:
        """Add a notice to the history."""
        return self._add("notice", text, now, None)

    def hear(self, entry: Entry, picture: Picture | None) -> Entry:
        """Add a line of another worker to the history; here it has another id."""
        heard = self._add(entry.kind, entry.text, entry.sent_at, entry.author)
        if picture is not None:
            self._keep(heard.id, picture)
        return heard

    def merge(self, past: Iterable[tuple[Entry, Picture | None]]) -> bool:
        """Take over what members have said on another worker before; False if nothing is new.

        All stand by their times afterwards, with new ids. Notices are taken over by an empty room
        only: each worker has its own.
        """
        known = {_key(line) for line in self.history}
        mine = [(line, self.pictures.get(line.id)) for line in self.history]
        new = [each for each in past if not mine or (each[0].author and _key(each[0]) not in known)]
        lines = sorted(mine + new, key=lambda each: each[0].sent_at)[-HISTORY_LENGTH:]
        if all(_key(line) in known for line, _ in lines):
            return False
        self.history.clear()
        self.pictures.clear()
        for line, picture in lines:
            self.hear(line, picture)
        return True

    def _add(
        self,
        kind: Literal["text", "picture", "notice"],
        text: str,
        now: float,
        author: Member | None,
    ) -> Entry:
        self._last_id += 1
        entry = Entry(self._last_id, kind, text, now, author)
        self.history.append(entry)
        return entry

    def _keep(self, entry_id: int, picture: Picture) -> None:
        self.pictures[entry_id] = picture
        self._forget_pictures()

    def _forget_pictures(self) -> None:
        first_id = self.history[0].id
        size_bytes = sum(len(picture.data) for picture in self.pictures.values())
        for entry_id in list(self.pictures):
            if entry_id >= first_id and size_bytes <= PICTURES_SIZE_BYTES:
                return
            size_bytes -= len(self.pictures.pop(entry_id).data)

    def _free_nick(self, nick: str) -> str:
        taken = {member.nick for member in self.people()}
        free, number = nick, 1
        while free in taken:
            number += 1
            free = f"{nick} {number}"
        return free


def _key(line: Entry) -> object:
    """What is the same on all workers."""
    return line.kind, line.text, line.sent_at, line.author
