"""What processes send each other.

Source: Processes, "Functions" and "Hosts, inboxes, back-pressure". One Message is made for each
message sent, so it is no dataclass, whose frozen kind takes five times as long to make: its fields
are kept privately and shown as properties.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Protocol

from greenrelay.core import native
from greenrelay.core.pid import Pid
from greenrelay.errors import ReservedTopic

NO_CONTEXT: Mapping[str, object] = MappingProxyType({})


class ReplySlot(Protocol):
    """Where the answer to a call goes; what comes after the first answer is dropped."""

    def answer(self, value: object) -> bool:
        """Hand over the reply; False when nobody waits for it any more."""

    def fail(self, error: BaseException) -> bool:
        """Hand over an error instead; False when nobody waits for it any more."""


class Message:
    """One message: ``topic``, ``payload`` (by reference inside a node), ``sender``, ``context``.

    Frozen. Messages are equal when what they carry is, whoever awaits a reply. ``frame`` is for a
    message to many: b"" until the first of them has made its form on the wire, which serves all.
    """

    __slots__ = ("_context", "_payload", "_reply_to", "_sender", "_topic", "frame")
    __match_args__ = ("topic", "payload", "sender", "context")

    def __init__(
        self,
        topic: str,
        payload: object = None,
        sender: Pid | None = None,
        context: Mapping[str, object] = NO_CONTEXT,
        reply_to: ReplySlot | None = None,
    ) -> None:
        self.fill(topic, payload, sender, context, reply_to)

    def fill(
        self,
        topic: str,
        payload: object,
        sender: Pid | None,
        context: Mapping[str, object],
        reply_to: ReplySlot | None,
    ) -> Message:
        """Set what ``__new__`` left out and return the message: the fast way to make one."""
        self._topic = topic
        self._payload = payload
        self._sender = sender
        self._context = context
        self._reply_to = reply_to
        self.frame: bytes | None = None
        if reply_to is None and context is NO_CONTEXT and not native.is_collected(payload):
            native.untrack(self)
        return self

    @property
    def topic(self) -> str:
        """What it is about; tells the receiver what the payload is."""
        return self._topic

    @property
    def payload(self) -> object:
        """What was sent; the sender's own object."""
        return self._payload

    @property
    def sender(self) -> Pid | None:
        """The PID of the process that sent it, None when it came from outside any."""
        return self._sender

    @property
    def context(self) -> Mapping[str, object]:
        """The values its sender carried."""
        return self._context

    @property
    def reply_to(self) -> ReplySlot | None:
        """Where the answer goes, for a message that was sent with call(): see reply()."""
        return self._reply_to

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return (self._topic, self._payload, self._sender, self._context) == (
            other.topic,
            other.payload,
            other.sender,
            other.context,
        )

    def __hash__(self) -> int:
        return hash((self._topic, self._payload, self._sender))

    def __repr__(self) -> str:
        shown = f"topic={self._topic!r}, payload={self._payload!r}, sender={self._sender!r}"
        context = f", context={dict(self._context)!r}" if self._context else ""
        return f"Message({shown}{context})"


def read_only(context: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a context that whoever gave it, and whoever gets it, cannot change."""
    return MappingProxyType({**context}) if context else NO_CONTEXT


def check_topic(topic: object) -> None:
    """Raise ReservedTopic unless ``topic`` is text that does not start with ``@``."""
    if not isinstance(topic, str) or topic[:1] in ("@", ""):
        raise ReservedTopic(topic)
