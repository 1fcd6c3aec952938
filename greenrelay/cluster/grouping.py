"""Groups over all nodes: who has members, who they are for those who ask, messages to all.

Source: Cluster, "Promises", row groups, and "Rules", first row.

Theory. What all nodes know of all groups is how many members each node has (INTEREST), so this
grows with nodes and groups and not with sockets. A node's first and last member of a group are told
at once, other changes of the number at the next tick. Who the members are is told to nodes that ask
(FOLLOW): all of them (MEMBERS), then each change (JOINED, LEFT), until the node has not been asked
for FORGOTTEN_AFTER seconds and nobody there watches the group. Messages to groups are in
``casting.py``.

After a hole each side tells all its numbers anew, and the other forgets by that who follows what.
So it asks anew for all that it follows, perhaps more than once: each answer is the whole truth of
its moment, and the last one counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import gevent
from gevent.event import Event as Flag

from greenrelay.cluster.casting import send_to_nodes
from greenrelay.cluster.wire import Frame, Kind, dump, exact, load
from greenrelay.core.events import Joined, Left
from greenrelay.core.groups import check_group
from greenrelay.core.pid import Pid

if TYPE_CHECKING:
    from greenrelay.cluster.link import Link
    from greenrelay.cluster.mesh import Mesh

PATIENCE = 1.0
FORGOTTEN_AFTER = 60.0
# How many characters of names, and how many members, one frame tells of.
CHUNK_TEXT, CHUNK_PIDS = 128 * 1024, 2000


class View:
    """The members of one group on other nodes, for as long as somebody asks."""

    def __init__(self) -> None:
        self.members: dict[str, dict[Pid, None]] = {}
        # Nodes that have been asked, which tell of each change since, also if they have no
        # members now; and those of them that have not answered.
        self.asked: dict[str, None] = {}
        self.pending: dict[str, None] = {}
        # What has come of an answer that takes several frames, and of which epoch they are: a hole
        # in what that node sends swallows the rest.
        self.arriving: dict[str, tuple[int, dict[Pid, None]]] = {}
        self.is_complete = Flag()
        self.used_at = 0.0

    def pids(self) -> tuple[Pid, ...]:
        """Return all members."""
        return tuple(pid for pids in self.members.values() for pid in pids)


class ClusterGroups:
    """The groups as one node knows them beyond its own members."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        # How many members this node shows, and how many each other node has.
        self._counts: dict[str, int] = {}
        self._there: dict[str, dict[str, int]] = {}
        self._of_node: dict[str, dict[str, None]] = {}
        self._views: dict[str, View] = {}
        self._followers: dict[str, dict[str, None]] = {}
        self._changed: dict[str, None] = {}

    # this node's members

    def begin(self) -> None:
        """Count the members that are there already."""
        groups = self._mesh.node.groups
        self._counts = {name: len(groups.shown(name)) for name in groups.names()}

    def joined(self, group: str, pid: Pid) -> None:
        """Tell others of a member of this node."""
        self._counts[group] = count = self._counts.get(group, 0) + 1
        self._tell_followers(Kind.JOINED, group, pid)
        self._tell_count(group, count)

    def left(self, group: str, pid: Pid) -> None:
        """Tell others of one that is none any more."""
        count = self._counts[group] - 1
        if count:
            self._counts[group] = count
        else:
            del self._counts[group]
        self._tell_followers(Kind.LEFT, group, pid)
        self._tell_count(group, count)

    def _tell_followers(self, kind: Kind, group: str, pid: Pid) -> None:
        for node in self._followers.get(group, ()):
            self._mesh.links[node].post(kind, topic=group, sender=str(pid))

    def _tell_count(self, group: str, count: int) -> None:
        if count == 0 or (count == 1 and group not in self._changed):
            self._changed.pop(group, None)
            payload = dump({group: count})
            for link in self._mesh.links.values():
                link.post(Kind.INTEREST, payload=payload)
        else:
            self._changed[group] = None
            self._mesh.arm()

    def announce_to(self, link: Link) -> None:
        """Tell another node of all groups of this one; it forgets what it knew before."""
        link.post(Kind.INTEREST, ref=1, payload=dump({}))
        for part in _parts(self._counts):
            link.post(Kind.INTEREST, payload=dump(part))
        self._follow_again(link.member.node)

    def tick(self, now: float) -> bool:
        """Tell of numbers that have changed; forget groups nobody asks for. False when idle."""
        changed, self._changed = self._changed, {}
        for part in _parts({group: self._counts.get(group, 0) for group in changed}):
            payload = dump(part)
            for link in self._mesh.links.values():
                link.post(Kind.INTEREST, payload=payload)
        for group, view in tuple(self._views.items()):
            if now - view.used_at > FORGOTTEN_AFTER and not self._mesh.node.groups.is_watched(
                group
            ):
                del self._views[group]
                # Also to those whose last member has gone since they were asked.
                for link in self._mesh.links.values():
                    link.post(Kind.UNFOLLOW, topic=group)
        return bool(self._views)

    # those of other nodes

    def names(self) -> tuple[str, ...]:
        """Return the groups that have members on other nodes."""
        return tuple(self._there)

    def members(self, group: str, *, waits: bool = True) -> tuple[Pid, ...]:
        """Return the members on other nodes; waits a second for those that have not answered."""
        view = self._views.get(group)
        if view is None:
            if group not in self._there and not self._mesh.node.groups.is_watched(group):
                # A watch that follows asks again, once it is one.
                return ()
            group = exact(group)
            view = self._views[group] = View()
            for node in self._there.get(group, ()):
                self._follow(group, view, node)
        view.used_at = self._mesh.node.timers.now()
        if waits and view.pending and gevent.getcurrent() is not gevent.get_hub():
            view.is_complete.wait(PATIENCE)
        return view.pids()

    def broadcast(
        self,
        group: str,
        topic: str,
        payload: object,
        sender: Pid | None,
        context: Mapping[str, object],
    ) -> int:
        """Send a message to the members on other nodes; return how many those are."""
        counts = self._there.get(group)
        if not counts:
            return 0
        return send_to_nodes(self._mesh, counts, group, topic, payload, sender, context)

    def forget(self, node: str) -> None:
        """Forget all of a node that is gone."""
        for group in self._of_node.pop(node, ()):
            self._set_count(group, node, 0)
        for group in [group for group, nodes in self._followers.items() if node in nodes]:
            self._unfollow(group, node)
        for group, view in self._views.items():
            view.asked.pop(node, None)
            view.arriving.pop(node, None)
            self._answered(group, view, node, {})

    def _set_count(self, group: str, node: str, count: int) -> None:
        nodes = self._there.setdefault(group, {})
        if count:
            nodes[node] = count
            self._of_node.setdefault(node, {})[group] = None
            return
        nodes.pop(node, None)
        self._of_node.get(node, {}).pop(group, None)
        if not nodes:
            del self._there[group]

    def _follow(self, group: str, view: View, node: str) -> None:
        view.asked[node] = view.pending[node] = None
        view.is_complete.clear()
        self._mesh.links[node].post(Kind.FOLLOW, topic=group)

    def _follow_again(self, node: str) -> None:
        for group, view in self._views.items():
            if node in view.asked:
                self._follow(group, view, node)

    def _unfollow(self, group: str, node: str) -> None:
        followers = self._followers.get(group, {})
        followers.pop(node, None)
        if not followers:
            self._followers.pop(group, None)

    def _answered(self, group: str, view: View, node: str, pids: dict[Pid, None]) -> None:
        before = view.members.pop(node, {})
        if pids:
            view.members[node] = pids
        view.pending.pop(node, None)
        if not view.pending:
            view.is_complete.set()
        tell = self._mesh.node.groups.tell_of_others
        for pid in before:
            if pid not in pids:
                tell(Left(group, pid))
        for pid in pids:
            if pid not in before:
                tell(Joined(group, pid))

    # frames

    def on_frame(self, link: Link, frame: Frame) -> None:
        """Do what a frame about groups says."""
        node, group = link.member.node, frame.topic
        if frame.kind == Kind.INTEREST:
            counts = _checked(load(frame.payload))
            self._on_interest(node, counts, is_new=frame.ref == 1)
            return
        check_group(group)
        if frame.kind == Kind.FOLLOW:
            self._followers.setdefault(group, {})[node] = None
            self._send_members(link, group)
        elif frame.kind == Kind.UNFOLLOW:
            self._unfollow(group, node)
        elif group in self._views:
            self._on_members(link, frame, self._views[group])

    def _on_interest(self, node: str, counts: dict[str, int], *, is_new: bool) -> None:
        if is_new:
            for group in self._of_node.pop(node, ()):
                self._set_count(group, node, 0)
            for group in [group for group, nodes in self._followers.items() if node in nodes]:
                self._unfollow(group, node)
            self._follow_again(node)
        for group, count in counts.items():
            self._set_count(group, node, count)
            seen = self._views.get(group)
            if seen is not None and count and node not in seen.asked:
                self._follow(group, seen, node)

    def _send_members(self, link: Link, group: str) -> None:
        pids = [str(pid) for pid in self._mesh.node.groups.shown(group)]
        for start in range(0, len(pids) or 1, CHUNK_PIDS):
            part = pids[start : start + CHUNK_PIDS]
            is_last = start + CHUNK_PIDS >= len(pids)
            link.post(Kind.MEMBERS, topic=group, ref=int(is_last), payload=dump(part))

    def _on_members(self, link: Link, frame: Frame, view: View) -> None:
        node, group = link.member.node, frame.topic
        if frame.kind == Kind.MEMBERS:
            texts = load(frame.payload)
            if not isinstance(texts, list):
                raise ValueError("members are wanted")
            part = {link.pid(text): None for text in texts}
            epoch, pids = view.arriving.pop(node, (0, {}))
            if epoch != frame.epoch:
                pids = {}
            pids.update(part)
            if frame.ref:
                self._answered(group, view, node, pids)
            else:
                view.arriving[node] = frame.epoch, pids
            return
        pid = link.pid(frame.sender)
        if node in view.pending:
            # What is on its way has it, or not, already.
            return
        members = view.members.setdefault(node, {})
        if frame.kind == Kind.JOINED and pid not in members:
            members[pid] = None
            self._mesh.node.groups.tell_of_others(Joined(group, pid))
        elif frame.kind == Kind.LEFT and pid in members:
            del members[pid]
            self._mesh.node.groups.tell_of_others(Left(group, pid))
        if not members:
            del view.members[node]


def _checked(counts: object) -> dict[str, int]:
    """Return numbers of members as another node has told them; raises ValueError for others."""
    if not isinstance(counts, dict):
        raise ValueError("numbers of members are wanted")
    for group, count in counts.items():
        check_group(group)
        if not isinstance(count, int) or count < 0:
            raise ValueError("a number of members is wanted")
    return counts


def _parts(counts: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Cut numbers of members into what fits into a frame."""
    part: dict[str, int] = {}
    size = 0
    for group, count in counts.items():
        part[group] = count
        size += len(group) + 8
        if size >= CHUNK_TEXT:
            yield part
            part, size = {}, 0
    if part:
        yield part
