"""The client's messages on their way to the target, in order, however full its inbox is.

Source: WebSocket Relay, "Slowness". While the target's inbox is full, messages wait here, and from
READ_AHEAD of them on the socket is not read: TCP slows the client down. They go to whoever is the
target when there is room again.

Theory. A message is handed on in the socket's read callback while nothing waits, and from a
callback of the hub once something does. Never in the greenlet that makes the room or asks for a
transfer: that is a process, which a full inbox of another host may block, and two of them would
hand on the same message twice.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

import gevent

from greenrelay.core.pid import Pid
from greenrelay.websocket.frames import TEXT

if TYPE_CHECKING:
    from greenrelay.transport.connection import Connection

log = logging.getLogger("greenrelay.transport")

READ_AHEAD = 64
READ_AHEAD_BYTES = 256 * 1024


class Backlog:
    """What one client has sent and its target has no room for.

    The connection has one from the first such message until all of them are handed on.
    """

    __slots__ = ("_connection", "_is_scheduled", "_size", "_unread", "_waits_for", "is_full")

    def __init__(self, connection: Connection) -> None:
        self._connection: Connection | None = connection
        self._unread: deque[tuple[int, str | bytes]] = deque()
        self._size = 0
        # The target that was asked to tell of room, so that it is asked once only.
        self._waits_for: Pid | None = None
        self._is_scheduled = False
        self.is_full = False

    def __len__(self) -> int:
        return len(self._unread)

    def take(self, opcode: int, data: str | bytes) -> bool:
        """Keep a message; False when no more should be read."""
        self._unread.append((opcode, data))
        self._size += len(data)
        if not self._is_scheduled:
            self._wait_for_room()
        self.is_full = len(self._unread) >= READ_AHEAD or self._size >= READ_AHEAD_BYTES
        return not self.is_full

    def hand_on_soon(self) -> None:
        """Try again in the hub: there is room, or another target."""
        self._waits_for = None
        if self._unread and not self._is_scheduled:
            self._is_scheduled = True
            gevent.get_hub().loop.run_callback(self._hand_on_all)

    def close(self) -> None:
        """Give what waits to the target above its limit, and keep nothing.

        So nothing is lost at the end of a connection, and ws.leave comes after the last message.
        """
        connection = self._connection
        if connection is None:
            return
        while self._unread:
            opcode, data = self._unread.popleft()
            session = connection.session
            payload = session.message(opcode == TEXT, data)
            connection.tell_target(session.message_topic, payload)
        self._connection = None

    def _hand_on_all(self) -> None:
        self._is_scheduled = False
        connection = self._connection
        if connection is None:
            return
        try:
            while self._unread:
                opcode, data = self._unread[0]
                if not connection.hand_on(opcode, data):
                    self._wait_for_room()
                    return
                self._unread.popleft()
                self._size -= len(data)
        except Exception:
            connection.break_off()
            return
        self._connection = None
        connection.read_on()

    def _wait_for_room(self) -> None:
        connection = self._connection
        assert connection is not None, "a connection that is over takes no message"
        target = Pid.parse(connection.session.target_pid)
        process = connection.node.find(target)
        if process is None:
            # Gone since it refused the message: its EXIT is on the way here.
            self.hand_on_soon()
        elif self._waits_for != target:
            self._waits_for = target
            process.when_room(self.hand_on_soon)
