"""Sockets and streams: rows of a list, and all that is to be seen of one.

Source: Operations, "Dashboard" and "Command line" (``sockets``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from greenrelay.core.pid import Pid
from greenrelay.dashboard.scope import Relayed
from greenrelay.dashboard.shown import short_map
from greenrelay.dashboard.walk import in_order, strides
from greenrelay.transport.connection import Connection
from greenrelay.transport.recent import Closed, user_of

STATES = ("opening", "open", "closing", "over")
ORDERS = ("oldest", "newest", "queue", "in", "out", "rtt", "last")
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SocketFilter:
    """Which sockets: each text is a part of what it is about, in any case; "" is any.

    ``text`` is looked for in all of them. ``target`` is a PID or a part of a name.
    """

    text: str = ""
    path: str = ""
    user: str = ""
    address: str = ""
    target: str = ""
    state: str = ""
    queue: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether it lets everybody through."""
        return self == SocketFilter()

    def allows(self, relayed: Relayed) -> bool:
        """Whether a socket is one of them."""
        session = relayed.session
        return (
            (not self.queue or relayed.depth() >= self.queue)
            and (not self.state or state_of(relayed) == self.state)
            and _holds(self.path, session.path)
            and _holds(self.address, session.remote_addr)
            and (not self.user or _holds(self.user, user_of(relayed)))
            and (not self.target or _holds(self.target, *_names_of_target(relayed)))
            and (not self.text or _holds(self.text, *_texts(relayed)))
        )


def _holds(wanted: str, *texts: str) -> bool:
    return not wanted or wanted.lower() in "\n".join(texts).lower()


def _texts(relayed: Relayed) -> list[str]:
    session = relayed.session
    return [
        relayed.pid,
        session.path,
        session.remote_addr,
        user_of(relayed),
        *_names_of_target(relayed),
        *(str(each) for each in (session.metadata or {}).values() if isinstance(each, (str, int))),
    ]


def _names_of_target(relayed: Relayed) -> list[str]:
    target = relayed.session.target_pid
    if target is None:
        return []
    return [target, *relayed.node.names.names(Pid.parse(target))]


_KEYS: dict[str, Callable[[Relayed], float]] = {
    "queue": lambda each: -each.depth(),
    "in": lambda each: -_messages_in(each),
    "out": lambda each: -each.messages_out,
    "rtt": lambda each: -(rtt_of(each) or 0.0),
    "last": lambda each: -_last_at(each),
}


def find(relayed: Iterable[Relayed], wanted: SocketFilter, order: str) -> list[str]:
    """Return the PIDs of those that are wanted, in one of ORDERS; it lets others run meanwhile."""
    found = list(relayed)
    if not wanted.is_empty:
        found = [each for each in strides(found) if wanted.allows(each)]
    key = _KEYS.get(order)
    if key is not None:
        # Numbers only: ten thousand tuples would set the garbage collector off.
        keys = [key(each) for each in strides(found)]
        return [found[index].pid for index in in_order(keys)]
    pids: list[str] = [each.pid for each in found]
    return pids[::-1] if order == "newest" else pids


def state_of(relayed: Relayed) -> str:
    """Return one of STATES."""
    return STATES[relayed._stage]


def rtt_of(relayed: Relayed) -> float | None:
    """Return the last round trip in seconds; None for a stream, and before the first ping."""
    return relayed._pulse.rtt if isinstance(relayed, Connection) else None


def _messages_in(relayed: Relayed) -> int:
    return relayed.session.message_count if isinstance(relayed, Connection) else 0


def _last_in(relayed: Relayed) -> float | None:
    if isinstance(relayed, Connection) and relayed.session.message_count:
        return relayed.last_in
    return None


def _last_out(relayed: Relayed) -> float | None:
    return relayed.last_out if relayed.messages_out else None


def _last_at(relayed: Relayed) -> float:
    return max(_last_in(relayed) or relayed.opened_at, _last_out(relayed) or relayed.opened_at)


def row(relayed: Relayed) -> Row:
    """Return what a list shows of one; ``last_in``, ``last_out`` are seconds ago, None if never."""
    session, rtt = relayed.session, rtt_of(relayed)
    last_in, last_out, now = _last_in(relayed), _last_out(relayed), relayed.node.timers.now()
    target = session.target_pid
    names = () if target is None else relayed.node.names.names(Pid.parse(target))
    return {
        "pid": relayed.pid,
        "kind": relayed.entry,
        "user": user_of(relayed)[:200],
        "address": session.remote_addr,
        "path": session.path,
        "target": target,
        "target_name": names[0] if names else "",
        "state": state_of(relayed),
        "age": now - relayed.opened_at,
        "rtt": None if rtt is None else rtt * 1000,
        "queue": relayed.depth(),
        "messages_in": _messages_in(relayed),
        "messages_out": relayed.messages_out,
        "last_in": None if last_in is None else now - last_in,
        "last_out": None if last_out is None else now - last_out,
    }


def details(relayed: Relayed) -> Row:
    """Return all that is to be seen of one."""
    session, socket, limits = relayed.session, relayed.socket, relayed.limits
    figures = relayed.figures
    found = row(relayed)
    found.update(
        route=figures.route if figures is not None else "",
        subprotocol=getattr(session, "subprotocol", None),
        message_topic=session.message_topic,
        metadata=short_map(session.metadata or {}),
        context=short_map(relayed.context),
        compressed=getattr(relayed, "_encode", None) is not None,
        bytes_in=socket.bytes_in,
        bytes_out=socket.bytes_out,
        queue_bytes=socket.queued_bytes,
        queue_limit=limits.queue_messages,
        queue_bytes_limit=limits.queue_bytes,
        slow_policy=str(limits.slow_policy.kind),
        groups=relayed.node.groups.joined(relayed.pid),
    )
    return found


def closed_row(closed: Closed) -> Row:
    """Return what is known of one that is over."""
    return {name: getattr(closed, name) for name in Closed.__dataclass_fields__}
