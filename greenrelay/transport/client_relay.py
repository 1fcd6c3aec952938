"""A client that relays: a connection process whose other end is a server.

Source: WebSocket client, ``relay_to`` and ``reconnect``; WebSocket Relay for all topics.

Theory. It is the Connection of the relay with another socket and protocol, so join, leave,
transfer, heartbeat and back-pressure are the same. With ``reconnect`` an ending that the server
caused, or the way to it, is that of an attachment only: the target gets ws.leave, and ws.join with
the reason ``resume`` once the server is back, and the PID stays. In between the connection is OVER
like any other, so it takes no message, but its process lives on and has one thing: a timer until
the next try, or a greenlet that tries. ``_is_final`` is set by every ending that is ours:
``ws.close``, a CANCEL, ``terminate``, the end of the target or of the owner.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from dataclasses import dataclass

import gevent

from greenrelay.core.events import Event, Exit, Result
from greenrelay.core.message import Message
from greenrelay.core.restart import Backoff, RestartPolicy
from greenrelay.errors import GreenRelayError
from greenrelay.relay.session import Session
from greenrelay.relay.slowness import CLOSES, SlowPolicy
from greenrelay.runtime.node import Node
from greenrelay.runtime.process import Process
from greenrelay.runtime.timers import Timer
from greenrelay.transport.client_opening import Opened, Request, open_socket
from greenrelay.transport.client_socket import MaskingSocket
from greenrelay.transport.connection import Connection
from greenrelay.transport.life import LOST, OPEN, OVER
from greenrelay.transport.pulse import Pulse
from greenrelay.transport.turns import Turns
from greenrelay.websocket.client_protocol import ClientProtocol
from greenrelay.websocket.frames import encode

log = logging.getLogger("greenrelay.transport")


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """The limits of a connection, as those of a client say them; see ``limits.py``."""

    max_message_size: int
    ping_interval: float
    ping_timeout: float
    queue_messages: int = 256
    queue_bytes: int = 1024 * 1024
    slow_policy: SlowPolicy = CLOSES
    rate_messages: int = 0
    rate_bytes: int = 0
    subprotocols: tuple[str, ...] = ()
    compression: bool = False
    drain_code: int = 1001
    drain_period: float = 10.0


class ClientConnection(Connection):
    """A relayed WebSocket to a server, as a process; ``relay`` starts it.

    With ``policy`` it is opened again whenever the server, or the way to it, has ended it.
    """

    __slots__ = (
        "_backoff",
        "_heartbeat_interval",
        "_is_final",
        "_last",
        "_opener",
        "_owner",
        "_request",
        "_timer",
    )

    def __init__(
        self,
        node: Node,
        owner: Process | None,
        session: Session,
        request: Request,
        limits: RelayLimits,
        policy: RestartPolicy | None,
    ) -> None:
        protocol = ClientProtocol(max_message_size=limits.max_message_size)
        host = node.take_place(None)
        super().__init__(node, host, session, protocol, limits, turns=Turns())
        self._owner = None if owner is None else owner.pid
        self._request = request
        self._backoff = None if policy is None else Backoff(policy)
        self._is_final = policy is None
        self._heartbeat_interval: float | None = None
        self._timer: Timer | None = None
        self._opener: gevent.Greenlet[[], None] | None = None
        # How the last attachment ended.
        self._last: Result | None = None

    def relay(self, opened: Opened, owner: Process | None) -> None:
        """Be a process from here on, and relay."""
        self.node.admit(self)
        if owner is not None:
            self.node.monitor(self, owner.pid)
            self.node.monitor(owner, self.pid)
        self.node.monitor(self, self.session.target_pid)
        self._attach(opened, "connect")

    def _attach(self, opened: Opened, why: str) -> None:
        """Attach the target to the socket; it is monitored already."""
        limits, agreed = self.limits, opened.agreed.compression
        self._protocol = ClientProtocol(
            max_message_size=limits.max_message_size,
            inflater=agreed.inflater() if agreed is not None else None,
        )
        self._encode = agreed.deflater().encode if agreed is not None else encode
        self.socket = MaskingSocket(opened.sock, self, (limits.queue_messages, limits.queue_bytes))
        session = self.session
        session.subprotocol, session.remote_addr = opened.agreed.subprotocol, opened.peer
        self._stage = OPEN
        self._close_timer = self._failure = None
        self.opened_at = self.node.timers.now()
        self.tell_target("ws.join", session.join(why))
        self._pulse = Pulse(self)
        self._pulse.set_heartbeat(self._heartbeat_interval)
        self._pulse.start()
        log.info("%s opened: server=%s target=%s", self.pid, self._shown, session.target_pid)
        self.socket.start()
        if opened.buffered:
            self.socket.bytes_in += len(opened.buffered)
            self.on_data(opened.buffered)

    @property
    def _shown(self) -> str:
        return self._request.address.shown

    @property
    def last(self) -> Mapping[str, object]:
        """How the last attachment ended: the value of a connection's result, or nothing yet."""
        value = None if self._last is None else self._last.value
        return value if isinstance(value, dict) else {}

    def set_heartbeat(self, interval: float | None) -> None:
        """Send ws.heartbeat each ``interval`` seconds from now on, over reconnections too."""
        self._heartbeat_interval = interval
        super().set_heartbeat(interval)

    # endings

    def deliver(self, message: Message) -> bool:
        """Act on a message; between two attachments only ``ws.close`` is one."""
        if self._stage == OVER and not self._is_final and message.topic == "ws.close":
            self.close(1000, "")
            return True
        is_taken = super().deliver(message)
        if message.topic == "ws.control":
            self._watch_owner()
        return is_taken

    def _watch_owner(self) -> None:
        # One that was the target as well is not monitored any more once the target is another.
        owner = self._owner
        if owner is not None and not self.node.topology.refs(self.pid, owner):
            self.node.monitor(self, owner)

    def deliver_event(self, event: Event) -> None:
        """Close when the owner, the target or a linked process has ended, or when asked to end."""
        if isinstance(event, Exit) and event.pid == self._owner:
            self.close(1001, "owner exited")
        else:
            super().deliver_event(event)

    def close(self, code: int, reason: str, *, failure: str | None = None) -> None:
        """Begin the closing handshake, for good; while there is no connection, end."""
        was_waiting = self._stage == OVER and not self._is_final
        self._is_final = True
        if was_waiting:
            self._give_up()
        else:
            super().close(code, reason, failure=failure)

    def end(self, result: Result) -> None:
        """Drop the connection for good."""
        was_waiting = self._stage == OVER and not self._is_final
        self._is_final = True
        if was_waiting:
            self._give_up(result)
        else:
            super().end(result)

    def _end(
        self,
        code: int,
        reason: str,
        *,
        clean: bool,
        result: Result | None = None,
        by_client: bool = False,
    ) -> None:
        if code == LOST and self._failure is None:
            # The words of a connection to a client.
            reason = reason.replace("the client", "the server")
        super()._end(code, reason, clean=clean, result=result, by_client=by_client)

    def finish(self, result: Result, error: BaseException | None = None) -> None:
        """End, or with ``reconnect`` wait and try again."""
        self._last = result
        if self._is_final:
            super().finish(result, error)
            return
        # It has left its target, and still has to hear of its end.
        self.node.monitor(self, self.session.target_pid)
        if not self._is_final:
            self._try_later(self.node.timers.now() - self.opened_at)

    def _give_up(self, result: Result | None = None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._opener is not None:
            self._opener.kill(block=False)
        self._timer = self._opener = None
        value = self.last
        log.info("%s gives up %s", self.pid, self._shown)
        if result is None:
            super().finish(Result(value))
        else:
            super().finish(Result(value, result.error, result.reason))

    # coming back

    def _try_later(self, uptime: float) -> None:
        assert self._backoff is not None, "only with a policy it is tried again"
        delay = self._backoff.next_delay(uptime, random.random())
        assert delay is not None, "it is tried without end"
        self._timer = self.node.timers.call_after(delay, self._try)

    def _try(self) -> None:
        self._timer = None
        self._opener = gevent.spawn(self._reopen)

    def _reopen(self) -> None:
        opened: Opened | None = None
        try:
            opened = open_socket(self._request)
        except GreenRelayError as error:
            log.info("%s: the server is not back: %s", self.pid, error)
        except Exception:
            log.exception("%s: opening %s failed", self.pid, self._shown)
        if self._is_final:
            # Given up in the turn of the loop in which the server answered: killed too late.
            if opened is not None:
                opened.sock.close()
            return
        self._opener = None
        if opened is None:
            self._try_later(0.0)
        else:
            self._attach(opened, "resume")
