"""Registered names: which process answers to which.

Source: Processes, "Functions", row register. A name goes with its process; a process may have
several.
"""

from __future__ import annotations

from greenrelay.core.pid import Pid
from greenrelay.errors import NameTaken, NotOwner, UnknownName


class Names:
    """The names of one node; only live processes are in it."""

    __slots__ = ("_names", "_owners")

    def __init__(self) -> None:
        self._owners: dict[str, Pid] = {}
        self._names: dict[Pid, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._owners)

    def __contains__(self, pid: Pid) -> bool:
        return pid in self._names

    def register(self, name: str, pid: Pid) -> None:
        """Give ``name`` to ``pid``; again is fine, NameTaken when another process has it.

        Raises ValueError for a name that could be taken for a PID, an entry of the runtime or
        nothing at all.
        """
        check_name(name)
        owner = self._owners.setdefault(name, pid)
        if owner != pid:
            raise NameTaken(name, owner)
        self._names.setdefault(pid, {})[name] = None

    def owner(self, name: str) -> Pid | None:
        """Return the process that has ``name``, or None."""
        return self._owners.get(name)

    def names(self, pid: Pid) -> tuple[str, ...]:
        """Return the names of ``pid``."""
        return tuple(self._names.get(pid, ()))

    def unregister(self, name: str, pid: Pid) -> None:
        """Take ``name`` from ``pid``; raises UnknownName or NotOwner."""
        owner = self._owners.get(name)
        if owner is None:
            raise UnknownName(name)
        if owner != pid:
            raise NotOwner(name, owner)
        del self._owners[name]
        names = self._names[pid]
        del names[name]
        if not names:
            del self._names[pid]

    def release(self, pid: Pid) -> None:
        """Free every name of ``pid``."""
        for name in self._names.pop(pid, ()):
            del self._owners[name]


def check_name(name: object) -> None:
    """Raise ValueError unless ``name`` can be registered."""
    if not isinstance(name, str) or not name or name[0] in "{@" or "\n" in name:
        raise ValueError(f"name {name!r}: it must be text that starts with neither '{{' nor '@'")
