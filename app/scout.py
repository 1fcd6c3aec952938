"""The scout of a lobby: tells it of the lobbies of other workers, as they come.

A group has members on all nodes, and who watches it hears of each change, but by a channel of its
own; the scout makes messages of it, so that the lobby has one place where it waits.
"""

from __future__ import annotations

from app.post import post
from greenrelay import Joined, join, watch

GROUP = "lobbies"


def run(lobby: str) -> None:
    """Put ``lobby`` into the group, and send it ``lobby.met`` for each other member."""
    join(GROUP, lobby)
    members, changes = watch(GROUP)
    for member in members:
        post(lobby, "lobby.met", str(member))
    for change in changes:
        if isinstance(change, Joined):
            post(lobby, "lobby.met", str(change.pid))
