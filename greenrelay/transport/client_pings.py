"""The pings of a client: those its owner asks for, and those that find out whether it lives.

Source: WebSocket client, ``ping_interval`` and ``ping_timeout``. A server that has sent anything
since the last ping lives, whether or not it was a pong; so does one that still reads the large
message which the ping waits behind.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

import gevent
from gevent.event import Event as Flag

from greenrelay.errors import Timeout
from greenrelay.websocket.frames import PING, encode

if TYPE_CHECKING:
    from greenrelay.transport.client_conversation import Conversation


class Pings:
    """The pings of one conversation; ``was_seen`` is whether anything came since the last one."""

    __slots__ = ("_behind_at", "_conversation", "_number", "_timer", "_waiting", "was_seen")

    def __init__(self, conversation: Conversation) -> None:
        self._conversation: Conversation | None = conversation
        self._number = 0
        self._waiting: dict[bytes, Flag] = {}
        self._timer: Any = None
        # How many bytes the kernel had taken when the ping had to wait; None where it did not.
        self._behind_at: int | None = None
        self.was_seen = True

    def start(self) -> None:
        """Begin to ping, if an interval is set."""
        conversation = self._conversation
        if conversation is not None and conversation.limits.ping_interval:
            # Spread, so that clients that opened together do not ping together for ever.
            interval = conversation.limits.ping_interval * random.uniform(0.9, 1.0)
            self._wake_in(interval, self._ping_to_live)

    def stop(self) -> None:
        """End the timer, wake who waits for a pong, and let go of the conversation."""
        self._conversation = None
        self._drop_timer()
        for answered in self._waiting.values():
            answered.set()

    def on_pong(self, payload: bytes) -> None:
        """Wake who waits for this pong."""
        answered = self._waiting.get(payload)
        if answered is not None:
            answered.set()

    def measure(self, seconds: float) -> float:
        """Ping and return the seconds until the answer; raises Timeout, ConnectionClosed."""
        conversation = self._conversation
        assert conversation is not None, "only what is open is pinged"
        sent_at = monotonic()
        payload = self._new_payload()
        answered = self._waiting[payload] = Flag()
        try:
            self._write(conversation, payload)
            answered.wait(seconds or None)
        finally:
            del self._waiting[payload]
        if conversation.is_over:
            raise conversation.closed()
        if not answered.is_set():
            raise Timeout("client.ping()", seconds)
        return monotonic() - sent_at

    def _write(self, conversation: Conversation, payload: bytes) -> None:
        # As the last: behind a message that is being written it has to wait, but not to be lost.
        conversation.socket.write(encode(PING, payload), is_last=True)

    def _new_payload(self) -> bytes:
        self._number += 1
        return self._number.to_bytes(8)

    def _ping_to_live(self) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        limits = conversation.limits
        self.was_seen = False
        self._wake_in(limits.ping_timeout or limits.ping_interval, self._on_pong_due)
        self._write(conversation, self._new_payload())
        socket = conversation.socket
        self._behind_at = socket.bytes_out if socket.queued else None

    def _on_pong_due(self) -> None:
        conversation = self._conversation
        if conversation is None:
            return
        limits = conversation.limits
        # While the owner is slow the socket is not read: silence says nothing of the server.
        is_excused = conversation.is_full or self._is_read_by(conversation)
        if self.was_seen or is_excused or not limits.ping_timeout:
            pause = limits.ping_interval - limits.ping_timeout if limits.ping_timeout else 0.0
            self._wake_in(max(0.0, pause), self._ping_to_live)
        else:
            conversation.fall_silent()

    def _is_read_by(self, conversation: Conversation) -> bool:
        """Whether the server has read on in what the last ping had to wait behind."""
        return self._behind_at is not None and conversation.socket.bytes_out > self._behind_at

    def _wake_in(self, seconds: float, function: Callable[[], object]) -> None:
        self._drop_timer()
        self._timer = gevent.get_hub().loop.timer(seconds)
        self._timer.start(function)

    def _drop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.stop()
            timer.close()
