"""The event of a message that goes to many streams is made once.

Source: Server-sent Events Relay; WebSocket Relay, "Slowness": a broadcast encodes its frame once.
Only its ``id:`` is each stream's own.
"""

from __future__ import annotations

import gevent

from greenrelay.core.message import Message
from greenrelay.relay.sse import event


class LastEvent:
    """The event of the last message that any stream of a server has sent, without its ``id:``."""

    __slots__ = ("_event", "_is_scheduled", "_message")

    def __init__(self) -> None:
        self._message: Message | None = None
        self._event = b""
        self._is_scheduled = False

    def of(self, message: Message) -> bytes:
        """Return the event of ``message``; raises InvalidEventName and TypeError."""
        if message is not self._message:
            self._event = event(message.topic, message.payload)
            self._message = message
            if not self._is_scheduled:
                self._is_scheduled = True
                gevent.get_hub().loop.run_callback(self._forget)
        return self._event

    def _forget(self) -> None:
        self._is_scheduled = False
        self._message = None
        self._event = b""
