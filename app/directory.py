"""What the lobby knows: which rooms run, how full they are, and how often each has crashed.

Rooms of this worker are its own; of those on other workers it knows what their lobbies say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_ROOMS = 64
"""Rooms at a time, and names whose crashes are remembered."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a lobby tells others: its rooms by name, each a PID and a number of people, and crashes.

    ``crashes`` has for each name how often that room has crashed.
    """

    rooms: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    crashes: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Directory:
    """The rooms that run; ``pids`` and ``counts`` are by name, ``names`` by the text of a PID.

    ``elsewhere`` has what the lobbies of other workers have told, by their PIDs.
    """

    pids: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    crashes: dict[str, int] = field(default_factory=dict)
    elsewhere: dict[str, Report] = field(default_factory=dict)
    _crashes_before: dict[str, int] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """No room can be added."""
        return len(self.pids) >= MAX_ROOMS

    def add(self, name: str, pid: str) -> None:
        """Note that a room runs."""
        self.pids[name] = pid
        self.names[pid] = name
        self.counts[name] = 0
        self._crashes_before[name] = self.crash_count(name)

    def count(self, pid: str, people: int) -> None:
        """Note how many people a room has; a room that has ended meanwhile is ignored."""
        name = self.names.get(pid)
        if name is not None:
            self.counts[name] = people

    def remove(self, pid: str, *, has_crashed: bool) -> str | None:
        """Forget a room that has ended and return its name, or None if it is not known."""
        name = self.names.pop(pid, None)
        if name is None:
            return None
        del self.pids[name], self.counts[name]
        before = self._crashes_before.pop(name)
        if has_crashed:
            self._note_crash(name, before + 1)
        return name

    def crowded(self) -> list[str]:
        """PIDs of the rooms with somebody in them."""
        return [self.pids[name] for name, people in self.counts.items() if people]

    def report(self) -> Report:
        """Return what other lobbies are told."""
        rooms = {name: (pid, self.counts[name]) for name, pid in self.pids.items()}
        return Report(rooms, dict(self.crashes))

    def crash_count(self, name: str) -> int:
        """Return how often a room has crashed, on whatever worker."""
        reports = self.elsewhere.values()
        return max([self.crashes.get(name, 0), *(each.crashes.get(name, 0) for each in reports)])

    def all_counts(self) -> dict[str, int]:
        """Return how many people each room has, those of other workers too."""
        counts = {
            name: people
            for each in self.elsewhere.values()
            for name, (_, people) in each.rooms.items()
        }
        # What a room of this worker says is newer than what other lobbies have heard.
        return counts | self.counts

    def others(self, name: str) -> tuple[str, ...]:
        """PIDs of the processes that a room has on other workers."""
        reports = self.elsewhere.values()
        return tuple(each.rooms[name][0] for each in reports if name in each.rooms)

    def first_empty(self) -> str | None:
        """PID of the oldest room with nobody in it, or None."""
        for name, people in self.counts.items():
            if not people:
                return self.pids[name]
        return None

    def _note_crash(self, name: str, number: int) -> None:
        # A crash of the room on all workers is one. Taken out and put back, so that the name at the
        # front is the one longest without a crash.
        self.crashes.pop(name, None)
        self.crashes[name] = number
        if len(self.crashes) > MAX_ROOMS:
            del self.crashes[next(iter(self.crashes))]
