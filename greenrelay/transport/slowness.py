"""A frame for a client whose queue is full: what the slow policy says becomes of it.

Source: WebSocket Relay, "Slowness" and "Options", row ``wsrelay.slow.policy``.

Theory. Only BLOCK makes anybody wait, and only a process that sends: the hub, the supervisor and
other connections never wait for a client. They get InboxFull, as from a full inbox, and a
connection that gets it stops reading its own client.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from greenlet import getcurrent

from greenrelay.core.pid import Pid
from greenrelay.errors import InboxFull
from greenrelay.relay.slowness import CLOSE, DROP_OLDEST
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.task import BLOCKED
from greenrelay.runtime.waiter import Waiter
from greenrelay.websocket.frames import PING, PONG, encode

if TYPE_CHECKING:
    from greenrelay.transport.connection import Connection
    from greenrelay.transport.stream import Stream

log = logging.getLogger("greenrelay.transport")

# What pings and pongs begin with; an event of a stream is text, which begins with neither.
_UNCOUNTED = encode(PING, b"")[0], encode(PONG, b"")[0]


def overflow(connection: Connection, frame: bytes, sender: Pid | None) -> bool:
    """Do with a frame that did not fit what the policy says; False when the connection closes.

    Raises InboxFull for a sender that would have to wait and cannot.
    """
    # One that is larger than the queue would not fit whatever were dropped for it.
    could_fit = len(frame) <= connection.limits.queue_bytes
    write = partial(connection.socket.write, frame)
    return make_way(connection, write, sender, could_fit=could_fit)


def make_way(
    connection: Connection | Stream,
    write: Callable[[], bool],
    sender: Pid | None = None,
    *,
    could_fit: bool = True,
) -> bool:
    """Do what the policy says for what ``write`` had no room for; see ``overflow``."""
    policy = connection.limits.slow_policy
    if policy.kind == CLOSE:
        connection.fall_behind()
        return False
    if not policy.drops:
        return _wait_for_room(connection, write, policy.seconds, sender)
    if policy.kind == DROP_OLDEST and could_fit:
        while (dropped := connection.socket.drop_oldest()) is not None:
            # Pings and pongs wait in the same queue, and were never counted.
            if dropped[0] not in _UNCOUNTED:
                connection.messages_out -= 1
            if write():
                break
        else:
            # What is left is on the wire in part and must follow: the new frame is the oldest.
            connection.messages_out -= 1
    else:
        connection.messages_out -= 1
    if not connection.is_dropping:
        connection.is_dropping = True
        log.warning("%s: its queue to the client is full: %s", connection.pid, policy.kind)
    return True


def _wait_for_room(
    connection: Connection | Stream,
    write: Callable[[], bool],
    seconds: float,
    sender: Pid | None,
) -> bool:
    running = getattr(getcurrent(), "greenrelay_process", None)
    # What another connection tells its target it may tell in the greenlet of a process that moves
    # or ends it, and it must not be left in the middle of that.
    if not isinstance(running, FunctionProcess) or sender not in (None, running.pid):
        raise InboxFull(connection.pid, connection.limits.queue_messages)
    timers = connection.node.timers
    until = timers.now() + seconds
    # Others may have taken the room by the time the sender runs: then it waits on.
    while connection.is_open:
        waiter = Waiter(running.answered)
        connection.socket.when_room(waiter.answer_nothing)
        try:
            while not waiter.is_done:
                if not running.wait_until(BLOCKED, until):
                    connection.fall_behind()
                    return False
        finally:
            waiter.drop()
        if connection.is_open and write():
            return connection.is_open
    return False
