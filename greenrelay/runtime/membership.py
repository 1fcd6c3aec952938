"""Who is in which group of a node, and the channels of those that watch.

Source: Processes, "Functions", row join; "Endings". Nothing here waits, so that a snapshot and the
changes that follow it fit together.
"""

from __future__ import annotations

from greenrelay.core.events import GroupEvent, Joined, Left
from greenrelay.core.groups import Groups
from greenrelay.core.pid import Pid
from greenrelay.runtime.channel import GroupEvents
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.process import Process


class Membership:
    """The groups of one node, their members and who watches them."""

    __slots__ = ("_channels", "_groups")

    def __init__(self) -> None:
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

    def join(self, group: str, process: Process) -> None:
        """Let ``process`` join once (more); raises ValueError for a bad name."""
        is_new = self._groups.join(group, process.pid)
        process.is_related = process.is_shared = True
        if is_new:
            self._tell(Joined(group, process.pid))

    def leave(self, group: str, pid: Pid) -> None:
        """Let ``pid`` leave once; raises NotMember."""
        if self._groups.leave(group, pid):
            self._tell(Left(group, pid))

    def watch(self, group: str, process: FunctionProcess) -> tuple[tuple[Pid, ...], GroupEvents]:
        """Return the members and a channel of the changes from now on."""
        channel = GroupEvents(process, group, self._unwatch)
        self._groups.watch(group, process.pid)
        self._channels.setdefault((group, process.pid), []).append(channel)
        process.is_related = process.is_shared = True
        return self._groups.members(group), channel

    def ended(self, pid: Pid) -> None:
        """Forget a process that has ended, and tell who watches its groups."""
        if pid not in self._groups:
            return
        for group in self._groups.watched(pid):
            self._channels.pop((group, pid), None)
        for group in self._groups.ended(pid):
            self._tell(Left(group, pid))

    def _unwatch(self, channel: GroupEvents) -> None:
        key = channel.group, channel.watcher.pid
        channels = self._channels.get(key, [])
        if channel in channels:
            channels.remove(channel)
            if not channels:
                del self._channels[key]
                self._groups.unwatch(*key)

    def _tell(self, change: GroupEvent) -> None:
        for watcher in self._groups.watchers(change.group):
            for channel in self._channels.get((change.group, watcher), ()):
                channel.put(change)
