"""The frame of a message that goes to many connections is made once.

Source: WebSocket Relay, "Slowness": a broadcast encodes its frame once.

Theory. A broadcast hands one and the same message object to each of its receivers, one after the
other. So the last message that was turned into a frame is kept, with its frame, and a message
that comes again is a broadcast: its frame goes out as it is, and uncompressed, since a compressed
one belongs to one connection. Messages are told apart by identity, which is safe as long as the
last one is kept; in the next turn of the hub nothing is.
"""

from __future__ import annotations

from collections.abc import Callable

import gevent

from greenrelay.core.message import Message
from greenrelay.relay.session import outgoing
from greenrelay.websocket.frames import encode


class LastFrame:
    """The frame of the last message that any connection of a server has sent."""

    __slots__ = ("_frame", "_is_scheduled", "_message")

    def __init__(self) -> None:
        self._message: Message | None = None
        self._frame: bytes | None = None
        self._is_scheduled = False

    def of(self, message: Message, encode_own: Callable[[int, bytes], bytes]) -> bytes:
        """Return the frame of ``message`` for a connection that encodes with ``encode_own``.

        Raises TypeError for a payload that cannot be sent.
        """
        if message is self._message:
            frame = self._frame
            if frame is None:
                frame = self._frame = encode(*outgoing(message.topic, message.payload))
            return frame
        frame = encode_own(*outgoing(message.topic, message.payload))
        self._message = message
        self._frame = frame if encode_own is encode else None
        if not self._is_scheduled:
            self._is_scheduled = True
            gevent.get_hub().loop.run_callback(self._forget)
        return frame

    def _forget(self) -> None:
        self._is_scheduled = False
        self._message = self._frame = None
