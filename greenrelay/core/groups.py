"""Process groups: which processes answer to a group's name, and who wants to know.

Source: Processes, "Functions", row join. A process may join a group more than once and is a member
until it has left as often; its membership ends with it. A group is there while it has members.
"""

from __future__ import annotations

from typing import TypeVar

from greenrelay.core.pid import Pid
from greenrelay.errors import NotMember

# Bytes of a group's name: one frame between two nodes has room for several.
MAX_GROUP = 16 * 1024
K = TypeVar("K", bound=str)
V = TypeVar("V", bound=str)


class Groups:
    """The groups of one node; only live processes are in them, or watch them."""

    __slots__ = ("_joined", "_members", "_watchers", "_watching")

    def __init__(self) -> None:
        self._members: dict[str, dict[Pid, int]] = {}
        self._joined: dict[Pid, dict[str, None]] = {}
        self._watchers: dict[str, dict[Pid, None]] = {}
        self._watching: dict[Pid, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._members) + len(self._watchers)

    def __contains__(self, pid: Pid) -> bool:
        return pid in self._joined or pid in self._watching

    def names(self) -> tuple[str, ...]:
        """Return the groups that have members."""
        return tuple(self._members)

    def members(self, group: str) -> tuple[Pid, ...]:
        """Return the members in order of joining, each once."""
        return tuple(self._members.get(group, ()))

    def joined(self, pid: Pid) -> tuple[str, ...]:
        """Return the groups ``pid`` is a member of."""
        return tuple(self._joined.get(pid, ()))

    def watchers(self, group: str) -> tuple[Pid, ...]:
        """Return who watches ``group``."""
        return tuple(self._watchers.get(group, ()))

    def join(self, group: str, pid: Pid) -> bool:
        """Let ``pid`` join once (more); True when it was no member before.

        Raises ValueError for a name that check_group refuses.
        """
        check_group(group)
        counts = self._members.setdefault(group, {})
        count = counts.get(pid, 0)
        counts[pid] = count + 1
        self._joined.setdefault(pid, {})[group] = None
        return count == 0

    def leave(self, group: str, pid: Pid) -> bool:
        """Let ``pid`` leave once; True when it is no member any more. Raises NotMember."""
        counts = self._members.get(group, {})
        count = counts.get(pid, 0)
        if not count:
            raise NotMember(group, pid)
        if count > 1:
            counts[pid] = count - 1
            return False
        self._remove(group, pid)
        _discard(self._joined, pid, group)
        return True

    def watched(self, pid: Pid) -> tuple[str, ...]:
        """Return the groups ``pid`` watches."""
        return tuple(self._watching.get(pid, ()))

    def watch(self, group: str, pid: Pid) -> None:
        """Let ``pid`` hear of who joins and leaves ``group``; raises ValueError as join."""
        check_group(group)
        self._watchers.setdefault(group, {})[pid] = None
        self._watching.setdefault(pid, {})[group] = None

    def unwatch(self, group: str, pid: Pid) -> None:
        """Undo watch; nothing happens when there was none."""
        if group in self._watching.get(pid, ()):
            _discard(self._watching, pid, group)
            _discard(self._watchers, group, pid)

    def ended(self, pid: Pid) -> tuple[str, ...]:
        """Forget ``pid``; return the groups it was a member of."""
        for group in self._watching.pop(pid, ()):
            _discard(self._watchers, group, pid)
        left = tuple(self._joined.pop(pid, ()))
        for group in left:
            self._remove(group, pid)
        return left

    def _remove(self, group: str, pid: Pid) -> None:
        counts = self._members[group]
        del counts[pid]
        if not counts:
            del self._members[group]


def check_group(group: object) -> None:
    """Raise ValueError unless ``group`` is a name that can be told to other nodes, too."""
    if not isinstance(group, str) or not group:
        raise ValueError(f"group {group!r}: it must be text")
    try:
        size = len(group.encode())
    except UnicodeEncodeError as error:
        why = f"it has half a character, a lone surrogate, at {error.start}; it must be text"
        raise ValueError(f"group {group[:40]!r}: {why}") from None
    if size > MAX_GROUP:
        raise ValueError(f"group {group[:40]!r}…: it has {size} bytes; {MAX_GROUP} at most")


def _discard(table: dict[K, dict[V, None]], key: K, value: V) -> None:
    inner = table[key]
    del inner[value]
    if not inner:
        del table[key]
