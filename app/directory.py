"""What the lobby knows: which rooms run, how full they are, and how often each has crashed."""

from __future__ import annotations

from dataclasses import dataclass, field

MAX_ROOMS = 64
"""Rooms at a time, and names whose crashes are remembered."""


@dataclass(slots=True)
class Directory:
    """The rooms that run; ``pids`` and ``counts`` are by name, ``names`` by the text of a PID."""

    pids: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    crashes: dict[str, int] = field(default_factory=dict)

    @property
    def is_full(self) -> bool:
        """No room can be added."""
        return len(self.pids) >= MAX_ROOMS

    def add(self, name: str, pid: str) -> None:
        """Note that a room runs."""
        self.pids[name] = pid
        self.names[pid] = name
        self.counts[name] = 0

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
        if has_crashed:
            self._count_crash(name)
        return name

    def crowded(self) -> list[str]:
        """PIDs of the rooms with somebody in them."""
        return [self.pids[name] for name, people in self.counts.items() if people]

    def first_empty(self) -> str | None:
        """PID of the oldest room with nobody in it, or None."""
        for name, people in self.counts.items():
            if not people:
                return self.pids[name]
        return None

    def _count_crash(self, name: str) -> None:
        # Taken out and put back, so that the name at the front is the one longest without a crash.
        self.crashes[name] = self.crashes.pop(name, 0) + 1
        if len(self.crashes) > MAX_ROOMS:
            del self.crashes[next(iter(self.crashes))]
