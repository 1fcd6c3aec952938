"""Who is in which group of a node, and the channels of those that watch.

Source: Processes, "Functions", row join; "Endings". Nothing here waits, so that a snapshot and the
changes that follow it fit together.
"""

from __future__ import annotations

from typing import Protocol

from greenrelay.core.events import GroupEvent, Joined, Left
from greenrelay.core.groups import Groups, check_group
from greenrelay.core.pid import Pid
from greenrelay.runtime.channel import GroupEvents
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.process import Process


class Observer(Protocol):
    """Who tells other nodes of the members here; must not wait."""

    def joined(self, group: str, pid: Pid) -> None:
        """A process has become a member for all nodes to see."""

    def left(self, group: str, pid: Pid) -> None:
        """A member that all nodes could see is none any more."""


class Membership:
    """The groups of one node, their members and who watches them.

    A member by the scope ``local`` only is hidden from ``observer``, and so is a local watch from
    what is told of other nodes.
    """

    __slots__ = ("_channels", "_groups", "_hidden", "_local", "observer")

    def __init__(self) -> None:
        self.observer: Observer | None = None
        self._hidden: set[tuple[str, Pid]] = set()
        self._local: set[GroupEvents] = set()
        self._groups = Groups()
        self._channels: dict[tuple[str, Pid], list[GroupEvents]] = {}

    def __len__(self) -> int:
        return len(self._groups)

    def names(self) -> tuple[str, ...]:
        """Return the groups that have members."""
        return self._groups.names()

    def members(self, group: str) -> tuple[Pid, ...]:
        """Return the members in order of joining, each once."""
        return self._groups.members(group)

    def joined(self, pid: Pid) -> tuple[str, ...]:
        """Return the groups ``pid`` is a member of."""
        return self._groups.joined(pid)

    def shown(self, group: str) -> tuple[Pid, ...]:
        """Return the members that other nodes may see."""
        members = self._groups.members(group)
        if not self._hidden:
            return members
        return tuple(pid for pid in members if (group, pid) not in self._hidden)

    def is_watched(self, group: str) -> bool:
        """Whether somebody watches the group on all nodes."""
        watchers = self._groups.watchers(group)
        channels = (each for pid in watchers for each in self._channels.get((group, pid), ()))
        return any(each not in self._local for each in channels)

    def join(self, group: str, process: Process, *, is_local: bool = False) -> None:
        """Let ``process`` join once (more); raises ValueError for a bad name."""
        group = _exact(group)
        pid = process.pid
        is_new = self._groups.join(group, pid)
        process.is_related = process.is_shared = True
        was_shown = not is_new and (group, pid) not in self._hidden
        if is_new and is_local:
            self._hidden.add((group, pid))
        elif not is_local:
            self._hidden.discard((group, pid))
        if is_new:
            self._tell(Joined(group, pid))
        if self.observer is not None and not is_local and not was_shown:
            self.observer.joined(group, pid)

    def leave(self, group: str, pid: Pid) -> None:
        """Let ``pid`` leave once; raises NotMember."""
        if self._groups.leave(group, pid):
            self._left(_exact(group), pid)

    def watch(
        self, group: str, process: FunctionProcess, *, is_local: bool = False
    ) -> tuple[tuple[Pid, ...], GroupEvents]:
        """Return the members and a channel of the changes from now on."""
        group = _exact(group)
        channel = GroupEvents(process, group, self._unwatch)
        self._groups.watch(group, process.pid)
        if is_local:
            self._local.add(channel)
        self._channels.setdefault((group, process.pid), []).append(channel)
        process.is_related = process.is_shared = True
        return self._groups.members(group), channel

    def ended(self, pid: Pid) -> None:
        """Forget a process that has ended, and tell who watches its groups."""
        if pid not in self._groups:
            return
        for group in self._groups.watched(pid):
            self._local.difference_update(self._channels.pop((group, pid), ()))
        for group in self._groups.ended(pid):
            self._left(group, pid)

    def tell_of_others(self, change: GroupEvent) -> None:
        """Tell who watches of a change on another node."""
        self._tell(change, is_local=False)

    def _left(self, group: str, pid: Pid) -> None:
        was_hidden = (group, pid) in self._hidden
        self._hidden.discard((group, pid))
        self._tell(Left(group, pid))
        if self.observer is not None and not was_hidden:
            self.observer.left(group, pid)

    def _unwatch(self, channel: GroupEvents) -> None:
        self._local.discard(channel)
        key = channel.group, channel.watcher.pid
        channels = self._channels.get(key, [])
        if channel in channels:
            channels.remove(channel)
            if not channels:
                del self._channels[key]
                self._groups.unwatch(*key)

    def _tell(self, change: GroupEvent, *, is_local: bool = True) -> None:
        for watcher in self._groups.watchers(change.group):
            for channel in self._channels.get((change.group, watcher), ()):
                if is_local or channel not in self._local:
                    channel.put(change)


def _exact(group: str) -> str:
    """Return a group as plain text, which is what other nodes can be told: it may be a StrEnum's.

    Raises ValueError for a bad name.
    """
    check_group(group)
    return str.__str__(group)
