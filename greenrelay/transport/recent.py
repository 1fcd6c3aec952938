"""The last connections and streams that are over, and whose they were.

Source: Operations, "Dashboard" and "Command line". A bounded list in the ledger of an application:
it answers why a socket has closed when nobody has kept the log.
"""

from __future__ import annotations

from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING

from greenrelay.transport.term import ACTOR

if TYPE_CHECKING:
    from greenrelay.transport.life import Life
    from greenrelay.transport.stream import Stream

RECENT = 500
# The keys of metadata that say whose a socket is, in the order in which they count.
USER_KEYS = ("user_id", "user", "nick", "name")


@dataclass(frozen=True, slots=True)
class Closed:
    """One that is over; ``at`` is in seconds since the epoch, ``code`` None for a stream."""

    at: float
    pid: str
    kind: str
    route: str
    path: str
    remote_addr: str
    user: str
    target: str | None
    code: int | None
    reason: str
    clean: bool
    by_client: bool
    duration: float
    messages_in: int
    messages_out: int


def user_of(relayed: Life | Stream) -> str:
    """Return whose it is: what its metadata says, else the actor who has opened it, else ""."""
    metadata = relayed.session.metadata
    if isinstance(metadata, dict):
        for key in USER_KEYS:
            found = metadata.get(key)
            if found is not None and found != "":
                return str(found)
    return str(getattr(relayed.context.get(ACTOR), "id", ""))


def remember(relayed: Life | Stream, value: dict[str, object], *, by_client: bool) -> None:
    """Add one that is over, by the ``value`` of its result, to those of its ledger."""
    figures, session = relayed.figures, relayed.session
    if figures is None:
        return
    closed = Closed(
        at=time(),
        pid=relayed.pid,
        kind=figures.kind,
        route=figures.route,
        path=session.path,
        remote_addr=session.remote_addr,
        user=user_of(relayed),
        target=session.target_pid,
        by_client=by_client,
        **{name: value[name] for name in _OF_RESULT},  # type: ignore[arg-type]
    )
    figures.ledger.recent.append(closed)


_OF_RESULT = ("code", "reason", "clean", "duration", "messages_in", "messages_out")
