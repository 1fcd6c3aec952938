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

from greenrelay.errors import InboxFull
from greenrelay.relay.slowness import CLOSE, DROP_OLDEST
from greenrelay.runtime.function_process import FunctionProcess
from greenrelay.runtime.task import BLOCKED
from greenrelay.runtime.waiter import Waiter

if TYPE_CHECKING:
    from greenrelay.transport.connection import Connection
    from greenrelay.transport.stream import Stream

log = logging.getLogger("greenrelay.transport")


def overflow(connection: Connection, frame: bytes) -> bool:
    """Do with a frame that did not fit what the policy says; False when the connection closes.

    Raises InboxFull for a sender that would have to wait and cannot.
    """
    return make_way(connection, partial(connection.socket.write, frame))


def make_way(connection: Connection | Stream, write: Callable[[], bool]) -> bool:
    """Do what the policy says for what ``write`` had no room for; see ``overflow``."""
    policy = connection.limits.slow_policy
    if policy.kind == CLOSE:
        connection.fall_behind()
        return False
    if not policy.drops:
        return _wait_for_room(connection, write, policy.seconds)
    if policy.kind == DROP_OLDEST:
        while connection.socket.drop_oldest():
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
    connection: Connection | Stream, write: Callable[[], bool], seconds: float
) -> bool:
    sender = getattr(getcurrent(), "greenrelay_process", None)
    if not isinstance(sender, FunctionProcess):
        raise InboxFull(connection.pid, connection.limits.queue_messages)
    timers = connection.node.timers
    until = timers.now() + seconds
    # Others may have taken the room by the time the sender runs: then it waits on.
    while connection.is_open:
        waiter = Waiter(sender.answered)
        connection.socket.when_room(waiter.answer_nothing)
        try:
            while not waiter.is_done:
                if not sender.wait_until(BLOCKED, until):
                    connection.fall_behind()
                    return False
        finally:
            waiter.drop()
        if connection.is_open and write():
            return connection.is_open
    return False
